import { CORE_KERNELS } from "./kernels/corebytes.ts";
import type { Kernels } from "./kernels.ts";

/** Buffer is many times faster, where there is one. */
export function decode(hex: string): Uint8Array<ArrayBuffer> {
  const { Buffer } = globalThis as { Buffer?: { from(text: string, encoding: "hex"): Uint8Array<ArrayBuffer> } };
  if (Buffer) return Buffer.from(hex, "hex");
  return Uint8Array.from({ length: hex.length / 2 }, (_, k) => Number.parseInt(hex.slice(2 * k, 2 * k + 2), 16));
}

const PAGE = 65536;
const ALIGNMENT = 64; // a cache line

/** The whole of a WebAssembly memory. */
export interface Memory {
  readonly f32: Float32Array;
  readonly f64: Float64Array;
  readonly i32: Int32Array;
  readonly u8: Uint8Array;
}

/** What every module exports besides (frame.as.ts). */
interface Frame {
  /** @internal as in declarations it would ask for a caller's DOM types */
  memory: WebAssembly.Memory;
  /** @internal */
  heap: WebAssembly.Global<"i32">;
  /** What use_scratch wants. @internal */
  scratch_bytes: WebAssembly.Global<"i32">;
  use_scratch(address: number): void;
}

/** Kernels on a memory. */
export class Space implements Memory {
  readonly kernels: Kernels & Frame;
  /** Replaced when the memory grows, so read them after `layout`. */
  f32!: Float32Array;
  f64!: Float64Array;
  i32!: Int32Array;
  u8!: Uint8Array;
  readonly #memory: WebAssembly.Memory;
  readonly #start: number;

  /** Without a memory of the caller's, the module has its own; `reserved` bytes at its start are left alone. @internal */
  constructor(module: WebAssembly.Module, memory?: WebAssembly.Memory, reserved = 0) {
    const instance = new WebAssembly.Instance(module, memory && { env: { memory } });
    this.kernels = instance.exports as unknown as Kernels & Frame;
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
    this.u8 = new Uint8Array(buffer);
  }
}

/** Kernels that are loaded together: compiled when the first operation asks for them. */
export class Family {
  readonly #hex: string;
  #module: WebAssembly.Module | undefined;
  #space: Space | undefined;

  constructor(hex: string) {
    this.#hex = hex;
  }

  /** An instance with a memory of its own. */
  create(): Space {
    this.#module ??= new WebAssembly.Module(decode(this.#hex));
    return new Space(this.#module);
  }

  /** The instance that the plain operations share: they are synchronous, so one call is over before the next lays out. */
  space(): Space {
    this.#space ??= this.create();
    return this.#space;
  }
}

// pure, so that bundles of pool's worker leave it out
export const core: Family = /* @__PURE__ */ new Family(CORE_KERNELS);
