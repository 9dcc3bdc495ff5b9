// The parts of docs/speed.md that are about one thing each, and how numbers look in all of them.
import { readFileSync } from "node:fs";
import { isMiss, ratioText } from "./lines.js";
import { MODELS, model } from "./models.js";
import { EPOCH, JOBS, MOST_GZIPPED, TWO_THREADS_AIM } from "./musts.js";

export const round = (value, digits = 2) => value.toFixed(digits);
export const shapeText = ({ rows, classes }) => `${rows} × ${classes}`;
const kilobytes = (bytes) => `${round(bytes / 1000, 1)} kB`;
export const unique = (list) => [...new Set(list)];

export function table(head, body) {
  return `${[head, head.map(() => "---"), ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

/** "0.95 (1.02)", and in bold where it misses its must. */
export function ratioCell(line) {
  if (!line) return "–";
  const text = `${ratioText(line.ratio, line.must)} (${ratioText(line.medianRatio)})`;
  return isMiss(line) ? `**${text} ${line.counts ? "misses" : "would miss"}**` : text;
}

export function epochSection({ epoch }, all) {
  const body = Object.entries(epoch).map(([name, { min, median, accuracy }]) => {
    const cell = ratioCell(all.find((line) => line.work === "epoch" && line.peer === name));
    return [name, `${round(min)} (${round(median)})`, cell, `${round(accuracy * 100, 1)} %`];
  });
  return `## An epoch of an MLP

784-128-10 on MNIST's 60,000 images, batch 128, AdamW, the second epoch of two; must ≤ ${EPOCH.must.toFixed(1)}, aim ≤ ${EPOCH.aim}. The accuracy, on the 10,000 test images after both epochs, shows that they do the same work.

${table(["", "s, minimum (median)", "ratio", "test accuracy"], body)}`;
}

const amount = (value, unit) => (unit === "bytes" ? `${round(value / 2 ** 20, 1)} MiB` : `${value.toPrecision(3)} s`);

/** "15.5 s (15.6 s), 100 iterations": least, median, what else is worth knowing. */
function jobCell(entry, unit) {
  const middle = entry.median === entry.min ? "" : ` (${amount(entry.median, unit)})`;
  return `${amount(entry.min, unit)}${middle}${entry.note ? `, ${entry.note}` : ""}`;
}

export function jobsSection({ jobs }, all) {
  const body = jobs.flatMap(({ name, note, unit, times }) =>
    Object.entries(times)
      .filter(([peer]) => peer !== "Napier")
      .map(([peer, entry]) => {
        const { must, aim } = peer === JOBS[name].peer ? JOBS[name] : {};
        const line = all.find((each) => each.work === name && each.peer === peer);
        const target = (value) => (value === undefined ? "–" : `≤ ${Number(value.toPrecision(3))}`);
        const cells = [jobCell(times.Napier, unit), `${peer}: ${jobCell(entry, unit)}`, ratioCell(line)];
        return [note ? `${name}; ${note}` : name, ...cells, target(must), target(aim)];
      }),
  );
  return `## Training and fused linear

${readFileSync(new URL("jobs.md", import.meta.url), "utf8")}
${table(["", "Napier", "beside", "ratio", "*must*", "*aim*"], body)}`;
}

export function threadsSection({ threads, machine }) {
  const head = `## Two threads against one\n\nOn a pool; we aim at ${TWO_THREADS_AIM} times the speed when the cores are free. Plain arrays are copied to where all threads can reach them, arrays over a SharedArrayBuffer are not.\n\n`;
  if (!threads) return `${head}Not measured: this version has no napier/pool.\n`;
  const body = threads.map(({ work, rows, classes, kind, times: { none, one, two } }) => {
    const ns = (seconds) => round((seconds * 1e9) / (rows * classes));
    return [
      work,
      shapeText({ rows, classes }),
      kind,
      `${ns(none.min)} (${ns(none.median)})`,
      `${ns(one.min)} (${ns(one.median)})`,
      `${ns(two.min)} (${ns(two.median)})`,
      `${round(one.min / two.min)} (${round(one.median / two.median)})`,
    ];
  });
  return `${head}${table(["", "rows × classes", "arrays", "no pool, ns", "one, ns", "two, ns", `times as fast, ${machine.cores} cores`], body)}`;
}

export function startSection({ first, size }) {
  const times = Object.entries(first).map(([name, { min, median, process }]) => [
    name,
    `${round(min, 1)} (${round(median, 1)})`,
    round(process, 1),
  ]);
  const bytes = Object.entries(size.imports).map(([name, { bytes, gzipped }]) => [
    `\`${name}\``,
    kilobytes(bytes),
    `${kilobytes(gzipped)}${gzipped === size.napier.gzipped && gzipped > MOST_GZIPPED ? " **misses**" : ""}`,
  ]);
  return `## Import and first result

Fresh processes: from before the import to the first logSoftmax of one row; and a whole process less an empty one.

${table(["", "ms, minimum (median)", "whole process, ms, minimum"], times)}
## Size

What an import costs in a bundle: minified by Vite, and by gzip -9; must ≤ ${kilobytes(MOST_GZIPPED)} for all of \`napier\`. The packed package, types and maps included, has ${size.packed ? kilobytes(size.packed) : "an unknown size"}.

${table(["", "minified", "gzipped"], bytes)}`;
}

export function labSection({ lab, machine }) {
  const head = "## The lab\n\n";
  if (!lab) return `${head}Not measured: there is no Chromium for this platform on npm.\n`;
  const { paint, ready, frames, version } = lab;
  const ms = ({ min, median }) => `${round(min, 0)} ms (${round(median, 0)} ms)`;
  const body = Object.entries(frames).map(([what, { rate, longest }]) => [what, round(rate, 1), round(longest, 1)]);
  return `${head}As \`napier lab\` serves it, in headless Chromium ${version} without a GPU, 1280 × 800, nothing in its cache; ${machine.cores} cores for the browser, the page and its worker. From the request to the first contentful paint ${ms(paint)}, until the first logits are answered ${ms(ready)}: minimum (median).
No target: the browser draws 60 frames a second at most.

${table(["two seconds of", "frames a second", "longest between two, ms"], body)}`;
}

export function modelSection({ races, limits }) {
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
