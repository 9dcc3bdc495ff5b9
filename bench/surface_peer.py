"""The answers of PyTorch and SciPy for the tables of the whole surface: JSON with cases by family in, by operation out."""
import json
import math
import sys

import numpy
import scipy
import scipy.special
import torch
import torch.nn.functional as F

torch.set_num_threads(1)
job = json.load(sys.stdin)
dtype = {"f32": torch.float32, "f64": torch.float64}[job["dtype"]]


def tensor(values):
    return torch.tensor(values, dtype=dtype)


def values(result):
    return result.detach().reshape(-1).tolist()


def grad(f, x, g=None):
    """The gradient of f at x, for upstream gradients g."""
    x = tensor(x).requires_grad_()
    y = f(x)
    y.backward(torch.ones_like(y) if g is None else tensor(g).reshape(y.shape))
    return x.grad.tolist()


def loss(name, f, x):
    return {name: values(f(tensor(x))), f"{name}: gradient": grad(f, x)}


def mean(case):
    f = lambda x: torch.logsumexp(x, 0) - math.log(len(case["x"]))
    return {
        "logMeanExp": values(f(tensor(case["x"]))),
        "logSumExpBackward": grad(lambda x: torch.logsumexp(x, 0), case["x"], case["g"]),
        "logMeanExpBackward": grad(f, case["x"], case["g"]),
    }


def weighted(case):
    x, w = tensor(case["x"]), tensor(case["w"])
    return {
        "logSumExp, positive weights": [float(scipy.special.logsumexp(x.numpy(), b=w.numpy()))],
        "logSumExpBackward, positive weights": grad(lambda x: torch.logsumexp(x + w.log(), 0), case["x"]),
    }


def signed(case):
    x, w = tensor(case["x"]).numpy(), tensor(case["w"]).numpy()
    value, sign = scipy.special.logsumexp(x, b=w, return_sign=True)
    return {"logSumExp, weights of both signs": [float(value), float(sign)]}


def cumulative(case):
    f = lambda x: torch.logcumsumexp(x, 0)
    return {"logCumSumExp": values(f(tensor(case["x"]))), "logCumSumExpBackward": grad(f, case["x"], case["g"])}


def entropy(case):
    f = lambda x: torch.distributions.Categorical(logits=x, validate_args=False).entropy()
    return {"entropy": values(f(tensor(case["x"]))), "entropyBackward": grad(f, case["x"], case["g"])}


def perplexity(case):
    return {"perplexity": values(torch.exp(F.cross_entropy(tensor(case["x"]), torch.tensor(case["y"]))))}


def top(case):
    return {"topLogProbs, the bits of logSoftmax": values(torch.log_softmax(tensor(case["x"]), 0).topk(case["k"]).values)}


def tempered(case):
    t, y = case["temperature"], torch.tensor(case["y"])
    return {
        "logSoftmax, temperature": values(torch.log_softmax(tensor(case["x"]) / t, 0)),
        "softmax, temperature": values(torch.softmax(tensor(case["x"]) / t, 0)),
        **loss("crossEntropy, temperature", lambda x: F.cross_entropy(x / t, y), case["x"]),
    }


def smoothed(case):
    y, s = torch.tensor(case["y"]), case["smoothing"]
    return loss("crossEntropy, labelSmoothing", lambda x: F.cross_entropy(x, y, label_smoothing=s), case["x"])


def soft(case):
    q = tensor(case["q"])
    return loss("softCrossEntropy", lambda x: F.cross_entropy(x, q), case["x"])


def z_loss(case):
    y, z = torch.tensor(case["y"]), case["z"]
    return loss("crossEntropy, zLoss", lambda x: F.cross_entropy(x, y) + z * torch.logsumexp(x, 0) ** 2, case["x"])


def softcap(case):
    y, c = torch.tensor(case["y"]), case["cap"]
    if dtype == torch.float64:
        return {}
    return loss("crossEntropy, softcap", lambda x: F.cross_entropy(c * torch.tanh(x / c), y), case["x"])


def add(case):
    b = tensor(case["b"])
    a = tensor(case["a"])
    return {
        "logAddExp": values(torch.logaddexp(a, b)),
        "logAddExpBackward, da": grad(lambda a: torch.logaddexp(a, b), case["a"], case["g"]),
        "logAddExpBackward, db": grad(lambda b: torch.logaddexp(a, b), case["b"], case["g"]),
    }


def by_element(name, f):
    return lambda case: {name: values(f(tensor(case["x"]))), f"{name}Backward": grad(f, case["x"], case["g"])}


def bce(name):
    def answer(case):
        t = tensor(case["t"])
        return loss(name, lambda x: F.binary_cross_entropy_with_logits(x, t, reduction="none"), case["x"])

    return answer


def divergence(case):
    f = lambda x: F.kl_div(x, tensor(case["t"]), reduction="sum")
    return {"klDiv, sum": values(f(tensor(case["x"]))), "klDivBackward, sum": grad(f, case["x"], case["g"])}


FAMILIES = {
    "mean": mean,
    "weighted": weighted,
    "signed": signed,
    "cumulative": cumulative,
    "entropy": entropy,
    "perplexity": perplexity,
    "top": top,
    "tempered": tempered,
    "smoothed": smoothed,
    "soft": soft,
    "zLoss": z_loss,
    "softcap": softcap,
    "add": add,
    "logSigmoid": by_element("logSigmoid", F.logsigmoid),
    "log1pExp": by_element("log1pExp", F.softplus),
    "log1mExp": by_element("log1mExp", lambda x: torch.log(-torch.expm1(x))),
    "bceHard": bce("bceWithLogits, targets 0 and 1"),
    "bceSoft": bce("bceWithLogits, other targets"),
    "divergence": divergence,
}
with numpy.errstate(all="ignore"):
    answers = {name: [FAMILIES[name](case) for case in cases] for name, cases in job["families"].items()}
print(json.dumps({"torch": torch.__version__, "scipy": scipy.__version__, "answers": answers}))
