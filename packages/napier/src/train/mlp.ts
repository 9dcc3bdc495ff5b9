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

/** Makes the calls one after another on this thread. */
export function call({ kernels }: Space, calls: Task): void {
  for (const [kernel, args] of calls) (kernels[kernel] as (...args: readonly number[]) => void)(...args);
}

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

  constructor(space: Space, sizes: readonly LayerSize[], capacity: number, training: boolean) {
    const { inputs } = sizes[0];
    const classes = sizes[sizes.length - 1].outputs;
    const plan = parameterPlan(sizes);
    const strides = [inputs, ...sizes.map((size) => panelsOf(size.outputs) * PANEL)].map(strideOf);
    const rowBytes = 4 * strides.reduce((sum, stride) => sum + stride, 0);
    const widest = PANEL * Math.max(...sizes.map((size) => panelsOf(size.inputs)));
    const transposed = sizes.map((size, l) => (l === 0 ? 0 : PANEL * panelsOf(size.inputs) * size.outputs));
    const trained = training ? 1 : 0;
    const bytes: Areas = {
      parameters: plan.length * 4,
      gradient: trained * plan.length * 4,
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

  /** From dlogits to the gradient of every parameter; after `forward` of the same rows. */
  backward(rows: number): void {
    const last = this.sizes.length - 1;
    call(this.space, this.deltaCalls(0, rows));
    for (let l = last; l > 0; l--) call(this.space, this.transposeCalls(l));
    call(this.space, this.backwardCalls(0, rows));
    for (let l = last; l >= 0; l--) call(this.space, this.gradientCalls(l, rows, 0, panelsOf(this.sizes[l].outputs)));
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

  /** The gradients of a layer's panels `first` to before `end`, weights and biases. */
  gradientCalls(l: number, rows: number, first: number, end: number): Task {
    const { inputs } = this.sizes[l];
    const strides = this.#strides;
    const dw = this.at.gradient + (this.plan.weights[l] + first * PANEL * inputs) * 4;
    const g = this.#deltas[l + 1] + first * PANEL * 4;
    const panels = end - first;
    return [
      ["linear_backward_weight_f32", [dw, g, this.#activations[l], rows, inputs, panels, strides[l + 1], strides[l]]],
      this.biasCall(l, rows, first, end),
    ];
  }

  /** The gradients of a layer's biases, all or those of some panels. */
  biasCall(l: number, rows: number, first = 0, end = panelsOf(this.sizes[l].outputs)): Call {
    const db = this.at.gradient + (this.plan.biases[l] + first * PANEL) * 4;
    const g = this.#deltas[l + 1] + first * PANEL * 4;
    return ["linear_backward_weight_f32", [db, g, this.at.one, rows, 1, end - first, this.#strides[l + 1], 0]];
  }

  /** The gradient of a layer's weights of one panel, inputs `first` to before `end`. */
  columnCalls(l: number, rows: number, panel: number, first: number, end: number): Task {
    const strides = this.#strides;
    const dw = this.at.gradient + (this.plan.weights[l] + (panel * this.sizes[l].inputs + first) * PANEL) * 4;
    const g = this.#deltas[l + 1] + panel * PANEL * 4;
    const x = this.#activations[l] + first * 4;
    return [["linear_backward_weight_f32", [dw, g, x, rows, end - first, 1, strides[l + 1], strides[l]]]];
  }
}
