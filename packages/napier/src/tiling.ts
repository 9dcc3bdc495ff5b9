import type { Crew } from "./crew.ts";
import {
  type Area,
  copyIn,
  copyOut,
  fillConstant,
  firstUse,
  OUT_BYTES,
  type Prepared,
  rowBytes,
  runNow,
  tileRows,
} from "./job.ts";
import { isOwn, type Plan, RING, TILE } from "./thread.ts";
import type { Space } from "./wasm.ts";

/** Tiles that wait for a thread, for each thread: as many as it does while the caller copies out. */
const AHEAD = 4;
/** Bytes that the slots may take, where two for each thread do not need more. */
const SLOT_BYTES = 1 << 23;

const line = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Runs a job on the threads of the crew, which the call has to itself. */
export async function runTiles<R>(
  crew: Crew,
  { id, space }: { id: number; space: Space },
  prepared: Prepared<R>,
): Promise<R> {
  const { job, finish } = prepared;
  const { args, rows } = job;
  const size = tileRows(job);
  const tiles = Math.ceil(rows / size);
  if (tiles < 2) return runNow(prepared, space);
  const use = firstUse(args);
  const bytes = args.map((area) => size * rowBytes(area));
  const slots = Math.min(
    tiles,
    RING,
    Math.max(2 * crew.threads, Math.floor(SLOT_BYTES / bytes.reduce((sum, b) => sum + b, 1))),
  );
  const strides = args.map((area, n) => (isOwn(area) ? line(bytes[n]) + 64 : bytes[n]));
  const places = (area: Area): number => (isOwn(area) ? crew.threads : slots);
  const laid = space.layout(...args.map((area, n) => (use[n] < n ? 0 : strides[n] * places(area))));
  const addresses = args.map((_, n) => laid[use[n]]);
  args.forEach((area, n) => {
    for (let place = 0; place < places(area); place++)
      fillConstant(space, addresses[n] + place * strides[n], area, size);
  });
  const plan: Plan = { job, use, size, addresses, strides };
  crew.thread.plan = plan;
  crew.mail({ plan: forWorkers(plan) });

  const slotted = args.map((area, n) => ({ area, n })).filter(({ area, n }) => use[n] === n && !isOwn(area));
  const fill = (tile: number): void => {
    const slot = tile % slots;
    for (const { area, n } of slotted) {
      copyIn(space, addresses[n] + slot * strides[n], area, tile * size, Math.min(size, rows - tile * size));
    }
    crew.put(TILE, id, tile, slot);
    crew.publish();
  };
  /** Tiles in slots that follow each other. */
  const empty = (tile: number, end: number): void => {
    const row = tile * size;
    for (const { area, n } of slotted) {
      copyOut(space, addresses[n] + (tile % slots) * strides[n], area, row, Math.min(rows, end * size) - row);
    }
  };

  const first = crew.published;
  const isDone = (tile: number): boolean => crew.thread.isDone((first + tile) | 0);
  const collect = Math.max(1, Math.min(Math.floor(slots / 4), Math.floor(OUT_BYTES / Math.max(...bytes))));
  let filled = 0;
  let done = 0;
  let emptied = 0;
  while (emptied < tiles) {
    const pending = crew.turn();
    if (pending) await pending;
    while (done < filled && isDone(done)) done++;
    if (filled < tiles && filled - emptied < slots && crew.thread.open() < AHEAD * (crew.threads - 1)) {
      fill(filled++);
    } else if (done - emptied >= collect || (done === tiles && emptied < tiles)) {
      const end = Math.min(done, emptied - (emptied % slots) + slots, emptied + collect);
      empty(emptied, end);
      emptied = end;
    } else if (!crew.help()) {
      const more = (): boolean => isDone(done);
      if (done > emptied) {
        const end = Math.min(done, emptied - (emptied % slots) + slots);
        empty(emptied, end);
        emptied = end;
      } else if (!crew.spin(more)) await crew.wait(more);
    }
  }
  return finish();
}

/** What is not shared stays here: a worker has an empty array in its place. */
function forWorkers({ job, ...plan }: Plan): Plan {
  const seen = (area: Area): Area => (isOwn(area) ? area : { ...area, from: area.from && [], to: area.to && [] });
  return { ...plan, job: { ...job, args: job.args.map(seen) } };
}
