// What this machine allows: vector operations a nanosecond, and copies of arrays.
import { fileURLToPath } from "node:url";
import { compileModule } from "../tools/dist/compile.js";
import { race, sampler } from "./clock.js";

const OPERATIONS = 24; // a step of ports.as.ts
const STEPS = 1_000_000;
const ELEMENTS = 4_096_000; // as in 4096 × 1000: 16 MB an array
const TILE = 16_384; // elements: 64 KB

/** The better of two measurements, before and after the rest of a run: a limit is what was possible at all. */
export function better(a, b) {
  return {
    operations: Math.max(a.operations, b.operations),
    copy: a.copy.min < b.copy.min ? a.copy : b.copy,
    tiles: a.tiles.min < b.tiles.min ? a.tiles : b.tiles,
  };
}

/**
 * @returns vector operations a nanosecond, and nanoseconds an element to copy an array into another and by tiles of 64 KB
 * into a WebAssembly memory and out of it again
 */
export async function limits() {
  const wasm = await compileModule(fileURLToPath(new URL(".", import.meta.url)), ["ports.as.ts"]);
  const { ports } = (await WebAssembly.instantiate(wasm)).instance.exports;
  const x = new Float32Array(ELEMENTS).fill(1);
  const out = new Float32Array(ELEMENTS);
  const memory = new Float32Array(new WebAssembly.Memory({ initial: 2 }).buffer);
  const times = await race({
    ports: sampler(() => ports(STEPS, 1, 0.5)),
    copy: sampler(() => {
      out.set(x);
      return out;
    }),
    tiles: sampler(() => {
      for (let k = 0; k < ELEMENTS; k += TILE) {
        memory.set(x.subarray(k, k + TILE));
        out.set(memory.subarray(0, Math.min(TILE, ELEMENTS - k)), k);
      }
      return out;
    }),
  });
  const perElement = ({ min, median }) => ({ min: (min * 1e9) / ELEMENTS, median: (median * 1e9) / ELEMENTS });
  return {
    operations: (STEPS * OPERATIONS) / (times.ports.min * 1e9),
    copy: perElement(times.copy),
    tiles: perElement(times.tiles),
  };
}
