import { classWeightsOf, keptByRows, type MaskRows, maskRowsOf } from "./broadcast.ts";
import { checkOneOf, checkOptions, rangeError, typeError, words } from "./check.ts";
import { type Counted, counted, leftOut } from "./counting.ts";
import { type Matrix, matrixOf } from "./linearmatrix.ts";
import type { LinearLayer } from "./lineartiles.ts";
import { type CrossEntropyOptions, checkIgnoreIndex, checkTerms } from "./lossoptions.ts";
import { type ReductionName, reductionOf } from "./reduction.ts";
import { classIndices, type Targets } from "./targets.ts";
import {
  checkDtype,
  type Data,
  inWords,
  type Logits,
  type Numbers,
  numbersOf,
  product,
  receiver,
  type View,
  type Writable,
} from "./tensor.ts";

export interface LinearCrossEntropyOptions extends Omit<CrossEntropyOptions, "axis"> {
  /** b, a number for each class */
  bias?: Logits;
}

/** What a gradient is for. */
export type LinearParameter = "x" | "weight" | "bias";

export interface LinearGradOptions<P extends LinearParameter = LinearParameter> extends LinearCrossEntropyOptions {
  /** the gradients that are wanted, all three by default */
  grads?: readonly P[];
  /** receivers for them; none may be an array that is read */
  out?: { dx?: Writable; dweight?: Writable; dbias?: Writable };
}

const LINEAR_OPTIONS = [
  "bias",
  "shape",
  "dtype",
  "reduction",
  "weight",
  "ignoreIndex",
  "labelSmoothing",
  "mask",
  "zLoss",
  "softcap",
  "temperature",
  "out",
] as const;

/** The arguments, checked. `x` is the view of the logits, which are never there. */
export interface LinearArguments {
  readonly caller: string;
  readonly reduction: ReductionName;
  readonly x: View;
  readonly input: Numbers;
  readonly weight: Numbers;
  readonly bias: Matrix | undefined;
  readonly y: Int32Array;
  readonly mask: MaskRows | undefined;
  readonly classWeights: Float64Array | undefined;
  readonly rows: Counted;
  readonly options: LinearCrossEntropyOptions;
}

/** x as rows of features, W as [classes, features]. */
function readLayer(caller: string, x: Logits, weight: Logits, options: LinearCrossEntropyOptions) {
  const { shape, dtype, bias } = options;
  const input = numbersOf(caller, "x", x, { shape, dtype });
  const w = numbersOf(caller, "weight", weight, { dtype });
  checkDtype(caller, { dtype }, [x, weight, bias]);
  const { dtype: own, classes: features } = input.view;
  if (w.view.dtype !== own) throw typeError(caller, "weight", `${own} as x`, words(w.view.dtype));
  const length = product(w.view.shape);
  if (w.view.kind === "flat") {
    if (features === 0 || length % features !== 0)
      throw rangeError(caller, "weight", `a multiple of ${features} elements, as many as x has features`, length);
  } else if (w.view.shape.length !== 2 || w.view.shape[1] !== features) {
    throw rangeError(caller, `weight.${w.view.kind}`, `[classes, ${features}]`, words(inWords(w.view.shape)));
  }
  const classes = w.view.kind === "flat" ? length / features : w.view.shape[0];
  return { input, weight: w, classes, bias: biasOf(caller, options, classes, own) };
}

function biasOf(
  caller: string,
  { bias, dtype }: LinearCrossEntropyOptions,
  classes: number,
  own: View["dtype"],
): Matrix | undefined {
  if (bias === undefined) return undefined;
  const name = "options.bias";
  const numbers = numbersOf(caller, name, bias, { dtype });
  const { view } = numbers;
  if (view.dtype !== own) throw typeError(caller, name, `${own} as x`, words(view.dtype));
  if (inWords(view.shape) !== `[${classes}]`) {
    const at = view.kind === "flat" ? name : `${name}.${view.kind}`;
    throw rangeError(caller, at, `[${classes}], one for each class`, words(inWords(view.shape)));
  }
  return matrixOf(numbers, classes);
}

/** `more` are options that the caller takes besides. */
export function readLinear(
  caller: string,
  x: Logits,
  weight: Logits,
  targets: Targets,
  options: LinearCrossEntropyOptions,
  more: readonly string[],
): LinearArguments {
  checkOptions(caller, options, [...LINEAR_OPTIONS, ...more]);
  const reduction = reductionOf(caller, options);
  checkIgnoreIndex(caller, options);
  checkTerms(caller, options);
  const layer = readLayer(caller, x, weight, options);
  const { view } = layer.input;
  const { classes } = layer;
  const shape = [...view.shape.slice(0, -1), classes];
  const logits: View = { ...view, shape, classes, axes: [shape.length - 1], inner: 1, outer: view.rows };
  const { ignoreIndex } = options;
  const classWeights = options.weight === undefined ? undefined : classWeightsOf(caller, options.weight, logits);
  const y = classIndices(caller, targets, logits, "weight", ignoreIndex);
  const mask = maskRowsOf(caller, options.mask, logits);
  const kept = mask && keptByRows(mask, logits.rows, classes);
  const left = ignoreIndex === undefined && mask === undefined ? undefined : leftOut(logits.rows, y, kept);
  const rows = counted(logits.rows, left, classWeights, y, reduction);
  return { caller, reduction, x: logits, ...layer, y, mask, classWeights, rows, options };
}

/** The rows that count, in order: the others are never read, and no sum has their place. */
export function countedRows({ x, rows: { left } }: LinearArguments): Int32Array {
  const all = Int32Array.from({ length: x.rows }, (_, i) => i);
  return left === undefined ? all : all.filter((i) => left[i] === 0);
}

export function layerOf({ input, weight, bias, x }: LinearArguments): LinearLayer {
  const features = input.view.classes;
  return {
    dtype: x.dtype,
    features,
    classes: x.classes,
    x: matrixOf(input, features),
    weight: matrixOf(weight, features),
    bias,
    dx: undefined,
    dweight: undefined,
    dbias: undefined,
  };
}

const PARAMETERS = ["x", "weight", "bias"] as const;

/** The gradients that are wanted. */
function wanted(caller: string, { grads, out }: LinearGradOptions): readonly LinearParameter[] {
  const name = "options.grads";
  if (grads !== undefined && !Array.isArray(grads))
    throw typeError(caller, name, 'an array of "x", "weight" and "bias"', grads);
  grads?.forEach((one, n) => {
    checkOneOf(caller, `${name}[${n}]`, one, PARAMETERS);
  });
  if (out !== undefined)
    checkOptions(
      caller,
      out,
      PARAMETERS.map((one) => `d${one}`),
      "options.out",
    );
  const all = grads ?? PARAMETERS;
  for (const one of PARAMETERS) {
    if (out?.[`d${one}`] !== undefined && !all.includes(one))
      throw typeError(caller, `options.out.d${one}`, `nothing where options.grads has no "${one}"`, out[`d${one}`]);
  }
  return all;
}

const isSame = (a: unknown, b: unknown): boolean =>
  a === b || (ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && a.buffer === b.buffer && a.byteOffset === b.byteOffset);

/** Arrays for the gradients: the inputs are read until the last is written, so that none may be one of them. */
export function receivers(
  { caller, input, weight, bias, x }: LinearArguments,
  options: LinearGradOptions,
): Pick<LinearLayer, "dx" | "dweight" | "dbias"> {
  const grads = wanted(caller, options);
  const others: Pick<View, "data">[] = [input, weight].map(({ view, bits }) => ({
    data: (bits?.data as Data | undefined) ?? view.data,
  }));
  if (bias !== undefined) others.push({ data: bias.data as Data });
  const make = (one: LinearParameter, like: View, length: number): Writable | undefined => {
    if (!grads.includes(one)) return undefined;
    const name = `d${one}` as const;
    const given = options.out?.[name];
    const out = receiver(caller, like, length, given, others, `options.out.${name}`);
    if (given !== undefined && given.length > 0 && others.some(({ data }) => isSame(data, given)))
      throw rangeError(
        caller,
        `options.out.${name}`,
        "an array of its own",
        words("one that is read or written besides"),
      );
    others.push({ data: out });
    return out;
  };
  return {
    dx: make("x", input.view, x.rows * input.view.classes),
    dweight: make("weight", weight.view, x.classes * input.view.classes),
    dbias: make("bias", weight.view, x.classes),
  };
}
