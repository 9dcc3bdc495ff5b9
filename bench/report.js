// docs/speed.md: from the results of a run to Markdown.
import { BYTES, lines, verdict } from "./lines.js";
import { target } from "./musts.js";
import {
  epochSection,
  jobsSection,
  labSection,
  modelSection,
  ratioCell,
  round,
  shapeText,
  startSection,
  table,
  threadsSection,
  unique,
} from "./sections.js";

const normal = (deviation) => `N(0, ${deviation})`;

function ratioTable(races, all, work, deviation) {
  const mine = races.filter((race) => race.work === work && race.deviation === deviation);
  const peers = unique(mine.flatMap((race) => Object.keys(race.times))).filter((name) => name !== "Napier");
  const targets = peers.map((peer) => target(work, peer, deviation));
  const row = (title, key) => [
    title,
    ...targets.map((each) =>
      each[key] === null ? "–" : `${each.counts ? "≤" : "(≤"} ${each[key]}${each.counts ? "" : ")"}`,
    ),
  ];
  const body = mine.map((race) => [
    shapeText(race),
    ...peers.map((peer) =>
      race.wrong.includes(peer)
        ? "wrong results"
        : ratioCell(all.find((line) => line.race === race && line.peer === peer)),
    ),
  ]);
  const aims = targets.some(({ must }) => must !== null) ? [row("*must*", "must"), row("*aim*", "aim")] : [];
  return `### ${work}, ${normal(deviation)}\n\n${table(["rows × classes", ...peers], [...aims, ...body])}`;
}

function timeTable(races, work) {
  const mine = races.filter((race) => race.work === work);
  const names = unique(mine.flatMap((race) => Object.keys(race.times)));
  const body = mine.map((race) => {
    const elements = race.rows * race.classes;
    const ns = (seconds) => round((seconds * 1e9) / elements);
    const ours = race.times.Napier;
    return [
      shapeText(race),
      normal(race.deviation),
      `${round(ours.min * 1e3)} (${round(ours.median * 1e3)})`,
      round((BYTES[work] * elements) / ours.min / 1e9, 1),
      ...names.map((name) => (race.times[name] ? `${ns(race.times[name].min)} (${ns(race.times[name].median)})` : "–")),
    ];
  });
  return `### ${work}\n\n${table(["rows × classes", "logits", "Napier, ms a call", "Napier, GB/s", ...names.map((name) => `${name}, ns`)], body)}`;
}

function summary(results, all) {
  const { met, judged, medianMet, missed, others, othersMissed, wouldMiss, missing } = verdict(results, all);
  const list = (title, items) => (items.length ? `\n${title}\n\n${items.map((each) => `- ${each}`).join("\n")}\n` : "");
  const avx512 = `PyTorch with AVX-512, held to the same numbers: ${others - othersMissed} of ${others} would be met.`;
  return `## Summary

**${met} of ${judged} musts are met** by the minima, ${medianMet} by the medians.
${list("Missed:", missed)}${list("Not judged, because the peer was not there:", missing)}${others ? list(`${avx512} Not these:`, wouldMiss) || `\n${avx512}\n` : ""}`;
}

export function page(results) {
  const { races, machine, versions, missing, quick } = results;
  const all = lines(results);
  const works = unique(races.map(({ work }) => work));
  const pairs = works.flatMap((work) =>
    unique(races.map(({ deviation }) => deviation)).map((deviation) => [work, deviation]),
  );
  const ratios = Object.fromEntries(all.map(({ key, ratio }) => [key, Number(ratio.toFixed(4))]));
  return `<!-- Made by bench/bench.js: npm run bench. The texts on the jobs and the models stand in bench/jobs.md and bench/model.md. Do not edit. -->
# Speed

Ratios are time ours ÷ theirs: below 1 we are faster. Measured in one run on one machine, one thread each, f32, in interleaved rounds: the ratio of the minima, and in brackets of the medians. Logits are plain Float32Arrays and results go to one (\`out\`); what a peer needs to get
them in and out belongs to its time, except for PyTorch and scikit-learn, whose arrays are where they want them. GB/s counts the bytes that must move: logits read, results written.${quick ? " **A quick run: two shapes only.**" : ""}

${machine.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memory} GB, ${machine.os}; load ${machine.loadBefore} before and ${machine.loadAfter} after.
${versions.join(", ")}.${missing.length ? ` Not found: ${missing.join(", ")}.` : ""}

onnxruntime-web runs twice: with a preallocated output, which this version leaves as it was (microsoft/onnxruntime#25786), but which is mostly the faster and therefore the one we are judged against; and returning its result, in an array of its own.

${summary(results, all)}
## Ratios

${pairs.map(([work, deviation]) => ratioTable(races, all, work, deviation)).join("\n")}
## Times

Of a call, and of an element, minimum (median).

${works.map((work) => timeTable(races, work)).join("\n")}
${epochSection(results, all)}
${jobsSection(results, all)}
${threadsSection(results)}
${startSection(results)}
${labSection(results)}
${modelSection(results)}
<!-- ratios of the minima, for npm run bench -- --check
${JSON.stringify(ratios, null, 1)}
-->
`;
}
