// docs/speed.md: from the results of a run to Markdown.
import { readFileSync } from "node:fs";
import { BYTES, isMiss, lines, verdict } from "./lines.js";
import { MODELS, model } from "./models.js";
import { EPOCH, MOST_GZIPPED, TWO_THREADS_AIM, target } from "./musts.js";

const round = (value, digits = 2) => value.toFixed(digits);
export const ratioText = (ratio) => round(ratio, ratio < 0.1 ? 3 : 2);
const shapeText = ({ rows, classes }) => `${rows} × ${classes}`;
const normal = (deviation) => `N(0, ${deviation})`;
const kilobytes = (bytes) => `${round(bytes / 1000, 1)} kB`;
const unique = (list) => [...new Set(list)];

function table(head, body) {
  return `${[head, head.map(() => "---"), ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

/** "0.95 (1.02)", and in bold where it misses its must. */
function ratioCell(line) {
  if (!line) return "–";
  const text = `${ratioText(line.ratio)} (${ratioText(line.medianRatio)})`;
  return isMiss(line) ? `**${text} ${line.counts ? "misses" : "would miss"}**` : text;
}

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
    ...peers.map((peer) => ratioCell(all.find((line) => line.race === race && line.peer === peer))),
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

function epochSection({ epoch }) {
  const body = Object.entries(epoch).map(([name, { min, median, accuracy }]) => {
    const line = { ratio: epoch.Napier.min / min, must: EPOCH.must, counts: name === "PyTorch" };
    const text = `${ratioText(line.ratio)} (${ratioText(epoch.Napier.median / median)})`;
    const miss = isMiss(line) ? `**${text} ${line.counts ? "misses" : "would miss"}**` : text;
    const cell = name === "Napier" ? "" : miss;
    return [name, `${round(min)} (${round(median)})`, cell, `${round(accuracy * 100, 1)} %`];
  });
  return `## An epoch of an MLP

784-128-10 on MNIST's 60,000 images, batch 128, AdamW, the second epoch of two; must ≤ ${EPOCH.must.toFixed(1)}, aim ≤ ${EPOCH.aim}. The accuracy, on the 10,000 test images after both epochs, shows that they do the same work.

${table(["", "s, minimum (median)", "ratio", "test accuracy"], body)}`;
}

function threadsSection({ threads, machine }) {
  const head = `## Two threads against one\n\nOn a pool; we aim at ${TWO_THREADS_AIM} times the speed when the cores are free. Plain arrays are copied to where all threads can reach them, arrays over a SharedArrayBuffer are not.\n\n`;
  if (!threads) return `${head}Not measured: this version has no napier/pool.\n`;
  const body = threads.map(({ work, rows, classes, kind, times: { one, two } }) => {
    const ns = (seconds) => round((seconds * 1e9) / (rows * classes));
    return [
      work,
      shapeText({ rows, classes }),
      kind,
      `${ns(one.min)} (${ns(one.median)})`,
      `${ns(two.min)} (${ns(two.median)})`,
      `${round(one.min / two.min)} (${round(one.median / two.median)})`,
    ];
  });
  return `${head}${table(["", "rows × classes", "arrays", "one, ns", "two, ns", `times as fast, ${machine.cores} cores`], body)}`;
}

function startSection({ first, size }) {
  const times = Object.entries(first).map(([name, { min, median, process }]) => [
    name,
    `${round(min, 1)} (${round(median, 1)})`,
    round(process, 1),
  ]);
  const bytes = ["napier", "napier/train"].map((entry) => [
    `\`import "${entry}"\``,
    size[entry].files,
    kilobytes(size[entry].bytes),
    `${kilobytes(size[entry].gzipped)}${entry === "napier" && size.napier.gzipped > MOST_GZIPPED ? " **misses**" : ""}`,
  ]);
  return `## Import and first result

Fresh processes: from before the import to the first logSoftmax of one row; and a whole process less an empty one.

${table(["", "ms, minimum (median)", "whole process, ms, median"], times)}
## Size

What an import loads, each file as it is in the package and by gzip -9; must ≤ ${kilobytes(MOST_GZIPPED)} for \`napier\`. The packed package, types and maps included, has ${size.packed ? kilobytes(size.packed) : "an unknown size"}.

${table(["", "files", "as they are", "gzipped"], bytes)}`;
}

function modelSection({ races, limits }) {
  const body = Object.entries(MODELS).flatMap(([work, { operations, parts, bytes }]) => {
    const race = races.find((each) => each.work === work && each.classes === 1000 && each.deviation === 1);
    if (!race) return [];
    const measured = (race.times.Napier.min * 1e9) / (race.rows * race.classes);
    const { computing, copying, least } = model(work, limits);
    return [
      [
        work,
        `${operations / 4}: ${parts.join(", ")}, over 4`,
        bytes,
        round(computing),
        round(copying),
        round(measured),
        `${round((100 * least) / measured, 0)} %`,
      ],
    ];
  });
  const head = ["", "operations an element", "bytes", "ports, ns", "copies, ns", "measured, ns", "of what is possible"];
  return `## A model for each kernel

This machine does ${round(limits.operations, 1)} independent vector operations of four f32 a nanosecond in WebAssembly (bench/ports.as.ts), copies an array of 16 MB into another at ${round(limits.copy.min)} ns an element (${round(8 / limits.copy.min, 1)} GB/s), and takes it by tiles of 64 KB
into a WebAssembly memory and out again at ${round(limits.tiles.min)} ns an element (medians ${round(limits.copy.median)} and ${round(limits.tiles.median)}). At 4096 × 1000, N(0, 1), f32:

${table(head, body)}
${readFileSync(new URL("model.md", import.meta.url), "utf8")}`;
}

function summary(results, all) {
  const { met, judged, medianMet, missed, wouldMiss, missing } = verdict(results, all);
  const text = missed.length
    ? `Missed:\n\n${missed.map((each) => `- ${each}`).join("\n")}`
    : judged > 0
      ? "None is missed."
      : "";
  const other = wouldMiss.length
    ? `\n\nPyTorch with AVX-512, held to the same numbers, would add ${wouldMiss.length}: ${wouldMiss.join("; ")}.`
    : "";
  const absent = missing.length ? `\n\nNot judged, because the peer was not there: ${missing.join("; ")}.` : "";
  return `## Summary

**${met} of ${judged} musts are met** by the minima, ${medianMet} by the medians. ${text}${other}${absent}
`;
}

export function page(results) {
  const { races, machine, versions, missing, quick } = results;
  const all = lines(results);
  const works = unique(races.map(({ work }) => work));
  const pairs = works.flatMap((work) =>
    unique(races.map(({ deviation }) => deviation)).map((deviation) => [work, deviation]),
  );
  const ratios = Object.fromEntries(all.map(({ key, ratio }) => [key, Number(ratio.toFixed(4))]));
  return `<!-- Made by bench/bench.js: npm run bench. The text on the models stands in bench/model.md. Do not edit. -->
# Speed

Ratios are time ours ÷ theirs: below 1 we are faster. Measured in one run on one machine, one thread each, f32, in interleaved rounds: the ratio of the minima, and in brackets of the medians. Logits are plain Float32Arrays and results go to one (\`out\`); what a peer needs to get
them in and out belongs to its time, except for PyTorch and scikit-learn, whose arrays are where they want them. GB/s counts the bytes that must move: logits read, results written.${quick ? " **A quick run: two shapes only.**" : ""}

${machine.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memory} GB, ${machine.os}; load ${machine.loadBefore} before and ${machine.loadAfter} after.
${versions.join(", ")}.${missing.length ? ` Not found: ${missing.join(", ")}.` : ""}

onnxruntime-web runs twice: with a preallocated output, which this version leaves as it was (microsoft/onnxruntime#25786), but which is the faster and therefore the one we are judged against; and returning its result.

${summary(results, all)}
## Ratios

${pairs.map(([work, deviation]) => ratioTable(races, all, work, deviation)).join("\n")}
## Times

Of a call, and of an element, minimum (median).

${works.map((work) => timeTable(races, work)).join("\n")}
${epochSection(results)}
${threadsSection(results)}
${startSection(results)}
${modelSection(results)}
<!-- ratios of the minima, for npm run bench -- --check
${JSON.stringify(ratios, null, 1)}
-->
`;
}
