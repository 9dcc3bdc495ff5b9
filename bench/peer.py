"""What the Python peers share: one job a line on stdin, its seconds a call as one line of JSON on stdout."""
import json
import sys
import time


def sample(call, samples, calls):
    times = []
    for _ in range(samples):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        times.append((time.perf_counter() - start) / calls)
    return times


def serve(about, answer):
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
