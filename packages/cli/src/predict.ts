import { createReadStream, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DuckDBConnection, DuckDBType, DuckDBValue } from "@duckdb/node-api";
import { BIGINT, DOUBLE, DuckDBDataChunk, FLOAT, VARCHAR } from "@duckdb/node-api";
import type { Label, Model } from "napier/train";
import { openDatabase, quoteName, quoteText } from "./database.ts";
import { INTERRUPTED, inputError } from "./errors.ts";
import { readModel } from "./modelfile.ts";
import { checkOutput, replaceFile } from "./output.ts";
import { note, rowCounter } from "./progress.ts";
import { type Block, openSource } from "./source.ts";
import { some } from "./words.ts";

export interface PredictOptions {
  out: string;
  top: number;
}

interface Column {
  name: string;
  type: DuckDBType;
}

const CHUNK_ROWS = 2048; // DuckDB's vector size, the most that a chunk holds

const COPY_OPTIONS: Record<string, string> = {
  csv: "FORMAT csv, HEADER",
  parquet: "FORMAT parquet",
  jsonl: "FORMAT json",
};

function copyOptions(out: string): string {
  const format = out === "-" ? "csv" : out.replace(/^.*\./s, "").toLowerCase();
  const options = COPY_OPTIONS[format];
  if (options === undefined) throw inputError(`--out ${out}: unknown format`, "use .parquet, .csv, .jsonl or -");
  return options;
}

function columnsOf({ classes }: Model, top: number): Column[] {
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
  return columns;
}

/** The values of the block's columns, in the order of `columnsOf`. */
function predictions(model: Model, { x }: Block, top: number, columns: readonly Column[]): DuckDBValue[][] {
  const probs = model.probs(x).data;
  const width = model.classes.length;
  const { classes, logProbs } = model.top(x, top);
  const value = (label: Label): DuckDBValue => (columns[0]!.type === BIGINT ? BigInt(label) : label);
  const first = classes.map((best) => value(best[0]!));
  const probability = classes.map((_, i) => {
    let largest = 0;
    for (let j = i * width; j < (i + 1) * width; j++) largest = Math.max(largest, probs[j]!);
    return largest;
  });
  const result = [first, probability, logProbs.map((best) => best[0]!)];
  for (let k = 0; top > 1 && k < top; k++) {
    result.push(
      classes.map((best) => value(best[k]!)),
      logProbs.map((best) => best[k]!),
    );
  }
  return result;
}

async function fill(
  connection: DuckDBConnection,
  columns: readonly Column[],
  blocks: AsyncIterable<DuckDBValue[][]>,
): Promise<void> {
  await connection.run(`CREATE TABLE predictions (${columns.map((c) => `${quoteName(c.name)} ${c.type}`).join(", ")})`);
  const appender = await connection.createAppender("predictions");
  for await (const block of blocks) {
    const rows = block[0]!.length;
    for (let first = 0; first < rows; first += CHUNK_ROWS) {
      const part = block.map((values) => values.slice(first, first + CHUNK_ROWS));
      const chunk = DuckDBDataChunk.create(
        columns.map((c) => c.type),
        part[0]!.length,
      );
      chunk.setColumns(part);
      appender.appendDataChunk(chunk);
    }
  }
  appender.closeSync();
}

/** `napier predict`: reads block by block; the predictions are kept until all are there, then written. */
export async function predict(path: string, name: string, { out, top }: PredictOptions): Promise<void> {
  const copy = copyOptions(out);
  const model = await readModel(path);
  if (top > model.classes.length) {
    throw inputError(`--top ${top}: the model has ${some(model.classes.length, "class")}`);
  }
  const source = await openSource(name, { features: model.features });
  const db = await openDatabase();
  let temporary: string | undefined;
  const onInterrupt = (): void => {
    if (temporary !== undefined) rmSync(temporary, { recursive: true, force: true });
    process.exit(INTERRUPTED);
  };
  process.once("SIGINT", onInterrupt);
  try {
    if (out !== "-") checkOutput(out, source);
    const columns = columnsOf(model, top);
    const counter = rowCounter(`predicting ${source.name}`);
    let rows = 0;
    async function* blocks(): AsyncGenerator<DuckDBValue[][]> {
      for await (const block of source) {
        yield predictions(model, block, top, columns);
        rows += block.x.shape[0];
        counter.rows(rows);
      }
    }
    const connection = await db.connect();
    await fill(connection, columns, blocks());
    counter.end();
    const write = async (file: string): Promise<void> => {
      temporary ??= file;
      await connection.run(`COPY predictions TO ${quoteText(file)} (${copy})`);
    };
    if (out !== "-") {
      await replaceFile(out, write);
      note(`${out}: ${some(rows, "row")}`);
      return;
    }
    const folder = await mkdtemp(join(tmpdir(), "napier-"));
    temporary = folder;
    try {
      await write(join(folder, "predictions.csv"));
      await pipeline(createReadStream(join(folder, "predictions.csv")), process.stdout, { end: false });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } finally {
    process.off("SIGINT", onInterrupt);
    source.close();
    db.closeSync();
  }
}
