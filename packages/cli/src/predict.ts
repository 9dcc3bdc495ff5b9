import type { DuckDBValue } from "@duckdb/node-api";
import { BIGINT, DOUBLE, FLOAT, VARCHAR } from "@duckdb/node-api";
import type { Label, Model } from "napier/train";
import { INTERRUPTED, Interruption, inputError, listOf, TERMINATED } from "./errors.ts";
import { readModel } from "./modelfile.ts";
import { checkApart, checkOutput, replaceFile } from "./output.ts";
import { note, rowCounter } from "./progress.ts";
import { stopQueries } from "./queries.ts";
import type { Block, Source } from "./rows.ts";
import { openSource } from "./source.ts";
import { type Column, FORMATS, openTableWriter, type TableFormat } from "./tablewriter.ts";
import { some } from "./words.ts";

export interface PredictOptions {
  /** - is stdout. */
  out: string;
  /** By default that of the file's name; CSV on stdout. */
  format?: TableFormat;
  top: number;
  /** Columns of the source that stand before the predictions. */
  keep?: string[];
  logits?: boolean;
  /** Writes over a file that is there. */
  force?: boolean;
}

function formatOf(out: string, format: TableFormat | undefined): TableFormat {
  if (out === "-") return format ?? "csv";
  const name = out.replace(/^.*\./s, "").toLowerCase();
  const known = format ?? FORMATS.find((each) => each === name);
  if (known === undefined) {
    throw inputError(`--out ${out}: unknown format`, "use .parquet, .csv, .jsonl or -, or name it by --format");
  }
  return known;
}

function columnsOf({ classes }: Model, { top, logits }: PredictOptions): Column[] {
  const numbers = typeof classes[0] === "number";
  const label = !numbers ? VARCHAR : classes.every(Number.isInteger) ? BIGINT : DOUBLE;
  const columns: Column[] = [
    { name: "prediction", type: label },
    { name: "probability", type: FLOAT },
    { name: "log_probability", type: FLOAT },
  ];
  for (let k = 1; top > 1 && k <= top; k++) {
    columns.push({ name: `class_${k}`, type: label }, { name: `log_prob_${k}`, type: FLOAT });
  }
  if (logits) columns.push(...classes.map((name) => ({ name: `logit_${name}`, type: FLOAT })));
  return columns;
}

/** Throws where a column that is kept has the name of one that is added. */
function checkNames(source: Source, added: readonly Column[]): void {
  const names = source.carried.map(({ name }) => name);
  const twice = names.filter((name, k) => names.indexOf(name) < k || added.some((column) => column.name === name));
  if (twice.length === 0) return;
  const hint = "give it another name with sql:SELECT … AS …";
  throw inputError(`--keep ${twice[0]}: the result would have two columns ${listOf(twice.slice(0, 1))}`, hint);
}

/** The values of the block's columns: those that are kept, then those of `columnsOf`. */
function predictions(
  model: Model,
  { x, carried = [] }: Block,
  { top, logits }: PredictOptions,
  added: readonly Column[],
): DuckDBValue[][] {
  const probs = model.probs(x).data;
  const width = model.classes.length;
  const { classes, logProbs } = model.top(x, top);
  const value = (label: Label): DuckDBValue => (added[0]!.type === BIGINT ? BigInt(label) : label);
  const probability = classes.map((_, i) => {
    let largest = 0;
    for (let j = i * width; j < (i + 1) * width; j++) largest = Math.max(largest, probs[j]!);
    return largest;
  });
  const result = [...carried, classes.map((best) => value(best[0]!)), probability, logProbs.map((best) => best[0]!)];
  for (let k = 0; top > 1 && k < top; k++) {
    result.push(
      classes.map((best) => value(best[k]!)),
      logProbs.map((best) => best[k]!),
    );
  }
  if (logits) {
    const { data } = model.logits(x);
    for (let j = 0; j < width; j++) result.push(classes.map((_, i) => data[i * width + j]!));
  }
  return result;
}

/** `napier predict`: reads and writes batch by batch. */
export async function predict(path: string, name: string, options: PredictOptions): Promise<void> {
  const { out, top, keep, force = false } = options;
  const format = formatOf(out, options.format);
  const file = out === "-" ? undefined : out;
  checkApart({ "--out": file }, { "the model": path });
  const model = await readModel(path);
  if (top > model.classes.length) {
    throw inputError(`--top ${top}: the model has ${some(model.classes.length, "class")}`);
  }
  // it stops between two blocks: a file that a thread still makes could not be taken away; the second signal does not wait
  let stopped: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopped !== undefined) process.exit(stopped);
    stopped = signal === "SIGTERM" ? TERMINATED : INTERRUPTED;
    stopQueries(signal);
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  let source: Source | undefined;
  try {
    source = await openSource(name, { features: model.features, carry: keep });
    checkApart({ "--out": file }, { "the source": source.inputs });
    if (file !== undefined) checkOutput(file, "--out", force);
    const added = columnsOf(model, options);
    checkNames(source, added);
    const columns = [...source.carried, ...added];
    const counter = rowCounter(`predicting ${source.name}`);
    let rows = 0;
    const rowsOf = source;
    const write = async (to: string | NodeJS.WriteStream): Promise<void> => {
      const writer = await openTableWriter(to, format, columns, out);
      try {
        for await (const block of rowsOf) {
          if (stopped !== undefined) throw new Interruption(stopped, "interrupted; nothing is saved");
          await writer.add(predictions(model, block, options, added));
          rows += block.x.shape[0];
          counter.rows(rows);
        }
        await writer.end();
      } finally {
        await writer.close();
      }
    };
    if (out === "-") await write(process.stdout);
    else await replaceFile(out, write);
    counter.end();
    if (out !== "-") note(`${out}: ${some(rows, "row")}`);
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    source?.close();
  }
}
