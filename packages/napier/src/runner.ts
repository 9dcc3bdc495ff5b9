import type { Area, Job, Prepared } from "./job.ts";
import { type Memory, type Space, workspace } from "./wasm.ts";

/** Tiles of this size stay in the second-level cache from copy to copy. */
const TILE_BYTES = 65536;
/** What is copied out at once: with 2 MB instead of 1 MB, 65,536 × 100 takes 7 to 9 % less; 4 MB does no better (measured). */
export const OUT_BYTES = 1 << 21;

const sizeOf = ({ type }: Area): number => (type === "f64" ? 8 : 4);

export const rowBytes = (area: Area): number => area.width * sizeOf(area);

/** Whole rows of a tile, at least one. */
export function tileRows({ args, rows }: Job): number {
  let largest = 1;
  for (const area of args) largest = Math.max(largest, rowBytes(area));
  return Math.max(1, Math.min(rows, Math.floor(TILE_BYTES / largest)));
}

/** Copies rows into an area, class by class. */
export function copyIn(memory: Memory, address: number, area: Area, first: number, count: number): void {
  const { width, inner, from: data } = area;
  if (data === undefined || typeof data === "number") return;
  const target = memory[area.type];
  const start = address / sizeOf(area);
  if (inner === 1) {
    const from = first * width;
    const to = from + count * width;
    if (Array.isArray(data)) for (let k = from; k < to; k++) target[start + k - from] = data[k];
    else target.set((data as Float32Array).subarray(from, to), start);
    return;
  }
  for (let i = 0, k = start; i < count; i++) {
    const row = first + i;
    let from = Math.floor(row / inner) * width * inner + (row % inner);
    for (let j = 0; j < width; j++, k++, from += inner) target[k] = data[from];
  }
}

/** Copies rows out of an area. */
export function copyOut(memory: Memory, address: number, area: Area, first: number, count: number): void {
  const { width, inner, to: out } = area;
  if (out === undefined) return;
  const source = memory[area.type];
  const start = address / sizeOf(area);
  if (inner === 1) {
    const to = first * width;
    const length = count * width;
    if (Array.isArray(out)) for (let k = 0; k < length; k++) out[to + k] = source[start + k];
    else out.set(source.subarray(start, start + length), to);
    return;
  }
  for (let i = 0, k = start; i < count; i++) {
    const row = first + i;
    let to = Math.floor(row / inner) * width * inner + (row % inner);
    for (let j = 0; j < width; j++, k++, to += inner) out[to] = source[k];
  }
}

/** An area that holds one number, `rows` rows of it. */
export function fillConstant(memory: Memory, address: number, area: Area, rows: number): void {
  if (typeof area.from !== "number") return;
  const start = address / sizeOf(area);
  memory[area.type].fill(area.from, start, start + rows * area.width);
}

/** Where among the arguments each argument's area stands first. */
export const firstUse = (args: readonly Area[]): number[] => args.map((area) => args.indexOf(area));

export function callKernel({ kernels }: Space, { kernel, classes }: Job, at: readonly number[], count: number): void {
  const call = kernels[kernel] as (...args: number[]) => void;
  // a spread costs as much as a short row
  if (at.length === 2) call(at[0], at[1], count, classes);
  else if (at.length === 3) call(at[0], at[1], at[2], count, classes);
  else call(...at, count, classes);
}

/** Runs a job on the calling thread. */
export function runNow<R>({ job, finish }: Prepared<R>, space: Space = workspace()): R {
  const { args, rows } = job;
  const use = firstUse(args);
  const size = tileRows(job);
  // rows whose results are collected before they are copied out
  const batch = Math.min(rows, size * Math.max(1, Math.floor(OUT_BYTES / TILE_BYTES)));
  const bytes = args.map(rowBytes);
  const addresses = space.layout(
    ...args.map(({ to }, n) => (use[n] < n ? 0 : bytes[n] * (to === undefined ? size : batch))),
  );
  for (let n = 0; n < args.length; n++) fillConstant(space, addresses[n], args[n], size);
  const at = addresses.slice();
  for (let first = 0; first < rows; first += batch) {
    const end = Math.min(rows, first + batch);
    for (let row = first; row < end; row += size) {
      const count = Math.min(size, end - row);
      for (let n = 0; n < args.length; n++) {
        const collected = args[n].to === undefined ? 0 : (row - first) * bytes[n];
        at[n] = addresses[use[n]] + collected;
        if (use[n] === n) copyIn(space, at[n], args[n], row, count);
      }
      callKernel(space, job, at, count);
    }
    for (let n = 0; n < args.length; n++) if (use[n] === n) copyOut(space, addresses[n], args[n], first, end - first);
  }
  return finish();
}
