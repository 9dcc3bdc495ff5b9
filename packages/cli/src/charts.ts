import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { ReliabilityBin } from "napier/train";
import type { Scorecard } from "./scorecard.ts";

/** Colours that differ in light and in dark, and without colours by lightness; the page defines them. */
const INK = { model: "var(--model)", after: "var(--after)", faint: "var(--faint)", heat: "var(--heat)" };

/** Points of a curve, by step. */
export interface Curve {
  /** "epoch" or "iteration" */
  unit: string;
  lines: { name: string; points: { x: number; y: number }[] }[];
}

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
    width: 400,
    height: 360,
    marginLeft: 50,
    marginBottom: 40,
    x: { domain: [0, 1], label: "how sure it was (mean probability of its winner)", percent: false, tickFormat: "%" },
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
  const room = Math.min(14, Math.max(...names.map((name) => name.length)));
  const size = Math.max(18, Math.min(64, Math.floor(560 / names.length)));
  const text = (name: string): string => (name.length > 14 ? `${name.slice(0, 6)}…${name.slice(-7)}` : name);
  const side = names.length * size;
  const turned = names.length * room > 48;
  return draw("Confusion matrix: true classes down, predicted classes across", {
    width: side + 40 + room * 8,
    height: side + 30 + (turned ? room * 7 : 20),
    marginLeft: 30 + room * 8,
    marginTop: 30 + (turned ? room * 7 : 10),
    marginRight: 10,
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

/** Losses as training went. */
export function curveChart(label: string, { unit, lines }: Curve): string {
  const strokes = [INK.model, INK.after];
  const ends = lines.map(({ name, points }) => ({ name, ...points.at(-1)! }));
  return draw(label, {
    width: 520,
    height: 280,
    marginLeft: 56,
    marginRight: 90,
    x: { label: unit, ticks: wholeTicks(lines.flatMap(({ points }) => points.map(({ x }) => x))), tickFormat: "d" },
    y: { label: "mean NLL, nats", grid: true, zero: true },
    marks: [
      ...lines.map(({ points }, k) => Plot.line(points, { x: "x", y: "y", stroke: strokes[k] })),
      ...ends.map((end, k) =>
        Plot.text([end], { x: "x", y: "y", text: "name", dx: 6, textAnchor: "start", fill: strokes[k] }),
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
    width: 520,
    height: 210,
    marginLeft: 110,
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
