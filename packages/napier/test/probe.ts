import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { compileModule } from "../../../tools/compile.ts";

interface Probe {
  memory: WebAssembly.Memory;
  heap: { value: number };
  exp_near(out: number, x: number, count: number): void;
  exp_far(out: number, x: number, count: number): void;
  exp_any(out: number, x: number, count: number): void;
  exp_promoted(out: number, x: number, count: number): void;
  exp_shifted(x: number, m: number): number;
  log1p(s: number): number;
  log(x: number): number;
  expm1(out: number, x: number, count: number): void;
  log1p_any(out: number, x: number, count: number): void;
  tanh(out: number, x: number, count: number): void;
  sech2(out: number, x: number, count: number): void;
  sigmoid(out: number, x: number, count: number): void;
}

const FOLDER = fileURLToPath(new URL("../src/kernels/", import.meta.url));

/** The functions that the kernels inline, compiled for the test, and room for `count` numbers in and out. */
export async function probe(count: number) {
  const { instance } = await WebAssembly.instantiate(await compileModule(FOLDER, ["probe.as.ts"]));
  const kernels = instance.exports as unknown as Probe;
  const x = Math.ceil(kernels.heap.value / 64) * 64;
  const out = x + 8 * count;
  const reference = out + 8 * count;
  kernels.memory.grow(Math.ceil((reference + 8 * count) / 65536));
  const view = <T>(type: new (buffer: ArrayBufferLike, offset: number, length: number) => T, at: number): T =>
    new type(kernels.memory.buffer, at, count);
  return { kernels, x, out, reference, view };
}

/** The error that a kernel's header states: "exp_near: at most 0.99 ulp, at −1.25" gives { bound: 0.99, at: −1.25 }. */
export function stated(name: string): { bound: number; at: number } {
  const header = ["exp", "log1p", "elementary"].map((file) => readFileSync(`${FOLDER}${file}.as.ts`, "utf8")).join("");
  const [, bound, at] = new RegExp(`${name}: at most ([\\d.]+) (?:ulp|units), at ([-−\\d.e]+)`).exec(header) ?? [];
  if (bound === undefined) throw new Error(`no header states the error of ${name}`);
  return { bound: Number(bound), at: Number(at.replace("−", "-")) };
}

const bits = new DataView(new ArrayBuffer(8));

/** The f32 of these bits. */
export function float32(pattern: number): number {
  bits.setUint32(0, pattern);
  return bits.getFloat32(0);
}

/** The f32 `steps` away from x, downwards in magnitude for negative steps. */
export function beside(x: number, steps: number): number {
  bits.setFloat32(0, x);
  return float32(bits.getUint32(0) + steps);
}

/** The unit of the last place of the f32 nearest to a positive f64 number. */
export function ulp32(truth: number): number {
  bits.setFloat64(0, truth);
  const exponent = Math.max(((bits.getUint32(0) >>> 20) & 0x7ff) - 1023, -126);
  return 2 ** (exponent - 23);
}
