// Two threads of a pool against one, on plain arrays and on arrays over shared memory.
import * as napier from "napier";
import { race, sampler } from "./clock.js";
import { problem, SHAPES } from "./data.js";

const WORKS = ["logSoftmax", "crossEntropyWithGrad"];
const KINDS = {
  plain: (array) => array,
  shared: (array) => {
    const copy = new array.constructor(new SharedArrayBuffer(array.byteLength));
    copy.set(array);
    return copy;
  },
};

/** @param operations  napier itself or a pool: the same names and arguments, promises from a pool */
const calls = (operations, { x, y, shape, out }) => ({
  logSoftmax: () => operations.logSoftmax(x, { shape, out }),
  crossEntropyWithGrad: async () => (await operations.crossEntropyWithGrad(x, y, { shape, out })).dlogits,
});

/** @returns rows { work, rows, classes, kind, times: { none, one, two } }; none: without a pool, or null where napier/pool is not there */
export async function raceThreads(options, shapes = SHAPES.slice(0, 3)) {
  let createPool;
  try {
    ({ createPool } = await import("napier/pool"));
  } catch (error) {
    if (!["ERR_PACKAGE_PATH_NOT_EXPORTED", "ERR_MODULE_NOT_FOUND"].includes(error.code)) throw error;
    return null;
  }
  const one = await createPool({ threads: 1 });
  const two = await createPool({ threads: 2 });
  const results = [];
  for (const [rows, classes] of shapes) {
    const data = problem(rows, classes, 1);
    for (const work of WORKS) {
      for (const [kind, place] of Object.entries(KINDS)) {
        const placed = { ...data, x: place(data.x), y: place(data.y), out: place(data.out) };
        const samplers = Object.fromEntries(
          Object.entries({ none: napier, one, two }).map(([name, by]) => [name, sampler(calls(by, placed)[work])]),
        );
        results.push({ work, rows, classes, kind, times: await race(samplers, options) });
      }
    }
  }
  await Promise.all([one.close(), two.close()]);
  return results;
}
