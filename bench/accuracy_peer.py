"""PyTorch's answers for the accuracy table: reads one JSON object with rows of numbers, prints one with its results."""
import json
import sys

import torch

torch.set_num_threads(1)
job = json.load(sys.stdin)
dtype = {"f32": torch.float32, "f64": torch.float64}[job["dtype"]]
answer = {"version": torch.__version__, "logSoftmax": [], "softmax": [], "logSumExp": [], "loss": [], "gradient": []}
for row, target in zip(job["rows"], job["targets"]):
    x = torch.tensor(row, dtype=dtype, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(x[None], torch.tensor([target]))
    loss.backward()
    answer["logSoftmax"].append(torch.log_softmax(x, 0).tolist())
    answer["softmax"].append(torch.softmax(x, 0).tolist())
    answer["logSumExp"].append(torch.logsumexp(x, 0).item())
    answer["loss"].append(loss.item())
    answer["gradient"].append(x.grad.tolist())
answer["logSoftmaxBackward"] = []
answer["softmaxBackward"] = []
for case in job["backward"]:
    g, log_probs, probs = (torch.tensor(case[name], dtype=dtype) for name in ("g", "logSoftmax", "softmax"))
    answer["logSoftmaxBackward"].append(torch._log_softmax_backward_data(g, log_probs, 0, dtype).tolist())
    answer["softmaxBackward"].append(torch._softmax_backward_data(g, probs, 0, dtype).tolist())
print(json.dumps(answer))
