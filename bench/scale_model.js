// How long a pass of L-BFGS or a step of mini-batches takes on p ranks, from what one rank and single all-reduces take. Nothing is measured here.
import { batchParts, ownBlocks } from "napier/train";

const BLOCK = 4096;
/** Of features, which the kernels keep from pass to pass; of more, rows are read again in each. */
const RESIDENT_BYTES = 2 ** 29;

/** Latency and bandwidth of networks that are not here, in round numbers: nominal, not measured. */
export const NOMINAL = {
  "25 GbE, TCP": { alpha: 25e-6, beta: 1 / 2.8e9 },
  "100 Gb RDMA": { alpha: 3e-6, beta: 1 / 11e9 },
};

/**
 * α and β of t = α + β·bytes, by least squares of the relative errors.
 * @param points  [bytes, seconds] of all-reduces between two ranks, or among a fixed number of them
 */
export function fitLine(points) {
  let [a, b, c, d, e] = [0, 0, 0, 0, 0];
  for (const [bytes, seconds] of points) {
    const [u, v] = [1 / seconds, bytes / seconds];
    a += u * u;
    b += u * v;
    c += v * v;
    d += u;
    e += v;
  }
  const determinant = a * c - b * b;
  const [alpha, beta] = [(d * c - e * b) / determinant, (a * e - b * d) / determinant];
  return { alpha: Math.max(0, alpha), beta: Math.max(0, beta) };
}

/**
 * Seconds of an all-reduce on p ranks: the better of recursive doubling, log₂ p exchanges of everything, and Rabenseifner's halving
 * and doubling, twice as many exchanges of 2·(p − 1)/p of the bytes together. What a number of ranks was measured at is taken from there.
 * @param network  { alpha, beta } of one exchange, sum included; `at` has those of whole all-reduces by ranks
 */
export function allReduce({ alpha, beta, at = {} }, bytes, p) {
  if (p === 1) return 0;
  if (at[p]) return at[p].alpha + at[p].beta * bytes;
  const steps = Math.ceil(Math.log2(p));
  const doubling = steps * (alpha + beta * bytes);
  const halving = 2 * steps * alpha + ((2 * (p - 1)) / p) * beta * bytes;
  return Math.min(doubling, halving);
}

/** Rows of each rank: of a pass, or of a step, where a rank has whole parts of the batch. */
export function rowsOfRanks({ rows, batchSize }, p) {
  const parts = batchSize === undefined ? undefined : batchParts(batchSize, rows);
  const share = batchSize === undefined ? 1 : batchSize / rows;
  return Array.from({ length: p }, (_, rank) => {
    const { first, end } = ownBlocks({ rank, size: p }, rows, parts);
    return share * Math.max(0, Math.min(rows, end * BLOCK) - first * BLOCK);
  });
}

/** The most ranks that have rows to compute. */
export function mostRanks({ rows, batchSize }) {
  return batchSize === undefined ? Math.ceil(rows / BLOCK) : batchParts(batchSize, rows);
}

/**
 * What one rank's times say: a time that does not depend on rows, a time for each row, and another one for each where the rows are
 * too many to stay in memory.
 * @param runs  { sliver, half, full }: { rows, seconds } of a pass or a step; `shared` is `half` with a reducer that has nobody to talk to
 */
export function costs({ rows, features, batchSize }, { sliver, half, full, shared }) {
  const isStreamed = batchSize === undefined && rows * features * 4 > RESIDENT_BYTES;
  const many = isStreamed ? half : full;
  const perRow = (many.seconds - sliver.seconds) / (many.rows - sliver.rows);
  const serial = Math.max(0, sliver.seconds - perRow * sliver.rows);
  const streamed = isStreamed ? (full.seconds - serial) / full.rows : perRow;
  return { serial, perRow, streamed, sharing: Math.max(0, shared.seconds - half.seconds) };
}

/**
 * Seconds of a pass or a step on p ranks, in parts.
 * @param work  { rows, features, batchSize?, costs, sizes: [bytes, calls] of its all-reduces }
 * @param network  see allReduce
 * @param machine  { cores, contention }: cores of all ranks together, Infinity where each has one; how much slower a core is while others are busy
 */
export function predict(work, network, p, { cores = Infinity, contention = 1 } = {}) {
  const { serial, perRow, streamed, sharing } = work.costs;
  const seconds = rowsOfRanks(work, p).map((rows) => {
    const stays = work.batchSize !== undefined || rows * work.features * 4 <= RESIDENT_BYTES;
    return serial + (p > 1 ? sharing : 0) + rows * (stays ? perRow : streamed);
  });
  const total = seconds.reduce((sum, each) => sum + each, 0);
  const compute = Math.max(...seconds, total / cores) * (p > 1 ? contention : 1);
  const communication = work.sizes.reduce((sum, [bytes, calls]) => sum + calls * allReduce(network, bytes, p), 0);
  return { compute, communication, seconds: compute + communication, share: communication / (compute + communication) };
}

/** Speed-up over one rank, and how much of p that is. */
export function scaling(work, network, p, machine) {
  const { seconds, share } = predict(work, network, p, machine);
  const speedup = predict(work, network, 1, machine).seconds / seconds;
  return { p, seconds, share, speedup, efficiency: speedup / p };
}

/** The least of the numbers of ranks at which communication takes more than a share of the time; undefined if it never does. */
export function crossing(work, network, ranks, share, machine) {
  return ranks.find((p) => predict(work, network, p, machine).share > share);
}

/** Rows that each of p ranks needs at least, so that communication takes no more than a share of the time. */
export function rowsNeeded(work, network, p, share, { contention = 1 } = {}) {
  const { communication } = predict(work, network, p);
  const { serial, perRow, sharing } = work.costs;
  const compute = (communication * (1 - share)) / share / contention;
  return Math.max(0, Math.ceil((compute - serial - sharing) / perRow));
}
