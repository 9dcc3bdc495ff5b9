import type { Workspace } from "../wasm.ts";
import { type LayerSize, PANEL, panelsOf, parameterPlan } from "./layers.ts";

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

/** A network's parameters and activations for up to `capacity` rows, on a workspace that it has to itself. */
export class Network {
  readonly space: Workspace;
  readonly sizes: readonly LayerSize[];
  readonly classes: number;
  readonly plan: ReturnType<typeof parameterPlan>;
  readonly at: Areas;
  /** Of the inputs, then of every layer's output. */
  readonly #strides: number[];
  readonly #activations: number[];
  readonly #deltas: number[];

  constructor(space: Workspace, sizes: readonly LayerSize[], capacity: number, training: boolean) {
    const { inputs } = sizes[0];
    const classes = sizes[sizes.length - 1].outputs;
    const plan = parameterPlan(sizes);
    const strides = [inputs, ...sizes.map((size) => panelsOf(size.outputs) * PANEL)].map(strideOf);
    const rowBytes = 4 * strides.reduce((sum, stride) => sum + stride, 0);
    const widest = PANEL * Math.max(...sizes.map((size) => panelsOf(size.inputs)));
    const transposed =
      PANEL * Math.max(...sizes.map((size, l) => (l === 0 ? 0 : panelsOf(size.inputs) * size.outputs)));
    const trained = training ? 1 : 0;
    const bytes: Areas = {
      parameters: plan.length * 4,
      gradient: trained * plan.length * 4,
      mean: trained * plan.length * 4,
      square: trained * plan.length * 4,
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
      transposed: trained * transposed * 4,
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

  /** From the rows at `raw` to the logits. */
  forward(rows: number): void {
    const { kernels } = this.space;
    const { parameters, raw, center, factor, logits } = this.at;
    const x = this.#activations;
    const strides = this.#strides;
    kernels.scale_rows_f32(x[0], raw, center, factor, rows, this.sizes[0].inputs, strides[0]);
    const last = this.sizes.length - 1;
    this.sizes.forEach(({ inputs, outputs }, l) => {
      const w = parameters + this.plan.weights[l] * 4;
      const bias = parameters + this.plan.biases[l] * 4;
      kernels.linear_f32(x[l + 1], x[l], w, bias, rows, inputs, panelsOf(outputs), strides[l], strides[l + 1]);
      if (l < last) kernels.relu_f32(x[l + 1], x[l + 1], rows * strides[l + 1]);
    });
    kernels.move_rows_f32(logits, x[last + 1], rows, this.classes, this.classes, strides[last + 1]);
  }

  /** From dlogits to the gradient of every parameter; after `forward` of the same rows. */
  backward(rows: number): void {
    const { kernels } = this.space;
    const { parameters, gradient, dlogits, one, zeros, transposed } = this.at;
    const x = this.#activations;
    const dx = this.#deltas;
    const strides = this.#strides;
    const end = this.sizes.length;
    kernels.move_rows_f32(dx[end], dlogits, rows, this.classes, strides[end], this.classes);
    for (let l = end - 1; l >= 0; l--) {
      const { inputs, outputs } = this.sizes[l];
      const panels = panelsOf(outputs);
      const dw = gradient + this.plan.weights[l] * 4;
      const db = gradient + this.plan.biases[l] * 4;
      kernels.linear_backward_weight_f32(dw, dx[l + 1], x[l], rows, inputs, panels, strides[l + 1], strides[l]);
      kernels.linear_backward_weight_f32(db, dx[l + 1], one, rows, 1, panels, strides[l + 1], 0);
      if (l === 0) return;
      const wide = panelsOf(inputs);
      kernels.transpose_panels_f32(transposed, parameters + this.plan.weights[l] * 4, inputs, outputs);
      kernels.linear_f32(dx[l], dx[l + 1], transposed, zeros, rows, outputs, wide, strides[l + 1], strides[l]);
      kernels.relu_backward_f32(dx[l], dx[l], x[l], rows * strides[l]);
    }
  }
}
