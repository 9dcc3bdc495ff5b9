import { writeFile } from "node:fs/promises";
import { type Curve, confusionChart, curveChart, reliabilityChart, survivalChart } from "./charts.ts";
import { replaceFile } from "./output.ts";
import { escapeHtml, page, section, table } from "./reportpage.ts";
import { survivalText } from "./reportwords.ts";
import type { Scorecard } from "./scorecard.ts";
import { count, percent, short, some } from "./words.ts";

export interface ReportParts {
  /** The model's file. */
  model: string;
  source: string;
  /** Whether the model knows these rows. */
  seen: "new" | "held" | "validation" | "training";
  card: Scorecard;
  curves?: Curve;
  /** What training made of its source, as text. */
  understanding?: string;
}

const SEEN = {
  new: "",
  held: " The model was not trained on these rows.",
  validation: " The rows chose the best epoch, so the numbers flatter a little.",
  training:
    " The model was trained on these very rows: on others it will be worse. Give --validation, or evaluate on others.",
};

/** Classes up to which the matrix is drawn. */
const MOST_DRAWN = 60;
const NOT_DRAWN = `With more than ${MOST_DRAWN} classes the matrix is not drawn; <code>napier evaluate --json</code> has it.`;
const NO_MATRIX = "With more than 1,000 classes there is no matrix.";
const LISTED = 100;

const share = (value: number | null): string => (value === null ? "–" : percent(value));

function figures({ nll, standardError, rows, accuracy, topK, brier, ece, classes }: Scorecard): string {
  const guess = Math.log(classes.length);
  const cells: [string, string, string][] = [
    [
      "NLL",
      `${short(nll)}${standardError === null ? "" : ` ± ${short(standardError, 2)}`}`,
      `nats; guessing has ${short(guess)}`,
    ],
    ["Accuracy", percent(accuracy), some(rows, "row")],
    ...topK
      .slice(1)
      .map((value, k): [string, string, string] => [`Top-${k + 2}`, percent(value), "true class among them"]),
    ["Brier score", short(brier), "0 is best, 2 worst"],
    ["ECE", short(ece), "0 is calibrated"],
  ];
  return `<dl>${cells.map(([name, value, more]) => `<div><dt>${name}</dt><dd>${value}<small>${more}</small></dd></div>`).join("")}</dl>`;
}

const figure = (svg: string, caption: string, shape = "chart"): string =>
  `<figure><div class="wide ${shape}" tabindex="0">${svg}</div><figcaption>${escapeHtml(caption)}</figcaption></figure>`;

function calibration({ recalibrated, bins, ece, rows, temperature }: Scorecard): string {
  const own = temperature === 1 ? "" : ` The model has a temperature of its own, ${short(temperature)}.`;
  const what = `<p>A dot is a bin of rows: across how sure the model was of its winner, up how often it was right. On the diagonal the two agree; below it the model is too sure.${own}</p>`;
  if (recalibrated === null) {
    const why = rows < 20 ? "there are too few rows" : "no temperature is the best one";
    return section(
      "Is it as sure as it is right?",
      what,
      figure(reliabilityChart("Reliability", bins, "model"), `ECE ${short(ece)}`),
      `<p class="soft">Not shown after calibration: ${why}.</p>`,
    );
  }
  const { before, after, temperatures, rows: kept } = recalibrated;
  const how = `<p>After calibration each half of ${kept === rows ? "the rows" : `the first ${some(kept, "row")}`} has the temperature that was fitted on the other half (${temperatures.map((T) => short(T)).join(" and ")}), so no row is judged by what it was fitted to. <code>napier calibrate</code> puts a temperature into the model.</p>`;
  const numbers = table(
    ["", "before", "after"],
    (["nll", "brier", "ece"] as const).map((key) => [
      key === "brier" ? "Brier" : key.toUpperCase(),
      short(before[key]),
      short(after[key]),
    ]),
  );
  return section(
    "Is it as sure as it is right?",
    what,
    `<div class="pair">${figure(reliabilityChart("Reliability before calibration", before.bins, "model"), "before calibration")}${figure(reliabilityChart("Reliability after calibration", after.bins, "after"), "after calibration")}</div>`,
    how,
    numbers,
  );
}

function confusion(card: Scorecard): string {
  const { classes, mostConfused } = card;
  const drawn = card.confusion !== null && classes.length <= MOST_DRAWN;
  const most = mostConfused.map(({ label, predicted, rows }) => [label, predicted, count(rows)]);
  return section(
    "What it takes for what",
    ...(drawn
      ? [
          figure(
            confusionChart(card),
            "Rows are true classes, columns what the model said; shades are shares of the row.",
            "matrix",
          ),
        ]
      : []),
    ...(most.length > 0 ? ["<p>Most often confused:</p>", table(["true", "predicted", "rows"], most)] : []),
    ...(drawn ? [] : [`<p>${card.confusion === null ? NO_MATRIX : NOT_DRAWN}</p>`]),
    ...(card.confusion !== null && most.length === 0 ? ["<p>No row is wrong.</p>"] : []),
  );
}

function perClass({ perClass: all }: Scorecard): string {
  const listed = [...all].sort((a, b) => (a.f1 ?? 2) - (b.f1 ?? 2)).slice(0, LISTED);
  const shown = all.length > LISTED ? listed : all;
  return section(
    "Class by class",
    `<p>Precision: of the rows that it gave this class, how many have it. Recall: of those that have it, how many it found. F1 is their harmonic mean.${all.length > LISTED ? ` The ${LISTED} of ${count(all.length)} classes with the lowest F1.` : ""}</p>`,
    table(
      ["class", "rows", "predicted", "precision", "recall", "F1"],
      shown.map((one) => [
        one.label,
        count(one.rows),
        count(one.predicted),
        share(one.precision),
        share(one.recall),
        share(one.f1),
      ]),
    ),
  );
}

function survival(card: Scorecard): string {
  const rows = card.survival.flatMap(({ format, textbook, usual }) => [
    [format, "log(softmax(x))", ...[textbook.overflow, textbook.underflow, textbook.lost, textbook.zero].map(count)],
    [format, "log-sum-exp", "–", "–", count(usual.lost), count(usual.zero)],
  ]);
  return section(
    "Would a textbook softmax have survived?",
    `<p>The model's logits on these rows, put through the usual formulas in half and single precision, step by step: <strong>${escapeHtml(survivalText(card))}</strong>.</p>`,
    figure(
      survivalChart(card),
      "Share of rows that a formula loses: by overflow or underflow, or because the winner is lost.",
    ),
    table(["format", "formula", "overflow", "underflow", "winner lost", "winner 0"], rows),
    '<p class="soft">Overflow: e<sup>x</sup> is ∞. Underflow: the probability of a class is 0 and its logarithm −∞. Log-sum-exp is x − max − log Σ e<sup>x − max</sup>, which has neither. Winner lost: the log-probability of the most probable class is 0, more than 2 ulp off, or no number; winner 0: it is exactly 0, and so is its gradient. Napier\'s own numbers are within 2 ulp in every row.</p>',
  );
}

/** A line of what was understood; where it is long, the rest stands below its text. */
const understood = (line: string): string => `<span>${escapeHtml(line)}</span>`;

/** The whole report, as one file that loads nothing. */
export function reportHtml({ model, source, seen, card, curves, understanding }: ReportParts): string {
  const body = [
    `<header><h1>${escapeHtml(model)} on ${escapeHtml(source)}</h1><p class="soft">${some(card.rows, "row")}, ${some(card.classes.length, "class")}.${SEEN[seen]}</p></header>`,
    figures(card),
    ...(understanding
      ? [
          section(
            "What it was trained on",
            `<pre>${understanding.trimEnd().split("\n").map(understood).join("")}</pre>`,
          ),
        ]
      : []),
    ...(curves
      ? [
          section(
            "How training went",
            figure(
              curveChart(`Loss by ${curves.unit}`, curves),
              curves.unit === "epoch"
                ? "Mean NLL by epoch."
                : "What L-BFGS minimises, by iteration: mean NLL and penalty.",
            ),
          ),
        ]
      : []),
    calibration(card),
    confusion(card),
    perClass(card),
    survival(card),
  ];
  return page(`${model} on ${source}`, body.join("\n"));
}

export async function writeReport(file: string, parts: ReportParts): Promise<void> {
  const html = reportHtml(parts);
  await replaceFile(file, (temporary) => writeFile(temporary, html, { flag: "wx" }));
}
