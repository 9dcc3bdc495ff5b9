import type { Area, Job, KernelCall, Prepared } from "./job.ts";
import type { Memory, Space } from "./wasm.ts";

/** Tiles of this size stay in the second-level cache from copy to copy. */
const TILE_BYTES = 65536;
/** What is copied out at once: with 2 MB instead of 1 MB, 65,536 × 100 takes 7 to 9 % less; 4 MB does no better (measured). */
export const OUT_BYTES = 1 << 21;

const SIZES = { f64: 8, f32: 4, i32: 4, u8: 1 } as const;
const sizeOf = ({ type }: Area): number => SIZES[type];

export const rowBytes = (area: Area): number => area.width * sizeOf(area);

/** Whole rows of a tile, at least one. */
export function tileRows({ areas, rows }: Job): number {
  let largest = 1;
  for (const area of areas) largest = Math.max(largest, rowBytes(area));
  return Math.max(1, Math.min(rows, Math.floor(TILE_BYTES / largest)));
}

/** Whether an area's rows are copied from an array. Asking for `eachRow` first would cost more than a short row. */
const isSource = (from: Area["from"]): from is Exclude<Area["from"], number | undefined | { eachRow: unknown }> =>
  ArrayBuffer.isView(from) || Array.isArray(from);

/** Copies rows into an area, class by class. */
export function copyIn(memory: Memory, address: number, area: Area, first: number, count: number): void {
  const { width, inner, from: data } = area;
  if (!isSource(data)) return;
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

/** An area whose rows are all alike: `rows` of them. */
export function fillConstant(memory: Memory, address: number, area: Area, rows: number): void {
  const { from, width } = area;
  const start = address / sizeOf(area);
  const target = memory[area.type];
  if (typeof from === "number") target.fill(from, start, start + rows * width);
  else if (from !== undefined && !isSource(from)) {
    for (let i = 0; i < rows; i++) target.set(from.eachRow as ArrayLike<number>, start + i * width);
  }
}

/** Calls a kernel on `count` rows of areas at these addresses. */
function callKernel(
  { kernels }: Space,
  { kernel, areas, numbers }: KernelCall,
  at: readonly number[],
  count: number,
  classes: number,
): void {
  const call = kernels[kernel];
  // a spread costs as much as a short row
  if (numbers !== undefined) call(...areas.map((n) => at[n]), ...numbers, count, classes);
  else if (areas.length === 2) call(at[areas[0]], at[areas[1]], count, classes);
  else if (areas.length === 3) call(at[areas[0]], at[areas[1]], at[areas[2]], count, classes);
  else if (areas.length === 4) call(at[areas[0]], at[areas[1]], at[areas[2]], at[areas[3]], count, classes);
  else call(...areas.map((n) => at[n]), count, classes);
}

/** All calls of a job on a tile. */
export function callKernels(space: Space, { calls, classes }: Job, at: readonly number[], count: number): void {
  for (let n = 0; n < calls.length; n++) callKernel(space, calls[n], at, count, classes);
}

/** Runs a job on the calling thread. */
export function runNow<R>({ family, job, finish }: Prepared<R>, space: Space = family.space() as Space): R {
  const { areas, rows } = job;
  const size = tileRows(job);
  // rows whose results are collected before they are copied out
  const batch = Math.min(rows, size * Math.max(1, Math.floor(OUT_BYTES / TILE_BYTES)));
  const bytes = areas.map(rowBytes);
  const addresses = space.layout(...areas.map(({ to }, n) => bytes[n] * (to === undefined ? size : batch)));
  for (let n = 0; n < areas.length; n++) fillConstant(space, addresses[n], areas[n], size);
  const at = addresses.slice();
  for (let first = 0; first < rows; first += batch) {
    const end = Math.min(rows, first + batch);
    for (let row = first; row < end; row += size) {
      const count = Math.min(size, end - row);
      for (let n = 0; n < areas.length; n++) {
        at[n] = addresses[n] + (areas[n].to === undefined ? 0 : (row - first) * bytes[n]);
        copyIn(space, at[n], areas[n], row, count);
      }
      callKernels(space, job, at, count);
    }
    for (let n = 0; n < areas.length; n++) copyOut(space, addresses[n], areas[n], first, end - first);
  }
  return finish();
}
