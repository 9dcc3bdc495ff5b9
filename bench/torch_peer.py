"""The PyTorch side of the bench, one thread. ATEN_CPU_CAPABILITY=avx2 in the environment keeps it from AVX-512."""
import time

import numpy
import peer
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
        DATA[key] = (x, x.clone().requires_grad_(), y, torch.empty_like(x), torch.empty(rows))
    return DATA[key]


def cross_entropy_with_grad(x, y):
    x.grad = None
    torch.nn.functional.cross_entropy(x, y).backward()


def linear_problem(job):
    """x N(0, 1), weight N(0, 1/features), targets."""
    key = (job["rows"], job["features"], job["classes"])
    if key not in DATA:
        DATA.clear()
        generator = torch.Generator().manual_seed(1)
        rows_, features, classes = key
        x = torch.randn(rows_, features, generator=generator).requires_grad_()
        weight = torch.randn(classes, features, generator=generator).mul_(features**-0.5).requires_grad_()
        DATA[key] = (x, weight, torch.randint(0, classes, (rows_,), generator=generator))
    return DATA[key]


def linear_call(x, weight, y):
    x.grad = weight.grad = None
    torch.nn.functional.cross_entropy(x @ weight.T, y).backward()


def linear(job):
    problem = linear_problem(job)
    return peer.sample(lambda: linear_call(*problem), job["samples"], job["calls"])


def run(job):
    x, leaf, y, out, lse = rows(job["rows"], job["classes"], job["deviation"])
    work = {
        "logSoftmax": lambda: torch.log_softmax(x, 1, out=out),
        "softmax": lambda: torch.softmax(x, 1, out=out),
        "logSumExp": lambda: torch.logsumexp(x, 1, out=lse),
        "crossEntropyWithGrad": lambda: cross_entropy_with_grad(leaf, y),
        "topLogProbs": lambda: torch.topk(torch.log_softmax(x, 1, out=out), job["k"], 1),
    }[job["work"]]
    return peer.sample(work, job["samples"], job["calls"])


def mnist(files, headers):
    images = numpy.fromfile(files["images"], numpy.uint8, offset=headers["images"])
    labels = numpy.fromfile(files["labels"], numpy.uint8, offset=headers["labels"])
    x = torch.from_numpy(images.reshape(len(labels), -1).astype(numpy.float32) / 255)
    return x, torch.from_numpy(labels.astype(numpy.int64))


def epochs(job):
    """An MLP on MNIST: seconds of each epoch, and the share of the test images that it names right after the last."""
    torch.manual_seed(1)
    x, y = mnist(job["files"]["train"], job["files"]["headers"])
    model = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], job["hidden"]), torch.nn.ReLU(), torch.nn.Linear(job["hidden"], 10)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    seconds = []
    for _ in range(job["epochs"]):
        start = time.perf_counter()
        order = torch.randperm(len(x))
        for first in range(0, len(x), job["batchSize"]):
            rows_ = order[first : first + job["batchSize"]]
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows_]), y[rows_]).backward()
            optimizer.step()
        seconds.append(time.perf_counter() - start)
    x, y = mnist(job["files"]["test"], job["files"]["headers"])
    with torch.no_grad():
        accuracy = (model(x).argmax(1) == y).float().mean().item()
    return {"seconds": seconds, "accuracy": accuracy}


OTHER = {"epochs": epochs, "linear": linear}
if __name__ == "__main__":
    peer.serve(
        {"version": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability()},
        lambda job: OTHER.get(job["work"], run)(job),
    )
