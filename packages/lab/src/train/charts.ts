import type uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { el } from "../dom.ts";
import type { Point } from "./worker.ts";

const SERIES = [
  ["nll", "NLL, in nats"],
  ["gradientNorm", "gradient norm"],
  ["accuracy", "accuracy"],
] as const;
const HEIGHT = 180;

const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Curves of a training, a chart each, and the last values as text. */
export class Charts {
  readonly root = el("div", { className: "charts" });
  #points: Point[] = [];
  #charts: uPlot[] = [];
  #due = false;

  /** Empty charts, in the colours of the moment. Without the library, which wants a language it knows, there are none. */
  async begin(): Promise<void> {
    const Plot = await import("uplot").then(
      (module) => module.default,
      () => undefined,
    );
    if (Plot === undefined) return;
    this.#points = [];
    for (const chart of this.#charts) chart.destroy();
    const places = SERIES.map(([, label]) => el("figure", { role: "img", "aria-label": `${label} by epochs` }));
    this.root.replaceChildren(...places);
    this.#charts = SERIES.map(([name, label], k) => {
      const axis = {
        stroke: colour("--soft"),
        grid: { stroke: colour("--line"), width: 1 },
        ticks: { stroke: colour("--line") },
      };
      const options: uPlot.Options = {
        width: Math.max(200, places[k].clientWidth),
        height: HEIGHT,
        title: label,
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false }, ...(name === "accuracy" && { y: { range: [0, 1] } }) },
        axes: [axis, { ...axis, size: 60 }],
        series: [{}, { label, stroke: colour("--accent"), width: 2, spanGaps: true }],
      };
      return new Plot(options, [[], []], places[k]);
    });
  }

  add(point: Point): void {
    this.#points.push(point);
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      const epochs = this.#points.map(({ epoch }) => epoch);
      SERIES.forEach(([name], k) => {
        this.#charts[k]?.setData([epochs, this.#points.map((point) => point[name] ?? null)]);
      });
    });
  }
}
