import type { Format } from "napier/naive";
import { el } from "../dom.ts";
import { type Analysis, FORMATS, MOST_ULPS, type Trace } from "./analysis.ts";
import { formatNumber } from "./decimal.ts";

type Formula = "textbook" | "lse" | "napier";

/** The formulas, their steps in order, and what each table is called. */
const FORMULAS: Record<Formula, { id: string; title: string; steps: readonly string[] }> = {
  textbook: {
    id: "step-textbook",
    title: "The textbook: log(eᶻ / Σ eᶻ)",
    steps: ["z", "eᶻ", "Σ eᶻ", "eᶻ / Σ", "log of it"],
  },
  lse: {
    id: "step-lse",
    title: "The usual log-sum-exp: (z − m) − log Σ eᶻ⁻ᵐ",
    steps: ["z", "m, the maximum", "z − m", "eᶻ⁻ᵐ", "Σ eᶻ⁻ᵐ", "log Σ", "(z − m) − log Σ"],
  },
  napier: {
    id: "step-napier",
    title: "Napier: (z − m) − log1p(s), s without the maximum",
    steps: ["z", "m, the maximum", "z − m", "s = Σ eᶻ⁻ᵐ without m", "log1p(s)", "(z − m) − log1p(s)"],
  },
};

function ulpsText(ulps: number): string {
  if (Number.isNaN(ulps)) return "–";
  if (ulps === Infinity) return "no number";
  return ulps >= 1000 ? `${ulps.toExponential(1).replace("+", "")} ulp` : `${Number(ulps.toPrecision(2))} ulp`;
}

function stepRow(name: string, index: number, traces: Readonly<Record<Format, Trace>>): HTMLTableRowElement {
  const cells = FORMATS.map((format) => {
    const { value, fault } = traces[format].steps[index];
    const cell = el("td", { className: fault ? "number bad" : "number" }, formatNumber(value, format));
    if (fault) cell.append(el("strong", { className: "fault" }, fault));
    return cell;
  });
  return el("tr", {}, el("th", { scope: "row" }, name), ...cells);
}

function table(formula: Formula, traces: Readonly<Record<Format, Trace>>): HTMLTableElement {
  const { title, steps } = FORMULAS[formula];
  const columns = FORMATS.map((f) => el("th", { scope: "col", className: "number" }, f));
  const head = el("tr", {}, el("th", { scope: "col" }, "step"), ...columns);
  const error = FORMATS.map((format) => {
    const { ulps } = traces[format];
    return el("td", { className: `number ${ulps <= MOST_ULPS ? "good" : "bad"}` }, ulpsText(ulps));
  });
  const rows = steps.map((name, index) => stepRow(name, index, traces));
  const last = el("tr", { className: "error" }, el("th", { scope: "row" }, "off by"), ...error);
  return el("table", {}, el("caption", {}, title), el("thead", {}, head), el("tbody", {}, ...rows, last));
}

/** The three tables; their places stay, so that a link to one keeps the focus. */
export class Tables {
  readonly #places = (["textbook", "lse", "napier"] as const).map((formula) => {
    const { id, title } = FORMULAS[formula];
    return { formula, place: el("div", { id, className: "scroll", tabIndex: 0, role: "region", "aria-label": title }) };
  });
  readonly root = el("div", { id: "break-tables" }, ...this.#places.map(({ place }) => place));

  show(analysis: Analysis): void {
    for (const { formula, place } of this.#places) place.replaceChildren(table(formula, analysis[formula]));
  }
}

/** How many formats lose the class by a formula, as a sentence for those who don't see the colours. */
export function summary({ textbook, lse, napier, exact, winner, chosen }: Analysis): string {
  const lost = (traces: Readonly<Record<Format, Trace>>): string => {
    const names = FORMATS.filter((format) => !(traces[format].ulps <= MOST_ULPS));
    return names.length === 0 ? "holds in every format" : `loses it in ${names.join(", ")}`;
  };
  const which = chosen === winner ? `Class ${chosen}, the winner` : `Class ${chosen}`;
  return `${which}: exactly ${exact}. The textbook ${lost(textbook)}; the usual log-sum-exp ${lost(lse)}; Napier ${lost(napier)}.`;
}
