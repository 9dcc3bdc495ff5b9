"""Makes packages/napier/test/torchoptimizers.ts: where PyTorch's AdamW, Adam and SGD take eight weights in 200 steps, in f32 and
f64. python3 tools/torchoptimizers.py > packages/napier/test/torchoptimizers.ts, where PyTorch is."""
import json

import torch

torch.manual_seed(1550)
STEPS = 200
KEPT = (1, 2, 10, 50, STEPS)
START = [0.5, -1.25, 0.0, 3.0, 0.0010000000474974513, -9.99999993922529e-9, 100.0, -0.75]
# from tiny to huge, some always of one sign, the last one sparse
SIZES = torch.tensor([1.0, 1e-3, 2.0, 50.0, 1e-6, 1e-10, 0.1, 1.0])
GRADIENTS = torch.randn(STEPS, len(START)) * SIZES + SIZES * torch.tensor([0.1, 0, 0.5, 0, 1, 0, 2, 0])
GRADIENTS[:, 7] *= torch.arange(STEPS) % 5 == 0


def run(dtype, name, options, clip, rates):
    w = torch.tensor(START, dtype=torch.float32).to(dtype, copy=True).requires_grad_(True)
    optimizer = getattr(torch.optim, name)([w], **options)
    after, norms = [], []
    for step in range(STEPS):
        w.grad = GRADIENTS[step].to(dtype, copy=True)
        if clip is not None:
            norms.append(float(torch.nn.utils.clip_grad_norm_([w], clip)))
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates(step)
        optimizer.step()
        if step + 1 in KEPT:
            after.append([float(v) for v in w.detach()])
    return after, norms


def case(name, clip=None, rates=None, **options):
    after, norms = run(torch.float64, name, options, clip, rates)
    after32, _ = run(torch.float32, name, options, clip, rates)
    given = {"clipNorm": clip, "falling": rates is not None}
    return {"name": name, "options": options, **given, "after": after, "after32": after32, "norms": norms[:10]}


CASES = [
    case("AdamW", lr=0.01, weight_decay=0.1),
    case("AdamW", lr=0.001, weight_decay=0.01, betas=(0.8, 0.99), eps=1e-6),
    case("AdamW", lr=0.01, weight_decay=0.1, clip=10.0, rates=lambda step: 0.01 * (STEPS - step) / STEPS),
    case("Adam", lr=0.01),
    case("Adam", lr=0.01, weight_decay=0.1),
    case("SGD", lr=0.01),
    case("SGD", lr=0.01, momentum=0.9),
    case("SGD", lr=0.01, momentum=0.9, nesterov=True),
    case("SGD", lr=0.01, momentum=0.9, weight_decay=0.1, nesterov=True),
    case("SGD", lr=0.01, momentum=0.5, dampening=0.25, weight_decay=0.1),
    case("SGD", lr=0.01, momentum=0.9, weight_decay=0.1, clip=1.0),
]
print(f"// Made by tools/torchoptimizers.py with PyTorch {torch.__version__}. Do not edit.")
gradients = [[float(v) for v in row] for row in GRADIENTS]
print("export const TORCH_OPTIMIZERS = {")
print(f"  kept: {json.dumps(KEPT)},")
print(f"  start: {json.dumps(START)},")
print(f"  gradients: {json.dumps(gradients)},")
print("  cases: [")
for each in CASES:
    print(f"  {json.dumps(each)},")
print("] } as const;")
