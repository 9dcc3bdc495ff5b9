import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { ReliabilityBin } from "napier/train";
import type { Scorecard } from "./scorecard.ts";
import { shortNames } from "./shortnames.ts";

/** Colours that differ in light and in dark, and without colours by lightness; the page defines them. */
const INK = { model: "var(--model)", after: "var(--after)", faint: "var(--faint)", heat: "var(--heat)" };

/** Points of a curve, by step. */
export interface Curve {
  /** "epoch" or "iteration" */
  unit: string;
  lines: { name: string; points: { x: number; y: number }[] }[];
}

/** As on a narrow screen, so that text is no smaller than it is here. */
const WIDTH = 360;

const { document } = parseHTML("<!doctype html><html><body></body></html>");

function draw(label: string, options: Plot.PlotOptions): string {
  const figure = Plot.plot({
    document: document as unknown as Plot.PlotOptions["document"],
    style: { background: "none", fontSize: "12px" },
    ...options,
  });
  figure.setAttribute("role", "img");
  figure.setAttribute("aria-label", label);
  return figure.outerHTML;
}

/** How often the model was right, by how sure it was; dots have the area of their rows. */
export function reliabilityChart(label: string, bins: readonly ReliabilityBin[], stroke: "model" | "after"): string {
  const most = Math.max(...bins.map(({ count }) => count));
  return draw(label, {
    width: WIDTH,
    height: 330,
    marginLeft: 50,
    marginBottom: 40,
    x: { domain: [0, 1], label: "how sure it was (probability of its winner)", percent: false, tickFormat: "%" },
    y: { domain: [0, 1], label: "how often it was right", tickFormat: "%", grid: true },
    r: { domain: [0, most], range: [0, 14] },
    marks: [
      Plot.line(
        [
          [0, 0],
          [1, 1],
        ],
        { stroke: INK.faint, strokeDasharray: "4 4" },
      ),
      Plot.ruleX(bins, { x: "confidence", y1: "confidence", y2: "accuracy", stroke: INK[stroke], strokeOpacity: 0.5 }),
      Plot.line(bins, { x: "confidence", y: "accuracy", stroke: INK[stroke] }),
      Plot.dot(bins, {
        x: "confidence",
        y: "accuracy",
        r: (bin: ReliabilityBin) => Math.max(bin.count, most / 40),
        fill: INK[stroke],
        fillOpacity: 0.85,
      }),
    ],
  });
}

/** True classes down, predicted ones across; a row's shades are shares of its class. */
export function confusionChart({ confusion, classes }: Scorecard): string {
  const names = classes.map(String);
  const cells = confusion!.flatMap((row, y) => {
    const all = row.reduce((sum, rows) => sum + rows, 0);
    return row.map((rows, j) => ({ y: names[y]!, x: names[j]!, rows, share: all === 0 ? 0 : rows / all }));
  });
  const shown = shortNames(names);
  const text = (_: string, k: number): string => shown[k]!;
  const room = Math.max(...shown.map((name) => name.length));
  const size = Math.max(18, Math.min(64, Math.floor(560 / names.length)));
  const side = names.length * size;
  // a character is some 7 wide
  const turned = room * 7 > size - 4;
  const right = turned ? room * 4 : 10;
  return draw("Confusion matrix: true classes down, predicted classes across", {
    width: side + 30 + room * 8 + right,
    height: side + 30 + (turned ? room * 7 : 20),
    marginLeft: 30 + room * 8,
    marginTop: 30 + (turned ? room * 7 : 10),
    marginRight: right,
    marginBottom: 0,
    padding: 0.04,
    x: { domain: names, axis: "top", label: "predicted", tickSize: 0, tickRotate: turned ? -60 : 0, tickFormat: text },
    y: { domain: names, label: "true", tickSize: 0, tickFormat: text },
    marks: [
      Plot.cell(cells, {
        x: "x",
        y: "y",
        fill: INK.heat,
        fillOpacity: (cell: { share: number }) => 0.04 + 0.9 * Math.sqrt(cell.share),
      }),
      ...(size >= 26
        ? [
            Plot.text(
              cells.filter(({ rows }) => rows > 0),
              {
                x: "x",
                y: "y",
                text: (cell: { rows: number }) =>
                  cell.rows >= 1e5 ? `${Math.round(cell.rows / 1000)}k` : String(cell.rows),
                fill: (cell: { share: number }) => (cell.share > 0.3 ? "var(--on-heat)" : "currentColor"),
              },
            ),
          ]
        : []),
    ],
  });
}

/** Some seven whole numbers between the ends. */
function wholeTicks(values: readonly number[]): number[] {
  const [first, last] = [Math.min(...values), Math.max(...values)];
  const step = Math.max(1, Math.round((last - first) / 6));
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, k) => first + k * step);
}

/** How far two labels at these heights are moved, so that neither is written over the other. */
function apart([a = 0, b]: readonly number[]): number[] {
  const LINE = 14;
  if (b === undefined || Math.abs(a - b) >= LINE) return [0, 0];
  const half = (LINE - Math.abs(a - b)) / 2;
  return a <= b ? [-half, half] : [half, -half];
}

/** Losses as training went. */
export function curveChart(label: string, { unit, lines }: Curve): string {
  const strokes = [INK.model, INK.after];
  const ends = lines.map(({ name, points }) => ({ name, ...points.at(-1)! }));
  const [height, marginTop, marginBottom] = [260, 20, 30];
  const values = lines.flatMap(({ points }) => points.map(({ y }) => y)).filter(Number.isFinite);
  const range = Math.max(0, ...values) - Math.min(0, ...values);
  const shifts = apart(ends.map(({ y }) => (-y / (range || 1)) * (height - marginTop - marginBottom)));
  return draw(label, {
    width: WIDTH,
    height,
    marginTop,
    marginBottom,
    marginLeft: 50,
    marginRight: 70,
    x: { label: unit, ticks: wholeTicks(lines.flatMap(({ points }) => points.map(({ x }) => x))), tickFormat: "d" },
    y: { label: unit === "epoch" ? "mean NLL, nats" : "objective, nats", grid: true, zero: true },
    marks: [
      ...lines.map(({ points }, k) => Plot.line(points, { x: "x", y: "y", stroke: strokes[k] })),
      ...ends.map((end, k) =>
        Plot.text([end], {
          x: "x",
          y: "y",
          text: "name",
          dx: 6,
          dy: shifts[k]!,
          textAnchor: "start",
          fill: strokes[k],
        }),
      ),
    ],
  });
}

/** Rows that each format loses, in two bars. */
export function survivalChart({ survival, rows }: Scorecard): string {
  const bars = survival.flatMap(({ format, textbook, usual }) => [
    { format, way: "log(softmax(x))", share: textbook.rows / rows },
    { format, way: "log-sum-exp", share: usual.lost / rows },
  ]);
  return draw("Share of rows that a format loses, by formula", {
    width: WIDTH,
    height: 210,
    marginLeft: 112,
    marginRight: 36,
    marginBottom: 40,
    x: { domain: [0, 1], label: "rows lost", tickFormat: "%", grid: true },
    y: { label: null, domain: ["log(softmax(x))", "log-sum-exp"] },
    fy: { label: null, domain: survival.map(({ format }) => format) },
    marks: [
      Plot.barX(bars, {
        x: "share",
        y: "way",
        fy: "format",
        fill: (bar: { way: string }) => (bar.way === "log-sum-exp" ? INK.after : INK.model),
      }),
      Plot.ruleX([0]),
    ],
  });
}
