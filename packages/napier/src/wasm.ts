import { KERNELS_BASE64 } from "./kernels/bytes.ts";

type Kernel2 = (out: number, x: number, rows: number, classes: number) => void;
type Kernel3 = (out: number, a: number, b: number, rows: number, classes: number) => void;

/** The module's exports; addresses are in bytes. The kernels' sources say what each writes. */
export interface Kernels {
  memory: WebAssembly.Memory;
  heap: WebAssembly.Global<"i32">;
  exp_f64(x: number): number;
  log_f64(x: number): number;
  log_sum_exp_f32: Kernel2;
  log_sum_exp_f64: Kernel2;
  log_softmax_f32: Kernel2;
  log_softmax_f64: Kernel2;
  softmax_f32: Kernel2;
  softmax_f64: Kernel2;
  log_sum_exp_backward_f32: Kernel3;
  log_sum_exp_backward_f64: Kernel3;
  log_softmax_backward_f32: Kernel3;
  log_softmax_backward_f64: Kernel3;
  softmax_backward_f32: Kernel3;
  softmax_backward_f64: Kernel3;
  cross_entropy_f32(losses: number, rounded: number, x: number, y: number, rows: number, classes: number): void;
  cross_entropy_f64: Kernel3;
  cross_entropy_with_grad_f32(
    losses: number,
    rounded: number,
    dx: number,
    x: number,
    y: number,
    scales: number,
    rows: number,
    classes: number,
  ): void;
  cross_entropy_with_grad_f64(
    losses: number,
    dx: number,
    x: number,
    y: number,
    scales: number,
    rows: number,
    classes: number,
  ): void;
  linear_f32(
    out: number,
    x: number,
    w: number,
    bias: number,
    rows: number,
    inputs: number,
    panels: number,
    xStride: number,
    outStride: number,
  ): void;
  linear_backward_weight_f32(
    dw: number,
    g: number,
    x: number,
    rows: number,
    inputs: number,
    panels: number,
    gStride: number,
    xStride: number,
  ): void;
  transpose_panels_f32(wt: number, w: number, inputs: number, outputs: number): void;
  scale_rows_f32(
    out: number,
    x: number,
    center: number,
    factor: number,
    rows: number,
    features: number,
    stride: number,
  ): void;
  move_rows_f32(out: number, x: number, rows: number, columns: number, outStride: number, xStride: number): void;
  relu_f32(out: number, x: number, count: number): void;
  relu_backward_f32(dx: number, g: number, out: number, count: number): void;
  adamw_f32(
    w: number,
    mean: number,
    square: number,
    g: number,
    count: number,
    decay: number,
    beta1: number,
    beta2: number,
    rate: number,
    correction: number,
    epsilon: number,
  ): void;
}

let compiled: WebAssembly.Module | undefined;

/** Buffer is 60 times faster than atob, where there is one. */
function decode(base64: string): Uint8Array<ArrayBuffer> {
  const { Buffer } = globalThis as { Buffer?: { from(text: string, encoding: "base64"): Uint8Array<ArrayBuffer> } };
  return Buffer ? Buffer.from(base64, "base64") : Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

const PAGE = 65536;
const ALIGNMENT = 64; // a cache line

/** One instance of the kernels with a memory of its own. */
export class Workspace {
  readonly kernels: Kernels;
  /** The whole memory; replaced when it grows, so read them after `layout`. */
  f32!: Float32Array<ArrayBuffer>;
  f64!: Float64Array<ArrayBuffer>;
  i32!: Int32Array<ArrayBuffer>;

  constructor() {
    compiled ??= new WebAssembly.Module(decode(KERNELS_BASE64));
    this.kernels = new WebAssembly.Instance(compiled).exports as unknown as Kernels;
    this.#view();
  }

  /** Addresses of areas of these sizes in bytes, each on a cache line; areas laid out before are given up. */
  layout(...sizes: number[]): number[] {
    let end = this.kernels.heap.value;
    const addresses = sizes.map((bytes) => {
      const address = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      end = address + bytes;
      return address;
    });
    const missing = end - this.f32.byteLength;
    if (missing > 0) {
      try {
        this.kernels.memory.grow(Math.ceil(missing / PAGE));
      } catch {
        throw new RangeError(`the kernels need ${end} bytes of WebAssembly memory, more than this runtime gives`);
      }
      this.#view();
    }
    return addresses;
  }

  #view(): void {
    const buffer = this.kernels.memory.buffer as ArrayBuffer;
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i32 = new Int32Array(buffer);
  }
}

let shared: Workspace | undefined;

/** The instance that the plain operations share: they are synchronous, so one call is over before the next lays out. */
export function workspace(): Workspace {
  shared ??= new Workspace();
  return shared;
}

/** Rows of one f32 or f64 array: `outer × classes × inner`, a row for each (outer, inner). */
export interface Rows {
  readonly dtype: "f32" | "f64";
  readonly classes: number;
  readonly inner: number;
  readonly rows: number;
}

type Source = readonly number[] | Float32Array | Float64Array;
type Sink = number[] | Float32Array | Float64Array;

/** Tiles of this size stay in the second-level cache from copy to copy. */
const TILE_BYTES = 65536;

export interface Tile {
  readonly first: number;
  readonly count: number;
}

/** The tiles of whole rows, and the bytes of the largest. */
export function tiles({ dtype, classes, rows }: Rows): { bytes: number; count: number; tiles: Tile[] } {
  const rowBytes = Math.max(1, classes * (dtype === "f32" ? 4 : 8));
  const count = Math.min(rows, Math.max(1, Math.floor(TILE_BYTES / rowBytes)));
  const list: Tile[] = [];
  for (let first = 0; first < rows; first += count) list.push({ first, count: Math.min(count, rows - first) });
  return { bytes: rowBytes * count, count, tiles: list };
}

/** Copies the rows of a tile into the workspace, class by class. */
export function copyIn(space: Workspace, address: number, data: Source, rows: Rows, { first, count }: Tile): void {
  const { classes, inner, dtype } = rows;
  const memory = dtype === "f32" ? space.f32 : space.f64;
  const start = address / memory.BYTES_PER_ELEMENT;
  if (inner === 1) {
    const from = first * classes;
    const to = from + count * classes;
    if (Array.isArray(data)) for (let k = from; k < to; k++) memory[start + k - from] = data[k];
    else memory.set((data as Float32Array).subarray(from, to), start);
    return;
  }
  for (let i = 0, k = start; i < count; i++) {
    const row = first + i;
    let from = Math.floor(row / inner) * classes * inner + (row % inner);
    for (let j = 0; j < classes; j++, k++, from += inner) memory[k] = data[from];
  }
}

/** Copies the rows of a tile out of the workspace. */
export function copyOut(space: Workspace, address: number, out: Sink, rows: Rows, { first, count }: Tile): void {
  const { classes, inner, dtype } = rows;
  const memory = dtype === "f32" ? space.f32 : space.f64;
  const start = address / memory.BYTES_PER_ELEMENT;
  if (inner === 1) {
    const to = first * classes;
    const length = count * classes;
    if (Array.isArray(out)) for (let k = 0; k < length; k++) out[to + k] = memory[start + k];
    else out.set(memory.subarray(start, start + length), to);
    return;
  }
  for (let i = 0, k = start; i < count; i++) {
    const row = first + i;
    let to = Math.floor(row / inner) * classes * inner + (row % inner);
    for (let j = 0; j < classes; j++, k++, to += inner) out[to] = memory[k];
  }
}
