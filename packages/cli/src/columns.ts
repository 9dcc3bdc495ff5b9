import type { DuckDBType } from "@duckdb/node-api";
import { DuckDBTypeId } from "@duckdb/node-api";
import type { Feature } from "napier/train";
import { quoteName } from "./database.ts";
import { type CommandError, inputError, listOf, nearest } from "./errors.ts";

export interface TableColumn {
  name: string;
  type: DuckDBType;
}

/** One feature to read; the size of a list is not known before its first row unless a model says it. */
export interface FeatureColumn {
  name: string;
  list: boolean;
  size: number | undefined;
  /** Who says so, for messages. */
  sizeOf: "row 1 has" | "the model needs";
  sql: string;
}

export interface TargetColumn {
  name: string;
  numeric: boolean;
  sql: string;
}

export const EXACT_IN_FLOAT = new Set([
  DuckDBTypeId.BOOLEAN,
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.FLOAT,
]);
export const NUMERIC = new Set([
  DuckDBTypeId.TINYINT,
  DuckDBTypeId.SMALLINT,
  DuckDBTypeId.INTEGER,
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UTINYINT,
  DuckDBTypeId.USMALLINT,
  DuckDBTypeId.UINTEGER,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.FLOAT,
  DuckDBTypeId.DOUBLE,
  DuckDBTypeId.DECIMAL,
]);
const NESTED = new Set([
  DuckDBTypeId.LIST,
  DuckDBTypeId.ARRAY,
  DuckDBTypeId.STRUCT,
  DuckDBTypeId.MAP,
  DuckDBTypeId.UNION,
]);

/** The type of a column's numbers: its own, or that of its items where it holds lists or arrays. */
export function numbersOf(type: DuckDBType): { list: boolean; items: DuckDBType } {
  const list = type.typeId === DuckDBTypeId.LIST || type.typeId === DuckDBTypeId.ARRAY;
  return { list, items: list ? (type as DuckDBType & { valueType: DuckDBType }).valueType : type };
}

/** Null where the column does not hold numbers. */
function asFeature({ name, type }: TableColumn, size: number | undefined): FeatureColumn | null {
  const { list, items } = numbersOf(type);
  if (items.typeId !== DuckDBTypeId.BOOLEAN && !NUMERIC.has(items.typeId)) return null;
  // FLOAT or DOUBLE whatever the column's type, so that one value gives the same bits from every format
  const read = EXACT_IN_FLOAT.has(items.typeId) ? "FLOAT" : "DOUBLE";
  const sizeOf = size === undefined ? "row 1 has" : "the model needs";
  return { name, list, size: list ? size : 1, sizeOf, sql: `${quoteName(name)}::${read}${list ? "[]" : ""}` };
}

function notNumbers(source: string, refused: readonly TableColumn[], hint: string): CommandError {
  const text = refused.every((column) => column.type.typeId === DuckDBTypeId.VARCHAR);
  const kinds = text ? "text" : [...new Set(refused.map((column) => String(column.type)))].join(" and ");
  const names = listOf(refused.map((column) => column.name));
  return inputError(
    `${source}: ${refused.length === 1 ? `column ${names} is` : `columns ${names} are`} ${kinds}, not numbers`,
    hint,
  );
}

export function noColumn(source: string, columns: readonly TableColumn[], name: string, suffix = ""): CommandError {
  const names = columns.map((c) => c.name);
  const near = nearest(name, names);
  return inputError(
    `${source}: no column ${JSON.stringify(name)}${suffix}`,
    near === undefined ? `its columns are ${listOf(names)}` : `did you mean ${JSON.stringify(near)}?`,
  );
}

export function chooseTarget(source: string, columns: readonly TableColumn[], name: string): TargetColumn {
  const column = columns.find((c) => c.name === name);
  if (column === undefined) throw noColumn(source, columns, name);
  if (NESTED.has(column.type.typeId)) {
    throw inputError(`${source}: target column ${JSON.stringify(name)} is ${column.type}; a label is a number or text`);
  }
  const numeric = NUMERIC.has(column.type.typeId);
  return { name, numeric, sql: `${quoteName(name)}::${numeric ? "DOUBLE" : "VARCHAR"}` };
}

/** One number a row, read as DOUBLE. */
export function chooseWeight(source: string, columns: readonly TableColumn[], name: string): FeatureColumn {
  const column = columns.find((c) => c.name === name);
  if (column === undefined) throw noColumn(source, columns, name);
  const chosen = asFeature(column, undefined);
  if (chosen === null || chosen.list) {
    throw inputError(`${source}: weight column ${JSON.stringify(name)} is ${column.type}; a weight is a number`);
  }
  return { ...chosen, sql: `${quoteName(name)}::DOUBLE` };
}

/** Every column but the target, the weight and the excluded ones. */
export function chooseFeatures(
  source: string,
  columns: readonly TableColumn[],
  taken: readonly (string | undefined)[],
  exclude: readonly string[],
): FeatureColumn[] {
  for (const name of exclude) {
    if (!columns.some((c) => c.name === name)) throw noColumn(source, columns, name);
  }
  const others = columns.filter(({ name }) => !taken.includes(name) && !exclude.includes(name));
  if (others.length === 0) throw inputError(`${source}: no feature column is left`);
  const refused = others.filter((column) => asFeature(column, undefined) === null);
  if (refused.length > 0) {
    const names = [...exclude, ...refused.map((c) => c.name)].join(",");
    const option = /^[\w.,-]+$/.test(names) ? names : JSON.stringify(names);
    const them = refused.length === 1 ? "it" : "them";
    const hint = `leave ${them} out with --exclude ${option}, or turn ${them} into numbers with sql:SELECT …`;
    throw notNumbers(source, refused, hint);
  }
  return others.map((column) => asFeature(column, undefined)!);
}

/** The columns that a model was trained on, in its order. */
export function matchFeatures(
  source: string,
  columns: readonly TableColumn[],
  features: readonly Feature[],
): FeatureColumn[] {
  return features.map(({ name, size }) => {
    const column = columns.find((c) => c.name === name);
    if (column === undefined) throw noColumn(source, columns, name, ", which the model needs");
    const chosen = asFeature(column, size);
    if (chosen === null) throw notNumbers(source, [column], "turn it into numbers with sql:SELECT …");
    if (!chosen.list && size !== 1) {
      const got = `${source}: column ${JSON.stringify(name)} is one number a row`;
      throw inputError(`${got}, the model needs a list of ${size}`);
    }
    return chosen;
  });
}
