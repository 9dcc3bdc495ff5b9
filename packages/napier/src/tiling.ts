import type { Crew } from "./crew.ts";
import type { Area, Prepared } from "./job.ts";
import { copyIn, copyOut, fillConstant, OUT_BYTES, rowBytes, runNow, tileRows } from "./runner.ts";
import { isShared } from "./tensor.ts";
import { isOwn, type Plan, RING, TILE } from "./thread.ts";

/**
 * Tiles that wait for each worker: filled up to HIGH where fewer than LOW are left. Few wakes: on a busy machine each one
 * can cost the caller its core for as long as the worker has work.
 */
const LOW = 4;
const HIGH = 12;
/** Bytes of all slots, where HIGH for each worker does not need less and 2 not more. */
const SLOT_BYTES = 1 << 24;

const line = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Runs a job on the threads of the crew, which the call has to itself. */
export async function runTiles<R>(crew: Crew, prepared: Prepared<R>): Promise<R> {
  const { job, finish } = prepared;
  const { areas, rows } = job;
  const size = tileRows(job);
  const tiles = Math.ceil(rows / size);
  if (tiles < 2) return runNow(prepared);
  const workers = crew.threads - 1;
  const bytes = areas.map((area) => size * rowBytes(area));
  const all = bytes.reduce((sum, b) => sum + b, 1);
  const slots = Math.min(
    tiles,
    RING,
    Math.max(2 * workers, Math.min(2 * HIGH * workers, Math.floor(SLOT_BYTES / all))),
  );
  // one slot more for tiles that the caller does itself
  const strides = areas.map((area, n) => (isOwn(area) ? line(bytes[n]) + 64 : bytes[n]));
  const places = (area: Area): number => (isOwn(area) ? crew.threads : slots + 1);
  const sizes = areas.map((area, n) => strides[n] * places(area));
  const { id, space, addresses } = crew.room(sizes);
  areas.forEach((area, n) => {
    for (let place = 0; place < places(area); place++)
      fillConstant(space, addresses[n] + place * strides[n], area, size);
  });
  const plan: Plan = { id, job, size, addresses, strides };
  crew.thread.plan = plan;
  crew.sendPlan(forWorkers(plan), areas.some(isOwnData));

  const slotted = areas.map((area, n) => ({ area, n })).filter(({ area }) => !isOwn(area));
  const copyTileIn = (tile: number, slot: number): void => {
    const count = Math.min(size, rows - tile * size);
    for (const { area, n } of slotted) copyIn(space, addresses[n] + slot * strides[n], area, tile * size, count);
  };
  /** Tiles whose slots follow each other. */
  const copyTilesOut = (tile: number, end: number, slot: number): void => {
    const count = Math.min(rows, end * size) - tile * size;
    for (const { area, n } of slotted) copyOut(space, addresses[n] + slot * strides[n], area, tile * size, count);
  };

  const first = crew.published;
  const collect = Math.max(1, Math.min(Math.floor(slots / 4), Math.floor(OUT_BYTES / Math.max(...bytes))));
  const handed = new Float64Array(slots); // the tile in each slot
  let next = 0; // tile
  let filled = 0; // tiles handed out, in the order of their slots
  let done = 0; // of them, all before this one
  let emptied = 0;
  const isDone = (): boolean => crew.thread.isDone((first + done) | 0);
  const fill = (): void => {
    const begins = filled === 0; // they sleep, and can wake while the rest is copied
    const end = Math.min(tiles, next + slots - (filled - emptied), next + (HIGH - LOW) * workers);
    for (; next < end; next++, filled++) {
      const slot = filled % slots;
      copyTileIn(next, slot);
      handed[slot] = next;
      crew.put(TILE, id, next, slot);
      crew.publish();
      if (begins && filled === 0) crew.rouse();
    }
    crew.rouse();
  };
  const empty = (): void => {
    const slot = emptied % slots;
    const tile = handed[slot];
    let count = 1;
    while (emptied + count < done && slot + count < slots && handed[slot + count] === tile + count) count++;
    copyTilesOut(tile, tile + count, slot);
    emptied += count;
  };
  while (next < tiles || emptied < filled) {
    const pending = crew.turn();
    if (pending) await pending;
    while (done < filled && isDone()) done++;
    if (next < tiles && filled - emptied < slots && crew.thread.open() < LOW * workers) fill();
    else if (done - emptied >= collect) empty();
    else if (next < tiles) {
      copyTileIn(next, slots);
      crew.thread.tile(space, next, slots);
      copyTilesOut(next, ++next, slots);
    } else if (!crew.help()) {
      if (done > emptied) empty();
      else if (!crew.spin(isDone)) await crew.wait(isDone);
    }
  }
  crew.thread.plan = null;
  crew.forgetPlan();
  return finish();
}

const isOwnData = ({ from, to }: Area): boolean => isShared(from) || isShared(to);

/** What is not shared stays here: a worker has an empty array in its place. */
function forWorkers({ job, ...plan }: Plan): Plan {
  const seen = (area: Area): Area => (isOwn(area) ? area : { ...area, from: area.from && [], to: area.to && [] });
  return { ...plan, job: { ...job, areas: job.areas.map(seen) } };
}
