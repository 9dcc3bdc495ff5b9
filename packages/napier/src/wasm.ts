import { KERNELS_BASE64 } from "./kernels/bytes.ts";

type Kernel2 = (out: number, x: number, rows: number, classes: number) => void;
type Kernel3 = (out: number, a: number, b: number, rows: number, classes: number) => void;

/** The module's exports; addresses are in bytes. The kernels' sources say what each writes. */
export interface Kernels {
  memory: WebAssembly.Memory;
  heap: WebAssembly.Global<"i32">;
  /** What use_scratch wants. */
  scratch_bytes: WebAssembly.Global<"i32">;
  use_scratch(address: number): void;
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

/** Buffer is 60 times faster than atob, where there is one. */
export function decode(base64: string): Uint8Array<ArrayBuffer> {
  const { Buffer } = globalThis as { Buffer?: { from(text: string, encoding: "base64"): Uint8Array<ArrayBuffer> } };
  return Buffer ? Buffer.from(base64, "base64") : Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

const PAGE = 65536;
const ALIGNMENT = 64; // a cache line

/** The whole of a WebAssembly memory. */
export interface Memory {
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly i32: Int32Array;
}

/** Kernels on a memory. */
export class Space implements Memory {
  readonly kernels: Kernels;
  /** Replaced when the memory grows, so read them after `layout`. */
  f32!: Float32Array;
  f64!: Float64Array;
  i32!: Int32Array;
  readonly #memory: WebAssembly.Memory;
  readonly #start: number;

  /** Without a memory of the caller's, the module has its own; `reserved` bytes at its start are left alone. */
  constructor(module: WebAssembly.Module, memory?: WebAssembly.Memory, reserved = 0) {
    const instance = new WebAssembly.Instance(module, memory && { env: { memory } });
    this.kernels = instance.exports as unknown as Kernels;
    this.#memory = memory ?? this.kernels.memory;
    this.#start = this.kernels.heap.value + reserved;
    this.#view();
  }

  /** Addresses of areas of these sizes in bytes, each on a cache line; areas laid out before are given up. */
  layout(...sizes: number[]): number[] {
    const { addresses, end } = this.#place(sizes);
    const missing = end - this.f32.byteLength;
    if (missing > 0) {
      try {
        this.#memory.grow(Math.ceil(missing / PAGE));
      } catch {
        throw new RangeError(`the kernels need ${end} bytes of WebAssembly memory, more than this runtime gives`);
      }
      this.#view();
    }
    return addresses;
  }

  /** Whether there is room for areas of these sizes. */
  holds(sizes: number[]): boolean {
    return this.#place(sizes).end <= this.f32.byteLength;
  }

  #place(sizes: number[]): { addresses: number[]; end: number } {
    let end = this.#start;
    const addresses: number[] = [];
    for (const bytes of sizes) {
      const address = Math.ceil(end / ALIGNMENT) * ALIGNMENT;
      addresses.push(address);
      end = address + bytes;
    }
    return { addresses, end };
  }

  #view(): void {
    const { buffer } = this.#memory;
    this.f32 = new Float32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.i32 = new Int32Array(buffer);
  }
}

let compiled: WebAssembly.Module | undefined;

/** One instance of the kernels with a memory of its own. */
export class Workspace extends Space {
  constructor() {
    compiled ??= new WebAssembly.Module(decode(KERNELS_BASE64));
    super(compiled);
  }
}

let shared: Workspace | undefined;

/** The instance that the plain operations share: they are synchronous, so one call is over before the next lays out. */
export function workspace(): Workspace {
  shared ??= new Workspace();
  return shared;
}
