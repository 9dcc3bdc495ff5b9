import type { DuckDBInstance, DuckDBListVector } from "@duckdb/node-api";
import { DuckDBTypeId } from "@duckdb/node-api";
import { NUMERIC, noColumn, numbersOf, type TableColumn } from "./columns.ts";
import { openDatabase, quoteName, reading, readRows } from "./database.ts";
import { inputError, listOf } from "./errors.ts";
import { type Location, locate, TABLES } from "./locate.ts";
import { note } from "./progress.ts";
import { checkClasses, type Scores, type ScoresOptions, type Tile, tileRows } from "./scores.ts";
import { columnsOf, isEmpty } from "./table.ts";
import { bad, type Chunk, NO_MISSING, nullIn, raw } from "./vectors.ts";

interface Choice {
  /** One list column, or a column for each class. */
  logits: TableColumn[];
  list: boolean;
  float: boolean;
  target: TableColumn | undefined;
}

/** The numeric columns in their order, or the one list column; text and the like is left out and said so. */
function choose(
  source: string,
  columns: readonly TableColumn[],
  targets: string | undefined,
  exclude: readonly string[],
): Choice {
  const find = (name: string): TableColumn => {
    const column = columns.find((c) => c.name === name);
    if (column === undefined) throw noColumn(source, columns, name);
    return column;
  };
  for (const name of exclude) find(name);
  const target = targets === undefined ? undefined : find(targets);
  if (target !== undefined && !NUMERIC.has(target.type.typeId)) {
    throw inputError(`${source}: target column ${JSON.stringify(target.name)} is ${target.type}, not class indices`);
  }
  const others = columns.filter((column) => column !== target && !exclude.includes(column.name));
  const numbers = others.filter((column) => NUMERIC.has(numbersOf(column.type).items.typeId));
  const lists = numbers.filter((column) => numbersOf(column.type).list);
  if (numbers.length === 0) {
    throw inputError(`${source}: no column of numbers`, `its columns are ${listOf(columns.map((c) => c.name))}`);
  }
  if (lists.length > 0 && numbers.length > 1) {
    const names = listOf(numbers.map((c) => c.name));
    throw inputError(
      `${source}: columns ${names}: expected one list column, or a column of numbers for each class`,
      "leave the others out with --exclude",
    );
  }
  const left = others.filter((column) => !numbers.includes(column));
  if (left.length > 0) {
    const names = listOf(left.map((c) => c.name));
    note(`${source}: ${left.length === 1 ? `column ${names} is` : `columns ${names} are`} not numbers and left out`);
  }
  const float = numbers.every((column) => numbersOf(column.type).items.typeId === DuckDBTypeId.FLOAT);
  return { logits: numbers, list: lists.length > 0, float, target };
}

type Data = Float32Array | Float64Array;

/** Rows `from` to `from + count` of a chunk whose columns are classes. */
function copyScalars(c: Chunk, names: readonly string[], from: number, count: number, data: Data): void {
  const classes = names.length;
  for (let j = 0; j < classes; j++) {
    const vector = raw(c.chunk.getColumnVector(j));
    const missing = nullIn(vector, from, from + count);
    if (missing >= 0) throw bad(c, missing, names[j]!, "NULL", NO_MISSING);
    const { items } = vector;
    for (let i = 0, k = j; i < count; i++, k += classes) data[k] = items[from + i]!;
  }
}

/** The same where the first column holds a list of classes; `from` is 1 row at least. */
function copyLists(c: Chunk, name: string, from: number, count: number, classes: number, data: Data): void {
  const lists = c.chunk.getColumnVector(0) as DuckDBListVector;
  const missing = nullIn(lists as unknown as Parameters<typeof nullIn>[0], from, from + count);
  if (missing >= 0) throw bad(c, missing, name, "NULL", NO_MISSING);
  const vector = raw(lists.childVector);
  for (let i = 0; i < count; i++) {
    const start = lists.getEntryOffset(from + i);
    const length = lists.getEntryLength(from + i);
    if (length !== classes) throw bad(c, from + i, name, `a list of ${length} numbers where row 1 has ${classes}`);
    const hole = nullIn(vector, start, start + length);
    if (hole >= 0) throw bad(c, from + i, name, `NULL in the list, item ${hole - start + 1}`, NO_MISSING);
    data.set(vector.items.subarray(start, start + length), i * classes);
  }
}

function copyTargets(c: Chunk, { name }: TableColumn, from: number, count: number): Float64Array {
  const vector = raw(c.chunk.getColumnVector(c.chunk.columnCount - 2));
  const missing = nullIn(vector, from, from + count);
  if (missing >= 0) throw bad(c, missing, name, "NULL in the target");
  return Float64Array.from(vector.items.subarray(from, from + count));
}

/** Classes of the first row's list, or −1 where it is NULL. */
function firstLength(c: Chunk): number {
  const lists = c.chunk.getColumnVector(0) as DuckDBListVector;
  return nullIn(lists as unknown as Parameters<typeof nullIn>[0], 0, 1) >= 0 ? -1 : lists.getEntryLength(0);
}

function selectOf({ logits, list, float, target }: Choice): string[] {
  const type = `${float ? "FLOAT" : "DOUBLE"}${list ? "[]" : ""}`;
  const parts = logits.map(({ name }) => `${quoteName(name)}::${type}`);
  if (target) parts.push(`${quoteName(target.name)}::DOUBLE`);
  return parts;
}

async function* tiles(
  db: DuckDBInstance,
  source: string,
  { from, files }: Location,
  choice: Choice,
): AsyncGenerator<Tile> {
  const { logits, list, float, target } = choice;
  const names = logits.map((c) => c.name);
  let row = 1;
  let classes = list ? 0 : names.length;
  let buffer: Data | undefined;
  for await (const part of readRows(db, source, from, selectOf(choice), files.length > 0)) {
    const c: Chunk = { chunk: part.chunk, source, row };
    if (classes === 0) classes = firstLength(c);
    if (classes === -1) throw bad(c, 0, names[0]!, "NULL", NO_MISSING);
    if (classes === 0) throw bad(c, 0, names[0]!, "an empty list");
    checkClasses(source, classes);
    const most = tileRows(classes);
    buffer ??= float ? new Float32Array(most * classes) : new Float64Array(most * classes);
    for (let done = 0; done < part.rows; done += most) {
      const rows = Math.min(most, part.rows - done);
      if (list) copyLists(c, names[0]!, done, rows, classes, buffer);
      else copyScalars(c, names, done, rows, buffer);
      const targets = target ? copyTargets(c, target, done, rows) : null;
      yield { data: buffer.subarray(0, rows * classes), rows, row: row + done, classes, targets };
    }
    row += part.rows;
  }
  if (row === 1) throw inputError(`${source} has no rows`);
}

/** Logits from whatever DuckDB reads: NaN and ±∞ are read as they are, NULL is an error. */
export async function openScoreTable(source: string, name: string, options: ScoresOptions): Promise<Scores> {
  const db = await openDatabase();
  try {
    const { location, columns } = await reading(name, async () => {
      const location = await locate(await db.connect(), source, `.npy, ${TABLES}`);
      return { location, columns: await columnsOf(db, location.from) };
    });
    let choice: Choice;
    try {
      choice = choose(name, columns, options.targets, options.exclude ?? []);
    } catch (error) {
      // a CSV without rows is all text, and that is not what is wrong with it
      throw (await reading(name, () => isEmpty(db, location.from))) ? inputError(`${name} has no rows`) : error;
    }
    return {
      name,
      dtype: choice.float ? "f32" : "f64",
      tiles: () => tiles(db, name, location, choice),
      close: async () => db.closeSync(),
    };
  } catch (error) {
    db.closeSync();
    throw error;
  }
}
