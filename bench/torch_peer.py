"""The PyTorch side of the bench: reads one job a line on stdin, answers each with the least and all seconds as JSON."""
import json
import sys
import time

import numpy
import torch

torch.set_num_threads(1)
DATA = {}


def rows(rows, classes, deviation):
    key = (rows, classes, deviation)
    if key not in DATA:
        DATA.clear()
        generator = torch.Generator().manual_seed(1)
        x = torch.randn(rows, classes, generator=generator) * deviation
        y = torch.randint(0, classes, (rows,), generator=generator)
        DATA[key] = (x, x.clone().requires_grad_(), y)
    return DATA[key]


def cross_entropy_with_grad(x, y):
    x.grad = None
    torch.nn.functional.cross_entropy(x, y).backward()


def run(job):
    x, leaf, y = rows(job["rows"], job["classes"], job["deviation"])
    work = {
        "logSoftmax": lambda: torch.log_softmax(x, 1),
        "softmax": lambda: torch.softmax(x, 1),
        "logSumExp": lambda: torch.logsumexp(x, 1),
        "crossEntropyWithGrad": lambda: cross_entropy_with_grad(leaf, y),
    }[job["work"]]
    times = []
    for _ in range(job["repeats"]):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def epoch(job):
    """One epoch of an MLP, batch 128, AdamW, on seeded random pixels: the time does not depend on their values."""
    torch.manual_seed(1)
    n, features, hidden, classes = job["rows"], job["features"], job["hidden"], job["classes"]
    x = torch.rand(n, features)
    y = torch.from_numpy(numpy.arange(n) % classes)
    model = torch.nn.Sequential(
        torch.nn.Linear(features, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, classes)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    start = time.perf_counter()
    order = torch.randperm(n)
    for first in range(0, n, 128):
        rows_ = order[first : first + 128]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[rows_]), y[rows_]).backward()
        optimizer.step()
    return [time.perf_counter() - start]


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    job = json.loads(line)
    print(json.dumps(epoch(job) if job["work"] == "epoch" else run(job)), flush=True)
