import type { Feature, Label } from "napier/train";
import type { Kind, LeftOut } from "./columns.ts";
import { listOf, visible } from "./errors.ts";
import type { Held } from "./hold.ts";
import { count, percent, some } from "./words.ts";

/** What `train` made of its source, before it trains. */
export interface Understanding {
  source: string;
  files: number;
  rows: number;
  features: { name: string; kind: Kind; size: number }[];
  /** Numbers of a row: the sizes of the features together. */
  inputs: number;
  /** Where the labels are: `column "y"`, or a file. */
  labels: string;
  classes: { label: Label; rows: number }[];
  /** The column that says how much each row counts. */
  weight: string | null;
  leftOut: LeftOut[];
  /** Columns that nobody asked for where --features names some. */
  notNamed: number;
  validation: { rows: number; source: string | null } | null;
}

const SHOWN = 10;

export function understand(
  name: string,
  held: Held,
  validation: Held | number | undefined,
  weight: string | undefined,
): Understanding {
  const { source, rows } = held;
  const features = held.features.map(({ name, size }: Feature, k) => ({ name, kind: source.kinds[k]!, size }));
  const classes = [...held.labels]
    .map(([label, seen]) => ({ label, rows: seen.rows }))
    .sort((a, b) => b.rows - a.rows || (String(a.label) < String(b.label) ? -1 : 1));
  const own =
    validation === undefined
      ? null
      : typeof validation === "number"
        ? { rows: Math.round(rows * validation), source: null }
        : { rows: validation.rows, source: validation.source.name };
  return {
    source: name,
    files: source.files.length,
    rows,
    features,
    inputs: features.reduce((sum, { size }) => sum + size, 0),
    labels: source.labelled,
    classes,
    weight: weight ?? null,
    leftOut: [...source.left],
    notNamed: source.notNamed,
    validation: own,
  };
}

/** "a, b, c and 781 more" */
function firstOf(names: readonly string[]): string {
  const shown = names
    .slice(0, SHOWN)
    .map((name) => visible(name))
    .join(", ");
  return names.length > SHOWN ? `${shown} and ${count(names.length - SHOWN)} more` : shown;
}

function featureLines({ features }: Understanding): string[] {
  const of = (kind: Kind) => features.filter((feature) => feature.kind === kind);
  const names = (list: readonly { name: string }[]) => firstOf(list.map(({ name }) => name));
  const [numbers, booleans, lists] = [of("number"), of("boolean"), of("list")];
  return [
    ...(numbers.length > 0 ? [`${some(numbers.length, "number")}: ${names(numbers)}`] : []),
    ...(booleans.length > 0 ? [`${some(booleans.length, "boolean")} (0 and 1): ${names(booleans)}`] : []),
    ...lists.map(({ name, size }) => `a list of ${some(size, "number")}: ${name}`),
  ];
}

function classLines({ classes, rows, labels }: Understanding): string[] {
  const one = ({ label, rows: own }: { label: Label; rows: number }) =>
    `${visible(String(label))} ${count(own)} (${percent(own / rows)})`;
  const few = classes.length <= SHOWN;
  const shown = few
    ? classes.map(one).join(", ")
    : `${classes.slice(0, 3).map(one).join(", ")}, … ${one(classes.at(-1)!)}`;
  return [`${count(classes.length)} in ${labels}: ${shown}`];
}

/** Columns that are left out, by the reason. */
function leftLines({ leftOut, notNamed }: Understanding): string[] {
  const reasons = new Map<string, string[]>();
  for (const { name, why } of leftOut) reasons.set(why, [...(reasons.get(why) ?? []), name]);
  const lines = [...reasons].map(([why, names]) => `${listOf(names)}: ${why}`);
  return notNamed > 0 ? [...lines, `${some(notNamed, "column")} that --features does not name`] : lines;
}

/** For people; ends with a line break. */
export function understandingText(found: Understanding): string {
  const files = found.files > 1 ? ` in ${some(found.files, "file")}` : "";
  const { validation } = found;
  const held =
    validation &&
    `${some(validation.rows, "row")} ${validation.source ? `of ${validation.source}` : "of these, held out"}`;
  const parts: [string, string[]][] = [
    ["features", featureLines(found)],
    ["classes", classLines(found)],
    ["weights", found.weight === null ? [] : [`column ${JSON.stringify(visible(found.weight))}`]],
    ["left out", leftLines(found)],
    ["validation", held ? [held] : []],
  ];
  const lines = parts.flatMap(([title, texts]) =>
    texts.map((text, k) => `  ${(k === 0 ? title : "").padEnd(12)}${text}`),
  );
  return `${[`${found.source}: ${some(found.rows, "row")}${files}`, ...lines].join("\n")}\n`;
}
