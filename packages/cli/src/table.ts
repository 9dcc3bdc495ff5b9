import type { DuckDBInstance } from "@duckdb/node-api";
import {
  type Choice,
  type Chosen,
  chooseFeatures,
  chooseTarget,
  chooseWeight,
  type FeatureColumn,
  matchFeatures,
  noColumn,
  type TableColumn,
  type TargetColumn,
} from "./columns.ts";
import { openDatabase, quoteName, quoteText, reading, readRows } from "./database.ts";
import { doubts } from "./doubts.ts";
import { inputError, shortName } from "./errors.ts";
import { type Location, locate } from "./locate.ts";
import { BLOCK_ROWS, type Block, type Slices, type Source, type SourceOptions } from "./rows.ts";
import { MOST_COLUMNS, tooManyColumns } from "./textguard.ts";
import { type Chunk, copyFeatures, copyLabels, copyWeights, learnSizes } from "./vectors.ts";
import { quoted } from "./words.ts";

export async function columnsOf(db: DuckDBInstance, from: string): Promise<TableColumn[]> {
  const connection = await db.connect();
  const statement = await connection.prepare(`SELECT * FROM ${from}`);
  const columns = Array.from({ length: statement.columnCount }, (_, i) => ({
    name: statement.columnName(i),
    type: statement.columnType(i),
  }));
  connection.closeSync();
  return columns;
}

/** What is read of a table, in the order in which a chunk has it. */
interface Plan {
  features: FeatureColumn[];
  weight: FeatureColumn | undefined;
  carried: readonly TableColumn[];
  target: TargetColumn | undefined;
}

async function* blocks(
  db: DuckDBInstance,
  source: string,
  from: string,
  again: boolean,
  plan: Plan,
  first = 0,
): AsyncGenerator<Block> {
  const { features, weight, carried, target } = plan;
  const selected = [
    ...[...features, ...(weight ? [weight] : [])].map((c) => c.sql),
    ...carried.map(({ name }) => quoteName(name)),
    ...(target ? [target.sql] : []),
  ];
  const carriedFrom = features.length + (weight ? 1 : 0);
  let row = first + 1;
  let block: Block | undefined;
  let filled = 0;
  for await (const { chunk, rows } of readRows(db, source, from, selected, again)) {
    const at: Chunk = { chunk, source, row };
    learnSizes(at, features);
    const inputs = features.reduce((sum, f) => sum + f.size!, 0);
    for (let done = 0; done < rows; ) {
      block ??= {
        x: { data: new Float32Array(BLOCK_ROWS * inputs), shape: [BLOCK_ROWS, inputs] },
        y: [],
        ...(weight && { weight: new Float64Array(BLOCK_ROWS) }),
        ...(carried.length > 0 && { carried: carried.map(() => []) }),
        row: row + done,
      };
      const count = Math.min(rows - done, BLOCK_ROWS - filled);
      copyFeatures(at, features, { from: done, count, data: block.x.data, inputs, at: filled });
      if (target) copyLabels(at, target, done, count, block.y);
      if (weight && block.weight) copyWeights(at, features.length, weight, done, count, block.weight, filled);
      block.carried?.forEach((values, k) => {
        const vector = chunk.getColumnVector(carriedFrom + k);
        for (let i = done; i < done + count; i++) values.push(vector.getItem(i));
      });
      done += count;
      filled += count;
      if (filled === BLOCK_ROWS) {
        yield block;
        block = undefined;
        filled = 0;
      }
    }
    row += rows;
  }
  if (row === first + 1) throw inputError(`${source} has no rows`);
  if (block) {
    const [, inputs] = block.x.shape;
    const x: Block["x"] = { data: block.x.data.subarray(0, filled * inputs), shape: [filled, inputs] };
    yield { ...block, x, ...(block.weight && { weight: block.weight.subarray(0, filled) }) };
  }
}

/** How many rows each file has, by its footer, in their order. */
async function countFiles(db: DuckDBInstance, files: readonly string[]): Promise<number[]> {
  const connection = await db.connect();
  try {
    const counts: number[] = [];
    for (const file of files) {
      const query = `SELECT num_rows FROM parquet_file_metadata(${quoteText(file.replace(/[*?[]/g, "[$&]"))})`;
      counts.push(Number((await connection.runAndReadAll(query)).getRows()[0]![0]));
    }
    return counts;
  } finally {
    connection.closeSync();
  }
}

export async function isEmpty(db: DuckDBInstance, from: string): Promise<boolean> {
  const connection = await db.connect();
  const first = await connection.runAndReadAll(`SELECT 1 FROM ${from} LIMIT 1`);
  connection.closeSync();
  return first.currentRowCount === 0;
}

function columnOf(source: string, columns: readonly TableColumn[], name: string): TableColumn {
  const column = columns.find((c) => c.name === name);
  if (column === undefined) throw noColumn(source, columns, name);
  return column;
}

/** Finds the source's columns and checks those that are needed; reads no more than the first rows. */
export async function openTable(source: string, options: SourceOptions): Promise<Source> {
  const name = shortName(source);
  const { target: targetName, labels, weight: weightName, features: needs, choice = {}, carry = [] } = options;
  if (labels !== undefined) throw inputError(`--labels: ${name} is a table`, "name its column by --target <column>");
  const db = await openDatabase();
  try {
    const { location, columns } = await reading(name, async () => {
      const location = await locate(await db.connect(), source);
      const columns = await columnsOf(db, location.from);
      if (columns.length > MOST_COLUMNS) throw tooManyColumns(name, columns.length);
      return { location, columns };
    });
    let plan: Plan;
    let found: Omit<Chosen, "chosen"> = { left: [], notNamed: 0 };
    let from: string;
    try {
      for (const column of carry) columnOf(name, columns, column);
      from = location.asText(carry);
      const carriedColumns = carry.length > 0 ? await reading(name, () => columnsOf(db, from)) : columns;
      const read = location.isGuessed
        ? columns.map((c) => (carry.includes(c.name) ? { ...c, isText: true } : c))
        : columns;
      const features = needs && matchFeatures(name, read, needs);
      const own = features ? undefined : await choose(db, name, location, columns, [targetName, weightName], choice);
      if (own) found = own;
      plan = {
        features: features ?? own?.chosen ?? [],
        weight: weightName === undefined ? undefined : chooseWeight(name, columns, weightName),
        carried: carry.map((column) => columnOf(name, carriedColumns, column)),
        target: targetName === undefined ? undefined : chooseTarget(name, columns, targetName),
      };
    } catch (error) {
      // a CSV without rows is all text, and that is not what is wrong with it
      throw (await reading(name, () => isEmpty(db, location.from))) ? inputError(`${name} has no rows`) : error;
    }
    const { features } = plan;
    const { slice } = location;
    const slices = async (): Promise<Slices> => {
      const counts = await reading(name, () => countFiles(db, location.files));
      const read = (first: number, end: number): AsyncIterable<Block> =>
        blocks(db, name, slice!(counts, first, end), true, plan, first);
      return { rows: counts.reduce((sum, rows) => sum + rows, 0), read };
    };
    return {
      name,
      files: location.files,
      inputs: location.inputs,
      get features() {
        return features.map((f) => ({ name: f.name, size: f.size ?? 0 }));
      },
      kinds: features.map(({ kind }) => kind),
      left: found.left,
      notNamed: found.notNamed,
      labelled: `column ${JSON.stringify(targetName)}`,
      carried: plan.carried,
      [Symbol.asyncIterator]: () => blocks(db, name, from, location.files.length > 0, plan),
      ...(slice && { slices }),
      close: () => db.closeSync(),
    };
  } catch (error) {
    db.closeSync();
    throw error;
  }
}

async function choose(
  db: DuckDBInstance,
  name: string,
  location: Location,
  columns: readonly TableColumn[],
  taken: readonly (string | undefined)[],
  choice: Choice,
): Promise<Chosen> {
  for (const column of taken) if (column !== undefined) columnOf(name, columns, column);
  const { features, exclude = [], keep = [] } = choice;
  if (features !== undefined) return chooseFeatures(name, columns, taken, choice);
  const open = columns.filter((c) => ![...taken, ...exclude, ...keep].includes(c.name));
  const { counting, nearly } = await reading(name, () => doubts(db, location.from, open, location.isGuessed));
  for (const { name: column, text } of nearly) {
    const hint = `put numbers there with sql:SELECT …, or leave it out with --exclude ${quoted(column)}`;
    throw inputError(`${name}: column ${JSON.stringify(column)} is text, but ${text}`, hint);
  }
  return chooseFeatures(name, columns, taken, choice, counting);
}
