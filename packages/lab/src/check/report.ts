import type { Findings, Worst } from "../../../cli/src/findings.ts";
import { count, some } from "../../../cli/src/words.ts";
import { el } from "../dom.ts";

const number = (value: number, text = count(value)): HTMLElement =>
  el("td", { className: `number ${value > 0 ? "bad" : "good"}` }, value === 0 ? "none" : text);

function winners(lost: number | null | undefined, zero: number | null | undefined): HTMLElement {
  if (typeof lost !== "number" || typeof zero !== "number") return el("td", {}, "–");
  return number(lost, `${count(lost)}, ${count(zero)} of them 0`);
}

function farthest(worst: Worst | null | undefined): HTMLElement {
  const far = worst && (Number.isFinite(worst.ulps) ? `${worst.ulps.toPrecision(3)} ulp` : "no number");
  return el("td", { className: "number" }, worst ? `row ${worst.row}: ${far}` : "–");
}

/** What breaks, a row for each format. */
export function formatsTable({ textbook, usual }: Findings): HTMLTableElement {
  const head = [
    "format",
    "textbook: rows that overflow",
    "that underflow",
    "winners lost",
    "usual formula: winners lost",
    "worst",
  ];
  const rows = Object.entries(textbook ?? {}).map(([format, { overflow, underflow, lost, zero }]) => {
    const found = usual?.[format as keyof typeof usual];
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, format),
      number(overflow),
      number(underflow),
      winners(lost, zero),
      winners(found?.lost, found?.zero),
      farthest(found?.worst),
    );
  });
  return el(
    "table",
    {},
    el("caption", {}, "What the formulas would break"),
    el("thead", {}, el("tr", {}, ...head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, ...rows),
  );
}

/** The findings in a sentence or two. */
export function verdict({ rows, classes, broken }: Findings): string {
  const size = `${some(rows, "row")} of ${some(classes, "class")}.`;
  if (broken.rows === 0) return `${size} No row is broken: each has a finite answer.`;
  return `${size} ${some(broken.rows, "row")} ${broken.rows === 1 ? "is" : "are"} broken for everybody: NaN, +∞ or nothing but −∞.`;
}

/** What is in a model. */
export function factsTable(facts: readonly [label: string, text: string][]): HTMLTableElement {
  const rows = facts.map(([label, text]) => el("tr", {}, el("th", { scope: "row" }, label), el("td", {}, text)));
  return el("table", {}, el("caption", {}, "What is in it"), el("tbody", {}, ...rows));
}
