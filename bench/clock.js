// Times calls: interleaved rounds over all contenders, so that what else the machine does falls on each of them alike.

const LEAST_SECONDS = 0.005; // of a sample: a short call is repeated until it takes that long
const WARM_SECONDS = 0.05;
const LONG_WARM_UP = 0.3;
const MOST_SAMPLES = 5; // in a round

let sink = 0;

/** Something of every result is used, so that nothing can be left out as dead. */
export function use(result) {
  sink += typeof result === "number" ? result : result[0];
}

export const sunk = () => sink;
export const min = (times) => times.reduce((a, b) => Math.min(a, b), Infinity);
export const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];

/**
 * A contender that runs here: `call` returns an array or a number, or a promise of one.
 * @returns {(samples: number, calls: number) => Promise<number[]>} seconds a call, a number for each sample
 */
export const sampler = (call) => async (samples, calls) => {
  const times = [];
  for (let i = 0; i < samples; i++) {
    const start = performance.now();
    for (let k = 0; k < calls; k++) {
      const result = call();
      use(result instanceof Promise ? await result : result);
    }
    times.push((performance.now() - start) / 1000 / calls);
  }
  return times;
};

async function warmUp(sample) {
  let best = Infinity;
  let total = 0;
  for (let i = 0; i < 2 || total < WARM_SECONDS || (i < 5 && total < LONG_WARM_UP); i++) {
    const [seconds] = await sample(1, 1);
    best = Math.min(best, seconds);
    total += seconds;
  }
  return best;
}

/**
 * Each round runs every contender in turn, the slow ones in fewer rounds, never in fewer than four.
 * @param samplers  by name; see sampler
 * @param options.seconds  to spend on a contender, about
 * @returns by name { min, median, samples }, in seconds a call
 */
export async function race(samplers, { rounds = 7, seconds = 0.5 } = {}) {
  const runners = [];
  for (const [name, sample] of Object.entries(samplers)) {
    const once = await warmUp(sample);
    const calls = Math.ceil(LEAST_SECONDS / once);
    const affordable = seconds / (once * calls);
    runners.push({
      name,
      sample,
      calls,
      rounds: Math.max(4, Math.min(rounds, Math.floor(affordable))),
      samples: Math.max(1, Math.min(MOST_SAMPLES, Math.floor(affordable / rounds))),
      times: [],
    });
  }
  for (let round = 0; round < rounds; round++) {
    for (const runner of runners) {
      if (round < runner.rounds) runner.times.push(...(await runner.sample(runner.samples, runner.calls)));
    }
  }
  return Object.fromEntries(
    runners.map(({ name, times }) => [name, { min: min(times), median: median(times), samples: times.length }]),
  );
}
