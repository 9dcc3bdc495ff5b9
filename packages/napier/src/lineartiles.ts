import { copyRowsIn, copyRowsOut, type Matrix } from "./linearmatrix.ts";
import type { Plan } from "./linearplan.ts";
import type { Dtype, Writable } from "./tensor.ts";
import type { Space } from "./wasm.ts";

/** x·Wᵀ + b, and where the gradients go. */
export interface LinearLayer {
  readonly dtype: Dtype;
  readonly features: number;
  readonly classes: number;
  readonly x: Matrix;
  readonly weight: Matrix;
  /** one row */
  readonly bias: Matrix | undefined;
  readonly dx: Writable | undefined;
  readonly dweight: Writable | undefined;
  readonly dbias: Writable | undefined;
}

const up = (count: number, step: number): number => Math.ceil(count / step) * step;

/** The areas of a tile, in bytes; linearplan.ts reckons with them. */
function sizes({ dtype, features, dweight }: LinearLayer, plan: Plan, rows: number, isBackward: boolean) {
  const size = dtype === "f32" ? 4 : 8;
  const { classes } = plan;
  const packed = up(Math.max(1, Math.min(features, plan.strip)), 8) * size;
  const [rowsPacked, classesPacked, tile] = [rows * packed, classes * packed, rows * classes * size];
  return {
    x: rowsPacked,
    xAcross: isBackward ? rowsPacked : 0,
    staged: rowsPacked,
    weight: classesPacked,
    weightAcross: isBackward ? classesPacked : 0,
    logits: tile,
    gradient: isBackward ? tile : 0,
    gradientAcross: isBackward ? tile : 0,
    sums: !isBackward || dweight === undefined ? 0 : 8 * classes * up(Math.min(features, plan.group), 8),
    biasSums: 8 * classes,
    bias: size * classes,
    one: packed,
    bad: Math.max(rows, classes),
    records: 256 * rows,
    targets: 4 * rows,
    scales: 8 * rows,
    losses: 8 * rows,
    rounded: 4 * rows,
    mask: rows * classes,
    classWeights: 8 * classes,
    room: 40 * (classes + 2),
  };
}

type Addresses = Readonly<Record<keyof ReturnType<typeof sizes>, number>>;

/** A tile of the product: some rows and some classes, and what its gradient adds to those of x, W and b. */
export class Tiles {
  readonly space: Space;
  readonly layer: LinearLayer;
  readonly plan: Plan;
  readonly at: Addresses;
  /** the places of its rows */
  readonly rows: Int32Array;
  count = 0;
  /** its classes */
  first = 0;
  classes = 0;
  readonly #strips: number;
  /** the strips that are packed, or −1 */
  #xStrip = -1;
  #weightStrip = -1;
  #acrossStrip = -1;
  /** classes of the strip that is packed for dx whose weights are not all finite: cleared there, and added one by one */
  #badClasses: number[] = [];

  constructor(space: Space, layer: LinearLayer, plan: Plan, rows: number, isBackward: boolean) {
    this.space = space;
    this.layer = layer;
    this.plan = plan;
    this.rows = new Int32Array(Math.min(plan.rows, up(Math.max(rows, 1), 4)));
    const bytes = sizes(layer, plan, this.rows.length, isBackward);
    const addresses = space.layout(...Object.values(bytes));
    this.at = Object.fromEntries(Object.keys(bytes).map((name, n) => [name, addresses[n]])) as Addresses;
    this.#strips = Math.max(1, Math.ceil(layer.features / plan.strip));
  }

  get size(): number {
    return this.layer.dtype === "f32" ? 4 : 8;
  }

  useRows(rows: Int32Array, from: number, count: number): void {
    for (let n = 0; n < count; n++) this.rows[n] = rows[from + n];
    this.count = count;
    this.#xStrip = -1;
  }

  useClasses(first: number): void {
    const { layer, plan, space, at } = this;
    this.first = first;
    this.classes = Math.min(plan.classes, layer.classes - first);
    this.#weightStrip = -1;
    this.#acrossStrip = -1;
    space.f64.fill(0, at.biasSums / 8, at.biasSums / 8 + this.classes);
    if (layer.bias !== undefined) copyRowsIn(space, layer.dtype, at.bias, layer.bias, 0, 1, first, this.classes);
  }

  /** The first feature of a strip, and how many it has. */
  #strip(strip: number): [from: number, width: number] {
    const from = strip * this.plan.strip;
    return [from, Math.min(this.plan.strip, this.layer.features - from)];
  }

  #stageX(from: number, width: number): void {
    const { space, layer, at, rows, count } = this;
    copyRowsIn(space, layer.dtype, at.staged, layer.x, rows, count, from, width);
  }

  /** The tile's weights through the staging area, as many at once as fit: pack(how many rows are done, how many come). */
  #stageWeight(from: number, width: number, pack: (done: number, count: number) => void): void {
    const { space, layer, at, first, classes } = this;
    const most = Math.max(4, Math.floor((at.weight - at.staged) / this.size / Math.max(1, width)) & ~3);
    for (let done = 0; done < classes; done += most) {
      const count = Math.min(most, classes - done);
      copyRowsIn(space, layer.dtype, at.staged, layer.weight, first + done, count, from, width);
      pack(done, count);
    }
  }

  /** The logits of the tile, rows of `classes` numbers. */
  logits(): void {
    const { space, layer, at, count, classes } = this;
    const { kernels } = space;
    const { dtype, bias } = layer;
    if (bias !== undefined) kernels[`repeat_row_${dtype}`](at.logits, at.bias, up(count, 4), classes);
    for (let strip = 0; strip < this.#strips; strip++) {
      const [from, width] = this.#strip(strip);
      if (this.#weightStrip !== strip) {
        this.#stageWeight(from, width, (done, some) =>
          kernels[`pack_lanes_${dtype}`](at.weight, at.staged, done, some, width, 2),
        );
        this.#weightStrip = strip;
      }
      if (this.#xStrip !== strip) {
        this.#stageX(from, width);
        kernels[`pack_lanes_${dtype}`](at.x, at.staged, 0, count, width, 4);
        this.#xStrip = strip;
      }
      const adds = Number(strip > 0 || bias !== undefined);
      kernels[`dots_${dtype}`](at.logits, at.x, at.weight, count, classes, width, classes, adds);
    }
  }

  clearSums(): void {
    const { space, at } = this;
    space.f64.fill(0, at.sums / 8, at.biasSums / 8);
  }

  /** What the tile's gradient, rows of `classes` numbers, adds to the gradients of x and W, for the features of a group. */
  backward(group: number): void {
    const { space, layer, plan, at, count, classes } = this;
    const { dtype } = layer;
    const { kernels } = space;
    kernels[`pack_lanes_${dtype}`](at.logits, at.gradient, 0, count, classes, 4);
    kernels[`pack_panels_${dtype}`](at.gradientAcross, at.gradient, count, classes, 4 * this.size);
    if (group === 0) kernels[`column_sums_${dtype}`](at.biasSums, at.gradient, count, classes);
    const strips = plan.group / plan.strip;
    for (let strip = group * strips; strip < Math.min(this.#strips, (group + 1) * strips); strip++) {
      const [from, width] = this.#strip(strip);
      if (layer.dx !== undefined) this.#addToX(layer.dx, strip, from, width);
      if (layer.dweight !== undefined) this.#addToWeight(this.#sumsOf(group, from), from, width);
    }
  }

  /** dx = or += g·W; what 0 times a weight that is not finite adds is left out. */
  #addToX(dx: Writable, strip: number, from: number, width: number): void {
    const { space, layer, at, rows, count, first, classes } = this;
    const { dtype, features } = layer;
    const { kernels } = space;
    if (this.#acrossStrip !== strip) {
      this.#badClasses = [];
      this.#stageWeight(from, width, (done, some) => {
        const bad = kernels[`clear_bad_rows_${dtype}`](at.bad, at.staged, some, width);
        for (let j = 0; bad > 0 && j < some; j++) if (space.u8[at.bad + j] === 1) this.#badClasses.push(done + j);
        kernels[`pack_columns_${dtype}`](at.weightAcross, at.staged, done, some, classes, width);
      });
      this.#acrossStrip = strip;
    }
    const isFirst = first === 0;
    if (!isFirst)
      copyRowsIn(space, dtype, at.staged, { data: dx, format: undefined, columns: features }, rows, count, from, width);
    kernels[`dots_${dtype}`](at.staged, at.logits, at.weightAcross, count, width, classes, width, Number(!isFirst));
    for (const j of this.#badClasses) {
      copyRowsIn(space, dtype, at.one, layer.weight, first + j, 1, from, width);
      kernels[`add_bad_row_${dtype}`](at.staged, at.gradient + j * this.size, at.one, count, width, classes);
    }
    if (first + classes === layer.classes) kernels[`canonical_${dtype}`](at.staged, count * width);
    copyRowsOut(space, dtype, at.staged, dx, features, rows, count, from, width);
  }

  /** Where the sums of a group stand from a feature on. */
  #sumsOf(group: number, from: number): number {
    return this.at.sums + 32 * Math.ceil(this.classes / 4) * (from - group * this.plan.group);
  }

  #addToWeight(sums: number, from: number, width: number): void {
    const { space, layer, at, rows, count, classes } = this;
    const { dtype } = layer;
    const { kernels } = space;
    this.#stageX(from, width);
    const bad = kernels[`clear_bad_rows_${dtype}`](at.bad, at.staged, count, width);
    kernels[`pack_panels_${dtype}`](at.xAcross, at.staged, count, width, 32);
    kernels[`outer_${dtype}`](sums, at.gradientAcross, at.xAcross, count, classes, width);
    for (let i = 0; bad > 0 && i < count; i++) {
      if (space.u8[at.bad + i] === 0) continue;
      copyRowsIn(space, dtype, at.one, layer.x, rows[i], 1, from, width);
      kernels[`add_bad_sums_${dtype}`](sums, at.gradient + i * classes * this.size, at.one, classes, width);
    }
  }

  /** Writes the gradient of the tile's weights, for the features of a group. */
  writeWeight(group: number): void {
    const { space, layer, plan, at, first, classes } = this;
    const { dtype, dweight, features } = layer;
    if (dweight === undefined) return;
    const strips = plan.group / plan.strip;
    this.#weightStrip = -1; // its place is taken
    for (let strip = group * strips; strip < Math.min(this.#strips, (group + 1) * strips); strip++) {
      const [from, width] = this.#strip(strip);
      space.kernels[`sums_rows_${dtype}`](at.weight, this.#sumsOf(group, from), classes, width);
      copyRowsOut(space, dtype, at.weight, dweight, features, first, classes, from, width);
    }
  }

  writeBias(): void {
    const { space, layer, at, first, classes } = this;
    const { dbias, dtype } = layer;
    if (dbias === undefined) return;
    const sums = at.biasSums / 8;
    for (let j = 0; j < classes; j++) {
      const sum = space.f64[sums + j];
      dbias[first + j] = Number.isNaN(sum) ? Number.NaN : (dtype === "f32" ? Math.fround(sum) : sum) + 0;
    }
  }
}
