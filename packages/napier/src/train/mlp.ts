import type { Workspace } from "../wasm.ts";
import { type LayerSize, PANEL, panelsOf, parameterPlan } from "./layers.ts";

/** Elements from row to row: an odd number of cache lines, so that a column does not fall on one set of the cache. */
function strideOf(columns: number): number {
  const lines = Math.ceil(columns / 16);
  return 16 * (lines + (lines % 2 === 0 ? 1 : 0));
}

/** A network's parameters and activations for up to `capacity` rows, on a workspace that it has to itself. */
export class Network {
  readonly space: Workspace;
  readonly sizes: readonly LayerSize[];
  readonly capacity: number;
  readonly classes: number;
  readonly plan: ReturnType<typeof parameterPlan>;
  /** Addresses in bytes; gradient, mean and square, laid out as the parameters, only for training. */
  readonly parameters: number;
  readonly gradient: number;
  readonly mean: number;
  readonly square: number;
  readonly raw: number;
  readonly logits: number;
  readonly dlogits: number;
  readonly losses: number;
  readonly targets: number;
  readonly scales: number;
  readonly #center: number;
  readonly #factor: number;
  readonly #one: number;
  readonly #zeros: number;
  readonly #transposed: number;
  readonly #activations: number[];
  readonly #deltas: number[];
  readonly #strides: number[];

  constructor(space: Workspace, sizes: readonly LayerSize[], capacity: number, training: boolean) {
    const { inputs } = sizes[0];
    const classes = sizes[sizes.length - 1].outputs;
    const plan = parameterPlan(sizes);
    const strides = [inputs, ...sizes.map((size) => panelsOf(size.outputs) * PANEL)].map(strideOf);
    const rows = strides.map((stride) => capacity * stride * 4);
    const state = training ? plan.length * 4 : 0;
    const widest = Math.max(...sizes.map((size) => panelsOf(size.inputs) * PANEL));
    const transposed = Math.max(0, ...sizes.slice(1).map((size) => panelsOf(size.inputs) * PANEL * size.outputs));
    const areas = space.layout(
      plan.length * 4,
      ...[state, state, state],
      ...[inputs * 4, inputs * 4, capacity * inputs * 4],
      ...[capacity * classes * 4, training ? capacity * classes * 4 : 0],
      ...[capacity * 8, capacity * 4, capacity * 8],
      ...[4, training ? widest * 4 : 0, training ? transposed * 4 : 0],
      ...rows,
      ...(training ? rows.slice(1) : []),
    );
    this.space = space;
    this.sizes = sizes;
    this.capacity = capacity;
    this.classes = classes;
    this.plan = plan;
    [this.parameters, this.gradient, this.mean, this.square] = areas;
    [this.#center, this.#factor, this.raw, this.logits, this.dlogits] = areas.slice(4);
    [this.losses, this.targets, this.scales, this.#one, this.#zeros, this.#transposed] = areas.slice(9);
    this.#activations = areas.slice(15, 15 + strides.length);
    this.#deltas = areas.slice(15 + strides.length);
    this.#strides = strides;
    space.f32[this.#one / 4] = 1;
    if (training) {
      space.f32.fill(0, this.gradient / 4, (this.square + state) / 4);
      space.f32.fill(0, this.#zeros / 4, this.#zeros / 4 + widest);
    }
  }

  /** Flat parameters, as `pack` makes them, and the scaling of the inputs. */
  load(flat: Float32Array, center: Float32Array, factor: Float32Array): void {
    this.space.f32.set(flat, this.parameters / 4);
    this.space.f32.set(center, this.#center / 4);
    this.space.f32.set(factor, this.#factor / 4);
  }

  /** A copy of the flat parameters. */
  save(): Float32Array<ArrayBuffer> {
    return this.space.f32.slice(this.parameters / 4, this.parameters / 4 + this.plan.length);
  }

  /** From the rows at `raw` [rows, features] to the logits [rows, classes]. */
  forward(rows: number): void {
    const { kernels } = this.space;
    const strides = this.#strides;
    const [input] = this.#activations;
    kernels.scale_rows_f32(input, this.raw, this.#center, this.#factor, rows, this.sizes[0].inputs, strides[0]);
    const last = this.sizes.length - 1;
    this.sizes.forEach(({ inputs, outputs }, l) => {
      const out = this.#activations[l + 1];
      const w = this.parameters + this.plan.weights[l] * 4;
      const bias = this.parameters + this.plan.biases[l] * 4;
      kernels.linear_f32(
        out,
        this.#activations[l],
        w,
        bias,
        rows,
        inputs,
        panelsOf(outputs),
        strides[l],
        strides[l + 1],
      );
      if (l < last) kernels.relu_f32(out, out, rows * strides[l + 1]);
    });
    kernels.move_rows_f32(
      this.logits,
      this.#activations[last + 1],
      rows,
      this.classes,
      this.classes,
      strides[last + 1],
    );
  }

  /** From dlogits [rows, classes] to the gradient of every parameter; after `forward` of the same rows. */
  backward(rows: number): void {
    const { kernels } = this.space;
    const strides = this.#strides;
    const last = this.sizes.length - 1;
    kernels.move_rows_f32(this.#deltas[last], this.dlogits, rows, this.classes, strides[last + 1], this.classes);
    for (let l = last; l >= 0; l--) {
      const { inputs, outputs } = this.sizes[l];
      const delta = this.#deltas[l];
      const panels = panelsOf(outputs);
      const dw = this.gradient + this.plan.weights[l] * 4;
      const db = this.gradient + this.plan.biases[l] * 4;
      kernels.linear_backward_weight_f32(
        dw,
        delta,
        this.#activations[l],
        rows,
        inputs,
        panels,
        strides[l + 1],
        strides[l],
      );
      kernels.linear_backward_weight_f32(db, delta, this.#one, rows, 1, panels, strides[l + 1], 0);
      if (l === 0) return;
      const below = this.#deltas[l - 1];
      const w = this.parameters + this.plan.weights[l] * 4;
      kernels.transpose_panels_f32(this.#transposed, w, inputs, outputs);
      const wide = panelsOf(inputs);
      kernels.linear_f32(below, delta, this.#transposed, this.#zeros, rows, outputs, wide, strides[l + 1], strides[l]);
      kernels.relu_backward_f32(below, below, this.#activations[l], rows * strides[l]);
    }
  }
}
