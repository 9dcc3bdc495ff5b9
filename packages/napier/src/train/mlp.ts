import type { Call, Task } from "../thread.ts";
import type { Space } from "../wasm.ts";
import { type LayerSize, NORM_BLOCK, PANEL, panelsOf, parameterPlan } from "./layers.ts";

/** Elements from row to row: an odd number of cache lines, so that a column does not fall on one set of the cache. */
function strideOf(columns: number): number {
  const lines = Math.ceil(columns / 16);
  return 16 * (lines + (lines % 2 === 0 ? 1 : 0));
}

/** Addresses in bytes; of what only training needs, of empty areas otherwise. */
export type Areas = {
  /** Laid out alike, as parameterPlan says. */
  readonly parameters: number;
  readonly gradient: number;
  /** The same in f64, or in the units of its sums as i64; and room for MOST_SCORES numbers that ranks add up with them. */
  readonly sums: number;
  /** Rows of each piece of the batch, i32. */
  readonly counts: number;
  /** The factors of the sums' units: every layer's inputs, then 1 for biases; every layer's outputs. f64 */
  readonly cx: number;
  readonly cg: number;
  /** [slots] of the largest sizes of hidden activations and of deltas, f32 */
  readonly sizes: number;
  readonly mean: number;
  readonly square: number;
  /** Σ gradient² of each of its blocks, f64 */
  readonly squares: number;
  /** [capacity, inputs] f32, before scaling */
  readonly raw: number;
  readonly center: number;
  readonly factor: number;
  /** [capacity, classes] f32 */
  readonly logits: number;
  /** The loss's gradient; without training, what a kernel makes of the logits. */
  readonly dlogits: number;
  /** [capacity]: f64, f32, i32, f64 */
  readonly losses: number;
  readonly rounded: number;
  readonly targets: number;
  readonly scales: number;
  readonly one: number;
  readonly zeros: number;
  readonly transposed: number;
  readonly activations: number;
  readonly deltas: number;
};

/** Rows whose gradient is one f32 sum, at most. */
const PIECE_ROWS = 192;
/** Pieces that so many rows in up to 16 parts have, at most. */
const piecesOf = (rows: number): number => Math.ceil(rows / PIECE_ROWS) + 16;

/** A range of the parameters, and what its gradient is made of: addresses and sizes as the kernels take them. */
export interface GradientRange {
  readonly dw: number;
  readonly sums: number;
  readonly g: number;
  readonly x: number;
  readonly inputs: number;
  readonly panels: number;
  readonly gStride: number;
  readonly xStride: number;
  readonly cx: number;
  readonly cg: number;
}

/** Makes the calls one after another on this thread. */
export function call({ kernels }: Space, calls: Task): void {
  for (const [kernel, args] of calls) (kernels[kernel] as (...args: readonly number[]) => void)(...args);
}

/** Numbers that ranks add up beside the gradient, at most. */
export const MOST_SCORES = 64;

/** A network's parameters and activations for up to `capacity` rows, on a workspace that it has to itself. */
export class Network {
  readonly space: Space;
  readonly sizes: readonly LayerSize[];
  readonly classes: number;
  readonly plan: ReturnType<typeof parameterPlan>;
  readonly at: Areas;
  /** Of the inputs, then of every layer's output. */
  readonly #strides: number[];
  readonly #activations: number[];
  readonly #deltas: number[];
  /** Of every layer's transposed weights. */
  readonly #transposed: number[];
  /** Numbers of a slot of sizes. */
  readonly sizesWidth: number;
  /** Of the batch. */
  pieces = 0;

  /** @param slots  tasks by rows that a step has at most; 0 without training */
  constructor(space: Space, sizes: readonly LayerSize[], capacity: number, slots: number) {
    const { inputs } = sizes[0];
    const classes = sizes[sizes.length - 1].outputs;
    const plan = parameterPlan(sizes);
    const strides = [inputs, ...sizes.map((size) => panelsOf(size.outputs) * PANEL)].map(strideOf);
    const rowBytes = 4 * strides.reduce((sum, stride) => sum + stride, 0);
    const widest = PANEL * Math.max(...sizes.map((size) => panelsOf(size.inputs)));
    const transposed = sizes.map((size, l) => (l === 0 ? 0 : PANEL * panelsOf(size.inputs) * size.outputs));
    const trained = slots > 0 ? 1 : 0;
    const padded = (columns: number): number => panelsOf(columns) * PANEL;
    const inputSizes = sizes.reduce((sum, size) => sum + size.inputs, 0);
    const outputSizes = sizes.reduce((sum, size) => sum + padded(size.outputs), 0);
    this.sizesWidth = outputSizes + sizes.slice(1).reduce((sum, size) => sum + padded(size.inputs), 0);
    const bytes: Areas = {
      parameters: plan.length * 4,
      gradient: trained * plan.length * 4,
      sums: trained * (plan.length + MOST_SCORES) * 8,
      counts: trained * piecesOf(capacity) * 4,
      cx: trained * (inputSizes + 1) * 8,
      cg: trained * outputSizes * 8,
      sizes: slots * this.sizesWidth * 4,
      mean: trained * plan.length * 4,
      square: trained * plan.length * 4,
      squares: trained * Math.ceil(plan.length / NORM_BLOCK) * 8,
      raw: capacity * inputs * 4,
      center: inputs * 4,
      factor: inputs * 4,
      logits: capacity * classes * 4,
      dlogits: capacity * classes * 4,
      losses: capacity * 8,
      rounded: capacity * 4,
      targets: capacity * 4,
      scales: trained * capacity * 8,
      one: 4,
      zeros: trained * widest * 4,
      transposed: trained * transposed.reduce((sum, count) => sum + count, 0) * 4,
      activations: capacity * rowBytes,
      deltas: trained * capacity * rowBytes,
    };
    const addresses = space.layout(...Object.values(bytes));
    this.at = Object.fromEntries(Object.keys(bytes).map((name, n) => [name, addresses[n]])) as Areas;
    this.space = space;
    this.sizes = sizes;
    this.classes = classes;
    this.plan = plan;
    this.#strides = strides;
    const spread = (from: number): number[] => {
      let end = from;
      return strides.map((stride) => {
        end += capacity * stride * 4;
        return end - capacity * stride * 4;
      });
    };
    let end = this.at.transposed;
    this.#transposed = transposed.map((count) => {
      end += count * 4;
      return end - count * 4;
    });
    this.#activations = spread(this.at.activations);
    this.#deltas = spread(this.at.deltas);
    const clear = (address: number, count: number): void => {
      space.f32.fill(0, address / 4, address / 4 + trained * count);
    };
    clear(this.at.mean, plan.length);
    clear(this.at.square, plan.length);
    clear(this.at.zeros, widest);
    space.f32[this.at.one / 4] = 1;
    if (trained > 0) space.f64[this.at.cx / 8 + inputSizes] = 2; // above 1
  }

  /** Flat parameters, as `pack` makes them, and the scaling of the inputs. */
  load(flat: Float32Array, center: Float32Array, factor: Float32Array): void {
    this.space.f32.set(flat, this.at.parameters / 4);
    this.space.f32.set(center, this.at.center / 4);
    this.space.f32.set(factor, this.at.factor / 4);
  }

  /** A copy of the flat parameters. */
  save(): Float32Array<ArrayBuffer> {
    const from = this.at.parameters / 4;
    return this.space.f32.slice(from, from + this.plan.length);
  }

  /** Multiplications of a pass over these rows, one way. */
  work(rows: number): number {
    return rows * this.sizes.reduce((sum, { inputs, outputs }) => sum + inputs * panelsOf(outputs) * PANEL, 0);
  }

  /** From the rows at `raw` to the logits. */
  forward(rows: number): void {
    call(this.space, this.forwardCalls(0, rows));
  }

  // What rows need does not depend on other rows, and a panel's gradient not on other panels: a pass may be cut anywhere.

  /** From the rows `first` to before `end` at `raw` to their logits. */
  forwardCalls(first: number, end: number): Task {
    const { parameters, raw, center, factor, logits } = this.at;
    const strides = this.#strides;
    const x = this.#activations.map((area, l) => area + first * strides[l] * 4);
    const rows = end - first;
    const { inputs: features } = this.sizes[0];
    const from = raw + first * features * 4;
    const calls: Call[] = [["scale_rows_f32", [x[0], from, center, factor, rows, features, strides[0]]]];
    const last = this.sizes.length - 1;
    this.sizes.forEach(({ inputs, outputs }, l) => {
      const w = parameters + this.plan.weights[l] * 4;
      const bias = parameters + this.plan.biases[l] * 4;
      const panels = panelsOf(outputs);
      calls.push(["linear_f32", [x[l + 1], x[l], w, bias, rows, inputs, panels, strides[l], strides[l + 1]]]);
      if (l < last) calls.push(["relu_f32", [x[l + 1], x[l + 1], rows * strides[l + 1]]]);
    });
    const to = logits + first * this.classes * 4;
    calls.push(["move_rows_f32", [to, x[last + 1], rows, this.classes, this.classes, strides[last + 1]]]);
    return calls;
  }

  /** Losses of the rows, and with `withGrad` dlogits, scaled by `scales`. */
  lossCalls(first: number, end: number, withGrad: boolean): Task {
    const { losses, rounded, dlogits, logits, targets, scales } = this.at;
    const rows = end - first;
    const [to, round, y] = [losses + first * 8, rounded + first * 4, targets + first * 4];
    const x = logits + first * this.classes * 4;
    const dx = dlogits + first * this.classes * 4;
    if (!withGrad) return [["cross_entropy_f32", [to, round, x, y, rows, this.classes]]];
    return [["cross_entropy_with_grad_f32", [to, round, dx, x, y, scales + first * 8, rows, this.classes]]];
  }

  /** dlogits become the last layer's deltas. */
  deltaCalls(first: number, end: number): Task {
    const last = this.sizes.length;
    const stride = this.#strides[last];
    const to = this.#deltas[last] + first * stride * 4;
    const from = this.at.dlogits + first * this.classes * 4;
    return [["move_rows_f32", [to, from, end - first, this.classes, stride, this.classes]]];
  }

  transposeCalls(l: number): Task {
    const { inputs, outputs } = this.sizes[l];
    const w = this.at.parameters + this.plan.weights[l] * 4;
    return [["transpose_panels_f32", [this.#transposed[l], w, inputs, outputs]]];
  }

  /** From the last layer's deltas to those of all layers before. */
  backwardCalls(first: number, end: number): Task {
    const strides = this.#strides;
    const rows = end - first;
    const at = (areas: readonly number[], l: number): number => areas[l] + first * strides[l] * 4;
    const calls: Call[] = [];
    for (let l = this.sizes.length - 1; l > 0; l--) {
      const { inputs, outputs } = this.sizes[l];
      const [dx, g, x] = [at(this.#deltas, l), at(this.#deltas, l + 1), at(this.#activations, l)];
      const wide = panelsOf(inputs);
      const w = this.#transposed[l];
      calls.push(["linear_f32", [dx, g, w, this.at.zeros, rows, outputs, wide, strides[l + 1], strides[l]]]);
      calls.push(["relu_backward_f32", [dx, dx, x, rows * strides[l]]]);
    }
    return calls;
  }

  /** Rows of the batch here, by parts: one after the other from the first. */
  setParts(parts: readonly number[]): void {
    const { i32 } = this.space;
    this.pieces = 0;
    for (const rows of parts) {
      for (let left = rows; left > 0; left -= PIECE_ROWS) {
        i32[this.at.counts / 4 + this.pieces++] = Math.min(PIECE_ROWS, left);
      }
    }
  }

  /** The largest sizes of the rows' hidden activations and deltas, column by column. */
  sizeCalls(slot: number, first: number, end: number): Task {
    const strides = this.#strides;
    let to = this.at.sizes + slot * this.sizesWidth * 4;
    const one = (areas: readonly number[], l: number, columns: number): Call => {
      const width = panelsOf(columns) * PANEL;
      to += width * 4;
      return ["column_sizes_f32", [to - width * 4, areas[l] + first * strides[l] * 4, end - first, width, strides[l]]];
    };
    return [
      ...this.sizes.slice(1).map(({ inputs }, l) => one(this.#activations, l + 1, inputs)),
      ...this.sizes.map(({ outputs }, l) => one(this.#deltas, l + 1, outputs)),
    ];
  }

  /** The gradient of a layer's weights: panels `first` to before `end`, or of one panel the inputs `from` to before `to`. */
  weights(l: number, first: number, end: number, from = 0, to = this.sizes[l].inputs): GradientRange {
    const { inputs } = this.sizes[l];
    const start = this.plan.weights[l] + (first * inputs + from) * PANEL;
    const x = this.#activations[l] + from * 4;
    const cx = this.at.cx + (this.#before(l, (size) => size.inputs) + from) * 8;
    return this.#range(l, start, first, end, { x, xStride: this.#strides[l], inputs: to - from, cx });
  }

  /** The gradient of a layer's biases of panels `first` to before `end`. */
  biases(l: number, first = 0, end = panelsOf(this.sizes[l].outputs)): GradientRange {
    const start = this.plan.biases[l] + first * PANEL;
    const cx = this.at.cx + this.#before(this.sizes.length, (size) => size.inputs) * 8;
    return this.#range(l, start, first, end, { x: this.at.one, xStride: 0, inputs: 1, cx });
  }

  #before(l: number, count: (size: LayerSize) => number): number {
    return this.sizes.slice(0, l).reduce((sum, size) => sum + count(size), 0);
  }

  #range(
    l: number,
    start: number,
    first: number,
    end: number,
    from: Pick<GradientRange, "x" | "xStride" | "inputs" | "cx">,
  ): GradientRange {
    const columns = this.#before(l, ({ outputs }) => panelsOf(outputs) * PANEL) + first * PANEL;
    return {
      ...from,
      dw: this.at.gradient + start * 4,
      sums: this.at.sums + start * 8,
      g: this.#deltas[l + 1] + first * PANEL * 4,
      gStride: this.#strides[l + 1],
      panels: end - first,
      cg: this.at.cg + columns * 8,
    };
  }

  gradientCall({ dw, sums, g, x, inputs, panels, gStride, xStride, cx, cg }: GradientRange): Call {
    const { counts } = this.at;
    return ["gradient_f32", [dw, sums, g, x, counts, this.pieces, inputs, panels, gStride, xStride, cx, cg]];
  }

  /** The gradient of the rows here, as integers that can be added to those of others. */
  sumsCall({ sums, g, x, inputs, panels, gStride, xStride, cx, cg }: GradientRange): Call {
    const { counts } = this.at;
    return ["gradient_sums_f32", [sums, g, x, counts, this.pieces, inputs, panels, gStride, xStride, cx, cg]];
  }

  /** The gradient of all rows from the sums. */
  roundCall({ dw, sums, inputs, panels, cx, cg }: GradientRange): Call {
    return ["gradient_of_sums_f32", [dw, sums, inputs, panels, cx, cg]];
  }
}
