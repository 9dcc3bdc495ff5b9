// Every ratio of a run with its must, the verdict over all of them, and the comparison with a page made before.
import { MODELS } from "./models.js";
import { EPOCH, JOBS, judged, MOST_GZIPPED, target } from "./musts.js";

export const BYTES = Object.fromEntries(Object.entries(MODELS).map(([work, { bytes }]) => [work, bytes]));
const MOST_WORSE = 1.25;

export const isMiss = ({ ratio, must }) => must !== null && ratio > must;

/** Two digits, or as many as show on which side of its must a ratio is. */
export function ratioText(ratio, must = null) {
  const text = ratio.toFixed(ratio < 0.1 ? 3 : 2);
  return must !== null && ratio > must && Number(text) <= must ? ratio.toPrecision(4) : text;
}

const UNJUDGED = { must: null, aim: null, counts: false };

/**
 * @param results.jobs  one thing each, { name, note, unit, times }: times by contender { min, median, note }, of unit "s" or "bytes"
 * @returns {{ key, race, work, peer, ratio, medianRatio, must, aim, counts }[]} a line for each ratio that has a peer
 */
export function lines({ races, epoch, jobs }) {
  const one = (race, work, key, times, targetOf) =>
    Object.entries(times)
      .filter(([peer]) => peer !== "Napier")
      .map(([peer, { min, median }]) => ({
        key: `${key} / ${peer}`,
        race,
        work,
        peer,
        ratio: times.Napier.min / min,
        medianRatio: times.Napier.median / median,
        ...targetOf(peer),
      }));
  return [
    ...races.flatMap((race) => {
      const { work, rows, classes, deviation, times } = race;
      const key = `${work} ${rows} × ${classes} N(0, ${deviation})`;
      return one(race, work, key, times, (peer) => target(work, peer, deviation));
    }),
    ...one(null, "epoch", "epoch", epoch, (peer) => ({ ...EPOCH, counts: peer === "PyTorch" })),
    ...jobs.flatMap(({ name, times }) =>
      one(null, name, name, times, (peer) =>
        peer === JOBS[name].peer ? { must: JOBS[name].must, aim: JOBS[name].aim, counts: true } : UNJUDGED,
      ),
    ),
  ];
}

/** "logSoftmax / PyTorch, N(0, 1), must ≤ 1.7: 4096 × 1000 2.01, 64 × 32000 1.95", a text for each must. */
function grouped(missed) {
  const groups = {};
  for (const { race, work, peer, ratio, must } of missed) {
    const title = `${work} / ${peer}${race ? `, N(0, ${race.deviation})` : ""}, must ≤ ${Number(must.toPrecision(3))}`;
    groups[title] ??= [];
    groups[title].push(`${race ? `${race.rows} × ${race.classes} ` : ""}${ratioText(ratio, must)}`);
  }
  return Object.entries(groups).map(([title, items]) => `${title}: ${items.join(", ")}`);
}

/** How many musts are met, which are missed, and which could not be judged; others: the same for PyTorch with AVX-512, which does not count. */
export function verdict({ races, epoch, jobs, size }, all) {
  const counted = all.filter(({ counts }) => counts);
  const missed = counted.filter(isMiss);
  const wouldMiss = all.filter((line) => !line.counts && isMiss(line));
  const sizeMissed = size.napier.gzipped > MOST_GZIPPED;
  const works = [...new Set(races.map(({ work }) => work))];
  const missing = works.flatMap((work) =>
    judged(work)
      .filter((peer) => !races.some((race) => race.work === work && race.times[peer]))
      .map((peer) => `${work} / ${peer}`),
  );
  if (!epoch.PyTorch) missing.push("epoch / PyTorch");
  for (const [name, { peer }] of Object.entries(JOBS)) {
    if (!jobs.find((job) => job.name === name)?.times[peer]) missing.push(`${name} / ${peer}`);
  }
  return {
    judged: counted.length + 1,
    met: counted.length - missed.length + (sizeMissed ? 0 : 1),
    medianMet: counted.filter(({ medianRatio, must }) => medianRatio <= must).length + (sizeMissed ? 0 : 1),
    missed: [
      ...grouped(missed),
      ...(sizeMissed ? [`gzipped size, must ≤ ${MOST_GZIPPED} bytes: ${size.napier.gzipped}`] : []),
    ],
    others: all.filter(({ must, counts }) => must !== null && !counts).length,
    othersMissed: wouldMiss.length,
    wouldMiss: grouped(wouldMiss),
    missing,
  };
}

/** The ratios at the end of a page. */
export function committedRatios(text) {
  const block = /<!-- ratios[^\n]*\n([\s\S]*?)\n-->/.exec(text);
  if (!block) throw new Error("docs/speed.md has no ratios to compare with; make it by npm run bench");
  return JSON.parse(block[1]);
}

/** What got slower beside its peer by more than a quarter, and how many ratios both have. */
export function worse(all, committed) {
  const both = all.filter(({ key }) => committed[key] !== undefined);
  const slower = both.filter(({ key, ratio }) => ratio > committed[key] * MOST_WORSE);
  return {
    compared: both.length,
    slower: slower.map(({ key, ratio }) => `${key}: ${ratio.toFixed(2)}, was ${committed[key].toFixed(2)}`),
  };
}
