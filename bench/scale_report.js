// docs/scale.md: from the results of scale.js to Markdown.
import { readFileSync } from "node:fs";
import { allReduce, crossing, mostRanks, NOMINAL, predict, rowsNeeded, rowsOfRanks, scaling } from "./scale_model.js";
import { round, table } from "./sections.js";

const RANKS = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];
const TEXTS = Object.fromEntries(
  readFileSync(new URL("scale.md", import.meta.url), "utf8")
    .split(/^# /m)
    .slice(1)
    .map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n")).trim()]),
);

const digits = (value) => (value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3));
const ms = (seconds) => digits(seconds * 1e3);
const us = (seconds) => digits(seconds * 1e6);
const percent = (share) => (share < 0.0995 ? `${round(share * 100, 1)} %` : `${Math.round(share * 100)} %`);
const both = ({ min, median }, show = ms) => `${show(min)} (${show(median)})`;
const whole = (value) => Math.round(value).toLocaleString("en-US");
const ratio = (a, b) => `${round(a.min / b.min)} (${round(a.median / b.median)})`;
const doubled = ({ min, median }) => ({ min: 2 * min, median: 2 * median });

function scalingSection(measured, { cores }) {
  const body = measured.map(({ work, runs: { one, two, half, both: pair, three, four } }) => [
    `${work.title}, a ${work.unit}`,
    both(one),
    both(two),
    `**${ratio(one, doubled(two))}**`,
    `**${ratio(half, two)}**`,
    ratio(half, pair),
    round(imbalance(work, 2)),
    both(three),
    both(four),
  ]);
  const head = [
    "",
    "1 rank, ms",
    "2 ranks, ms",
    "strong",
    "weak",
    "two processes",
    "shares",
    "3 ranks, ms",
    "4 ranks, ms",
  ];
  const jobs = measured.map(({ work, runs: { one, two } }) => [
    `${work.title}, ${work.laps} ${work.unit === "pass" ? "iterations" : "epochs"}`,
    both(one.job, digits),
    both(two.job, digits),
    `${round(one.job.min / two.job.min)} (${round(one.job.median / two.job.median)})`,
    digits(one.read),
    digits(two.read),
    one.sha256.length === 1 && two.sha256.length === 1 && one.sha256[0] === two.sha256[0] ? "yes" : "**no**",
  ]);
  const heads = [
    "",
    "1 rank, s",
    "2 ranks, s",
    "times as fast",
    "reading, 1 rank, s",
    "reading, 2 ranks, s",
    "same bytes",
  ];
  return `## Strong and weak scaling

${TEXTS.scaling}

${table(head, body)}
${cores} cores. Whole processes, start and reading included:

${table(heads, jobs)}`;
}

/** The mean rank's rows by those of the busiest: no efficiency can be higher. */
function imbalance(work, p) {
  const rows = rowsOfRanks(work, p);
  return rows.reduce((sum, each) => sum + each, 0) / p / Math.max(...rows);
}

function trafficSection(measured) {
  const body = measured.map(({ work, runs: { two } }) => [
    `${work.title}, a ${work.unit}`,
    round(two.calls, 1),
    whole(two.bytes),
    two.sizes.map(([bytes, count]) => `${round(count, 1)} × ${whole(bytes)}`).join(", "),
    us(two.inside.least),
    us(two.inside.most),
    percent(two.inside.least / two.median),
  ]);
  const head = ["", "calls", "bytes", "calls × bytes", "inside, µs", "inside, with waiting, µs", "share"];
  return `## Calls and bytes\n\n${TEXTS.traffic}\n\n${table(head, body)}`;
}

function reduceSection(local, tcp) {
  const all = [...local, ...(tcp.points ? [tcp] : [])];
  const head = ["bytes", ...all.map((each) => `${each.ranks} ranks${each === tcp ? ", TCP" : ""}, µs`)];
  const body = local[0].points.map(({ bytes }, k) => [whole(bytes), ...all.map(({ points }) => both(points[k], us))]);
  const lines = all.map(({ line }) => `${us(line.alpha)} µs + ${digits(line.beta * 1e9)} ns`);
  return `## All-reduces\n\n${TEXTS.reduces}\n\n${table(head, [...body, ["*α + β of a byte*", ...lines]])}`;
}

function commandSection(typed) {
  const body = typed.flatMap(({ work, results }) =>
    results.map(({ name, seconds, sha256 }) => [
      work.title,
      name,
      digits(seconds),
      `${round(results[0].seconds / seconds)}`,
      sha256 === results[0].sha256 ? "yes" : "**no**",
    ]),
  );
  const head = ["", "napier train", "s, once", "times as fast", "same file"];
  return `## The command\n\n${TEXTS.command}\n\n${table(head, body)}`;
}

const errorText = (predicted, found) =>
  `${predicted >= found ? "+" : "−"}${Math.abs((predicted / found - 1) * 100).toFixed(0)} %`;

function checkSection(measured, networks, tcp, { cores }) {
  const parts = measured.map(({ work }) => {
    const { serial, perRow, streamed, sharing } = work.costs;
    return [
      `${work.title}, a ${work.unit}`,
      us(serial),
      digits(perRow * 1e9),
      streamed === perRow ? "–" : digits(streamed * 1e9),
      us(sharing),
      round(work.contention),
    ];
  });
  const head = ["", "serial, µs", "a row, ns", "a row that is read again, ns", "sharing, µs", "contention"];
  const line = (work, name, network, p, run) => {
    const { seconds, share } = predict(work, network, p, { cores, contention: work.contention });
    return [work.title, name, ms(seconds), ms(run.min), errorText(seconds, run.min), percent(share)];
  };
  const body = measured.flatMap(({ work, runs }) => [
    ...["one", "two", "three", "four"].map((name, k) =>
      line(work, `${k + 1}${k + 1 > cores ? ", more than cores" : ""}`, networks.here, k + 1, runs[name]),
    ),
    ...(tcp.runs?.[work.name] ? [line(work, "2 over TCP", networks.tcp, 2, tcp.runs[work.name])] : []),
  ]);
  return `## The model

${TEXTS.model}

${table(head, parts)}
Predicted and measured, least times of a pass or a step:

${table(["", "ranks", "predicted, ms", "measured, ms", "error", "communication"], body)}`;
}

function tcpSection(measured, tcp) {
  if (tcp.missing) return `## Two hosts\n\nNot measured in this run: ${tcp.missing}.\n`;
  const body = measured.flatMap(({ work, runs: { one, two } }) => {
    const run = tcp.runs[work.name];
    if (run === undefined) return [];
    const same = run.sha256.length === 1 && run.sha256[0] === one.sha256[0];
    const efficiency = ratio(one, doubled(run));
    return [
      [
        `${work.title}, a ${work.unit}`,
        both(run),
        both(two),
        efficiency,
        us(run.inside.least),
        same ? "yes" : "**no**",
      ],
    ];
  });
  const head = ["", "2 ranks over TCP, ms", "shared memory, ms", "strong", "inside all-reduces, µs", "same bytes"];
  return `## Two hosts\n\n${TEXTS.hosts}\n\n${table(head, body)}`;
}

const half = (work, p) => ({
  ...work,
  rows: (work.rows / 2) * p,
  ...(work.batchSize && { batchSize: (work.batchSize / 2) * p }),
});

/** Of half of the rows, and half of the batch, on each rank. */
function weak(work, network, p, machine) {
  return predict(half(work, 1), network, 1, machine).seconds / predict(half(work, p), network, p, machine).seconds;
}

function predictionSection(measured, networks) {
  const tables = measured.map(({ work }) => {
    const machine = { contention: work.contention };
    const body = RANKS.map((p) => [
      p,
      ...Object.values(networks).map((network) => {
        const { speedup, efficiency, share } = scaling(work, network, p, machine);
        return `${digits(speedup)}, ${round(efficiency)}, ${percent(share)}, ${round(weak(work, network, p, machine))}`;
      }),
    ]);
    return `### ${work.title}\n\nAt most ${mostRanks(work)} ranks have rows.\n\n${table(["ranks", ...Object.keys(networks)], body)}`;
  });
  return `## To 1,024 ranks\n\n${TEXTS.prediction}\n\n${tables.join("\n")}`;
}

function dominationSection(measured, networks) {
  const at = (work, network, share) => crossing(work, network, RANKS, share, { contention: work.contention }) ?? "–";
  const body = measured.flatMap(({ work }) =>
    Object.entries(networks).map(([name, network]) => [
      work.title,
      name,
      at(work, network, 0.1),
      at(work, network, 0.5),
      ...[16, 1024].map((p) => whole(rowsNeeded(work, network, p, 0.1, { contention: work.contention }))),
      us(work.sizes.reduce((sum, [bytes, calls]) => sum + calls * allReduce(network, bytes, 1024), 0)),
    ]),
  );
  const head = ["", "network", "> 10 %", "> 50 %", "rows a rank, 16", "rows a rank, 1,024", "all-reduces on 1,024, µs"];
  return `## Where communication dominates\n\n${TEXTS.domination}\n\n${table(head, body)}\n${TEXTS.advice}\n`;
}

export function page({ machine, local, measured, tcp, typed }) {
  const shared = local[0].line;
  const here = { ...shared, at: Object.fromEntries(local.map(({ ranks, line }) => [ranks, line])) };
  const big = {
    "shared memory, as here": shared,
    ...(tcp.line && { "TCP, as between the namespaces": tcp.line }),
    ...Object.fromEntries(Object.entries(NOMINAL).map(([name, line]) => [`${name} (nominal)`, line])),
  };
  const nominal = Object.entries(NOMINAL).map(
    ([name, { alpha, beta }]) => `${name}: ${us(alpha)} µs, ${round(1 / beta / 1e9, 1)} GB/s`,
  );
  return `<!-- Made by bench/scale.js: npm run bench -- --scale. The texts stand in bench/scale.md. Do not edit. -->
# Scaling

${TEXTS.intro}

${machine.date}: ${machine.cpu}, ${machine.cores} cores, ${machine.memory} GB, ${machine.os}, Node ${machine.node}, ${local[0].library}; load ${machine.loadBefore} before and ${machine.loadAfter} after, ${round(machine.minutes, 1)} minutes.

${scalingSection(measured, machine)}
${trafficSection(measured)}
${commandSection(typed)}
${reduceSection(local, tcp)}
${checkSection(measured, { here, tcp: tcp.line }, tcp, machine)}
${tcpSection(measured, tcp)}
${predictionSection(measured, big)}
Nominal, not measured here: ${nominal.join("; ")}.

${dominationSection(measured, big)}`;
}
