import type { Findings, Usual } from "../../../cli/src/findings.ts";
import { count, some } from "../../../cli/src/words.ts";
import { el } from "../dom.ts";

function usualCells(usual: Usual | undefined): HTMLElement[] {
  if (usual === undefined) return [el("td", {}, "–"), el("td", {}, "–")];
  const { lost, zero, worst } = usual;
  const far = worst && (Number.isFinite(worst.ulps) ? `${worst.ulps.toPrecision(3)} ulp` : "no number");
  return [
    el(
      "td",
      { className: `number ${lost > 0 ? "bad" : "good"}` },
      lost === 0 ? "none" : `${count(lost)}, ${count(zero)} of them 0`,
    ),
    el("td", { className: "number" }, worst ? `row ${worst.row}: ${far}` : "–"),
  ];
}

/** What breaks, a row for each format. */
export function formatsTable({ textbook, usual }: Findings): HTMLTableElement {
  const head = ["format", "textbook: rows that overflow", "that underflow", "usual formula: winners lost", "worst"];
  const rows = Object.entries(textbook ?? {}).map(([format, { overflow, underflow }]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, format),
      el("td", { className: `number ${overflow > 0 ? "bad" : "good"}` }, overflow === 0 ? "none" : count(overflow)),
      el("td", { className: `number ${underflow > 0 ? "bad" : "good"}` }, underflow === 0 ? "none" : count(underflow)),
      ...usualCells(usual?.[format as keyof typeof usual]),
    ),
  );
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
