import type { DuckDBInstance } from "@duckdb/node-api";
import { DuckDBTypeId } from "@duckdb/node-api";
import { type LeftOut, NUMERIC, type TableColumn } from "./columns.ts";
import { quoteName } from "./database.ts";
import { count, some } from "./words.ts";

/** Rows that are looked at before anything is read. */
const SAMPLE = 20_000;
const FEWEST = 32;
/** Columns that are looked at: an id stands among the first. */
const WIDEST = 256;

const WHOLE: readonly DuckDBTypeId[] = [...NUMERIC].filter(
  (id) => id !== DuckDBTypeId.FLOAT && id !== DuckDBTypeId.DOUBLE && id !== DuckDBTypeId.DECIMAL,
);

/** A text column most of whose values are numbers: a typing error or a word for "missing" is among them. */
export interface NearlyNumbers {
  name: string;
  /** "579 of the first 600 values are numbers, "n/a" in row 17 is none" */
  text: string;
}

/**
 * What is doubtful about columns by their first rows: `counting` ones count the rows, as an id does, and would tell a
 * sorted table's classes; `nearly` ones are numbers but for a few.
 */
export async function doubts(
  db: DuckDBInstance,
  from: string,
  columns: readonly TableColumn[],
  isText: boolean,
): Promise<{ counting: LeftOut[]; nearly: NearlyNumbers[] }> {
  const texts = columns.filter(({ type }) => type.typeId === DuckDBTypeId.VARCHAR).slice(0, WIDEST);
  // a text format's numbers are all DOUBLE here
  const whole = columns
    .filter(({ type: { typeId } }) => WHOLE.includes(typeId) || (isText && typeId === DuckDBTypeId.DOUBLE))
    .slice(0, WIDEST);
  if (texts.length + whole.length === 0) return { counting: [], nearly: [] };
  const connection = await db.connect();
  try {
    const sample = `SELECT *, row_number() OVER () AS napier_row FROM (SELECT * FROM ${from} LIMIT ${SAMPLE})`;
    const counts = whole.map(({ name }) => {
      const x = quoteName(name);
      // a row without a number makes NULL of its term, and is seen by its count
      return `count(${x}) = count(*) AND min(${x}::DOUBLE - napier_row) = max(${x}::DOUBLE - napier_row)`;
    });
    const numbers = texts.flatMap(({ name }) => {
      const x = quoteName(name);
      const isNumber = `TRY_CAST(${x} AS DOUBLE) IS NOT NULL`;
      return [
        `count(${x})`,
        `count(*) FILTER (${isNumber})`,
        `arg_min(${x}, napier_row) FILTER (${x} IS NOT NULL AND NOT ${isNumber})`,
        `min(napier_row) FILTER (${x} IS NOT NULL AND NOT ${isNumber})`,
      ];
    });
    const found = await connection.runAndReadAll(
      `SELECT count(*), ${[...counts, ...numbers].join(", ")} FROM (${sample})`,
    );
    const [rows, ...values] = found.getRowsJS()[0]!;
    const counting = whole
      .filter((_, k) => Number(rows) >= FEWEST && values[k] === true)
      .map(({ name }) => ({ name, why: "counts the rows" }));
    const nearly = texts.flatMap(({ name }, k) => {
      const [held, numeric, first, row] = values.slice(whole.length + 4 * k, whole.length + 4 * k + 4);
      if (Number(numeric) * 2 <= Number(held)) return [];
      const of = Number(rows) < SAMPLE ? some(Number(held), "value") : `the first ${some(Number(held), "value")}`;
      const what = first === null ? "" : `, ${JSON.stringify(first)} in row ${count(Number(row))} is none`;
      return [{ name, text: `${count(Number(numeric))} of ${of} are numbers${what}` }];
    });
    return { counting, nearly };
  } finally {
    connection.closeSync();
  }
}
