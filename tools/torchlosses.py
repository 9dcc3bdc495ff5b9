"""Makes packages/napier/test/torchlosses.ts: what PyTorch's cross_entropy answers to weights, ignore_index and label_smoothing
together, in f64. python3 tools/torchlosses.py > packages/napier/test/torchlosses.ts, where PyTorch is."""
import itertools
import json

import torch
from torch.nn.functional import cross_entropy

torch.manual_seed(1614)
N, C = 4, 3


def numbers(tensor):
    return [float(v) for v in tensor.detach().flatten()]


def case(x, target, **options):
    x = x.clone().requires_grad_(True)
    loss = cross_entropy(x, target, **options)
    loss.sum().backward()
    weight = options.get("weight")
    return {
        "x": numbers(x),
        "shape": list(x.shape),
        "y": [int(v) for v in target.flatten()] if target.dtype == torch.int64 else numbers(target),
        "soft": target.dtype != torch.int64,
        "weight": None if weight is None else numbers(weight),
        "ignoreIndex": options.get("ignore_index", -100),
        "labelSmoothing": options["label_smoothing"],
        "reduction": options["reduction"],
        "loss": numbers(loss),
        "dx": numbers(x.grad),
    }


def vectors():
    x = 2 * torch.randn(N, C, dtype=torch.float64)
    y = torch.tensor([2, 0, -100, 1])
    q = torch.softmax(torch.randn(N, C, dtype=torch.float64), 1)
    weight = torch.tensor([0.25, 3.0, 0.5], dtype=torch.float64)
    for w, smoothing, reduction in itertools.product((None, weight), (0.0, 0.1, 1.0), ("mean", "sum", "none")):
        options = {"weight": w, "label_smoothing": smoothing, "reduction": reduction}
        yield case(x, y, **options)
        if reduction != "sum":
            yield case(x, q, **options)
    deep = torch.randn(2, C, 2, dtype=torch.float64)
    labels = torch.tensor([[1, 7], [0, 2]])
    yield case(deep, labels, weight=weight, label_smoothing=0.3, reduction="mean", ignore_index=7)


print(f"// Made by tools/torchlosses.py with PyTorch {torch.__version__}. Do not edit.")
print("export const TORCH_LOSSES = [")
for vector in vectors():
    print(f"  {json.dumps(vector)},")
print("] as const;")
