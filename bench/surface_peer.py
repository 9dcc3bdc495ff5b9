"""PyTorch's and SciPy's answers for the tables of the whole surface: a JSON object of cases by operation in, lists out."""
import json
import sys

import numpy
import scipy.special
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
job = json.load(sys.stdin)
dtype = {"f32": torch.float32, "f64": torch.float64}[job["dtype"]]


def tensor(values):
    return torch.tensor(values, dtype=dtype)


def gradient(f, x):
    x = tensor(x).requires_grad_()
    f(x).backward()
    return x.grad.tolist()


def smoothed(case):
    return lambda x: F.cross_entropy(x[None], torch.tensor([case["y"]]), label_smoothing=0.1)


def soft(case):
    return lambda x: F.cross_entropy(x[None], tensor(case["q"])[None])


def tempered(case):
    return lambda x: F.cross_entropy(x[None] / case["temperature"], torch.tensor([case["y"]]))


def entropy(x):
    return torch.distributions.Categorical(logits=x).entropy()


def bce(case):
    return lambda x: F.binary_cross_entropy_with_logits(x, tensor(case["t"]), reduction="none")


ANSWERS = {
    "logSigmoid": lambda case: F.logsigmoid(tensor(case["x"])).tolist(),
    "log1pExp": lambda case: F.softplus(tensor(case["x"])).tolist(),
    "bceWithLogits": lambda case: bce(case)(tensor(case["x"])).tolist(),
    "bceGradient": lambda case: gradient(lambda x: bce(case)(x).sum(), case["x"]),
    "logAddExp": lambda case: torch.logaddexp(tensor(case["a"]), tensor(case["b"])).tolist(),
    "logCumSumExp": lambda case: torch.logcumsumexp(tensor(case["x"]), 0).tolist(),
    "logMeanExp": lambda case: (torch.logsumexp(tensor(case["x"]), 0) - numpy.log(len(case["x"]))).item(),
    "weighted": lambda case: float(
        scipy.special.logsumexp(tensor(case["x"]).numpy(), b=tensor(case["w"]).numpy())
    ),
    "smoothed": lambda case: smoothed(case)(tensor(case["x"])).item(),
    "soft": lambda case: soft(case)(tensor(case["x"])).item(),
    "softGradient": lambda case: gradient(soft(case), case["x"]),
    "tempered": lambda case: tempered(case)(tensor(case["x"])).item(),
    "klDiv": lambda case: F.kl_div(tensor(case["x"]), tensor(case["q"]), reduction="sum").item(),
    "entropy": lambda case: entropy(tensor(case["x"])).item(),
}
answers = {name: [ANSWERS[name](case) for case in cases] for name, cases in job["cases"].items() if name in ANSWERS}
print(json.dumps({"version": torch.__version__, "scipy": scipy.__version__, "answers": answers}))
