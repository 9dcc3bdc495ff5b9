/** A case of a suite in our words: which operation, and which of its results stand beside which of theirs. */
import * as binary from "./binary.ts";
import { classes, isStored, type OnnxCase, type Stored, type TorchCase, tensor } from "./load.ts";
import type { LossOptions } from "./losses.ts";
import * as losses from "./losses.ts";
import * as lse from "./lse.ts";
import type { Input, Result } from "./operations.ts";
import * as operations from "./operations.ts";
import { optimizer } from "./optimizers.ts";

export interface Comparison {
  readonly what: string;
  readonly ours: Result;
  readonly theirs: Stored;
  /** Of f32, where ours must be as near theirs. */
  readonly ulps?: number;
}

export function run(one: OnnxCase | TorchCase): Comparison[] {
  return "inputs" in one ? runOnnx(one) : runTorch(one);
}

const REDUCTIONS = ["mean", "sum", "none"];

/** Their names of a loss's options in ours; what they leave out is left out. */
function lossOptions(given: Readonly<Record<string, unknown>>, weight: unknown): LossOptions {
  const { reduction = "mean", ignore_index: ignoreIndex, label_smoothing: labelSmoothing, ...rest } = given;
  if (!REDUCTIONS.includes(String(reduction))) throw new Error(`a reduction "${reduction}"`);
  const others = Object.keys(rest).filter((key) => key !== "weight");
  if (others.length > 0) throw new Error(`options ${others.join(", ")} have no name here`);
  return {
    reduction: reduction as LossOptions["reduction"],
    ...(isStored(weight) && { weight: tensor(weight).data }),
    ...(ignoreIndex !== undefined && { ignoreIndex: ignoreIndex as number }),
    ...(labelSmoothing !== undefined && { labelSmoothing: labelSmoothing as number }),
  };
}

function runOnnx(one: OnnxCase): Comparison[] {
  const { op, attributes, inputs, outputs } = one;
  const { axis = -1 } = attributes as { axis?: number };
  const [x, second, weight] = inputs;
  switch (op) {
    case "LogSoftmax":
      return [{ what: op, ours: operations.logSoftmax(tensor(x), axis).value, theirs: outputs[0] }];
    case "Softmax":
      return [{ what: op, ours: operations.softmax(tensor(x), axis).value, theirs: outputs[0] }];
    case "ReduceLogSumExp": {
      const axes = second.data.map(Number);
      const { value } = lse.logSumExp(tensor(x), axes, attributes.keepdims !== 0);
      return [{ what: op, ours: value, theirs: outputs[0] }];
    }
    case "NegativeLogLikelihoodLoss": {
      const { value } = losses.nllLoss(tensor(x), classes(second), lossOptions(attributes, weight));
      return [{ what: op, ours: value, theirs: outputs[0] }];
    }
    case "SoftmaxCrossEntropyLoss": {
      const { value } = losses.crossEntropy(tensor(x), classes(second), lossOptions(attributes, weight));
      const loss = { what: op, ours: value, theirs: outputs[0] };
      if (outputs.length === 1) return [loss];
      return [loss, { what: "log_prob", ours: operations.logSoftmax(tensor(x), 1).value, theirs: outputs[1] }];
    }
    case "Adam":
    case "Momentum":
      return optimizer(one).map((ours, n) => ({ what: one.outputs[n].name, ours, theirs: one.outputs[n], ulps: 1 }));
  }
  throw new Error(`an operation ${op} of ONNX`);
}

function runTorch({ op, input, args, kwargs, output, grad_input }: TorchCase): Comparison[] {
  const both = ({ value, gradient }: { value: Result; gradient: Result }): Comparison[] => [
    { what: op, ours: value, theirs: output },
    ...(grad_input === null ? [] : [{ what: "the gradient", ours: gradient, theirs: grad_input }]),
  ];
  const { mask, dtype, ...rest } = kwargs;
  if (dtype !== undefined && dtype !== "torch.float64") throw new Error(`a result of ${dtype}`);
  const masked = isStored(mask) ? { mask: { data: mask.data.map(Number), shape: mask.shape } } : {};
  const x = (): Input => tensor(input);
  const [first, second] = args;
  switch (op.replace(/^(masked|nn\.functional)\./, "")) {
    case "log_softmax":
      return both(operations.logSoftmax(x(), first as number, masked));
    case "softmax":
      return both(operations.softmax(x(), first as number, masked));
    case "softmin":
      return both(operations.softmin(x(), first as number, masked));
    case "logsumexp": {
      const { dim = first ?? [], keepdim = second ?? false } = rest;
      return both(
        lse.logSumExp(x(), [dim].flat() as number[], keepdim as boolean, isStored(mask) ? masked.mask : undefined),
      );
    }
    case "nll_loss":
      return both(losses.nllLoss(x(), classes(first as Stored), lossOptions(rest, rest.weight)));
    case "cross_entropy": {
      const options = lossOptions(rest, rest.weight);
      if ((first as Stored).dtype !== "torch.int64")
        return both(losses.softCrossEntropy(x(), tensor(first as Stored), options));
      return both(losses.crossEntropy(x(), classes(first as Stored), options));
    }
    case "logaddexp":
      return both(lse.logAddExp(x(), tensor(first as Stored)));
    case "logcumsumexp":
      return both(lse.logCumSumExp(x(), first as number));
    case "kl_div":
      return both(operations.klDiv(x(), tensor(first as Stored), rest));
    case "logsigmoid":
      return both(binary.logSigmoid(x()));
    case "binary_cross_entropy_with_logits": {
      const { weight, pos_weight: posWeight, reduction = "mean", ...others } = rest;
      if (Object.keys(others).length > 0)
        throw new Error(`options ${Object.keys(others).join(", ")} have no name here`);
      return both(
        binary.bceWithLogits(x(), tensor(first as Stored), {
          reduction: reduction as binary.BceOptions["reduction"],
          ...(isStored(weight) && { weight: tensor(weight) }),
          ...(isStored(posWeight) && { posWeight: tensor(posWeight) }),
        }),
      );
    }
  }
  throw new Error(`an operation ${op} of PyTorch`);
}
