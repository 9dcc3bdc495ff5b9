import type { DuckDBType } from "@duckdb/node-api";
import { DuckDBTypeId } from "@duckdb/node-api";
import type { Feature } from "napier/train";
import { quoteName } from "./database.ts";
import { type CommandError, inputError, listOf, nearest } from "./errors.ts";

export interface TableColumn {
  name: string;
  type: DuckDBType;
  /** It comes as the text that it is in the file, though its values are of this type. */
  isText?: boolean;
}

/** What a feature column holds in each row. */
export type Kind = "number" | "boolean" | "list";

/** A column that is no feature though nobody excluded it, and why. */
export interface LeftOut {
  name: string;
  why: string;
}

/** One feature to read; the size of a list is not known before its first row unless a model says it. */
export interface FeatureColumn {
  name: string;
  kind: Kind;
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
function asFeature({ name, type, isText }: TableColumn, size: number | undefined): FeatureColumn | null {
  const { list, items } = numbersOf(type);
  if (items.typeId !== DuckDBTypeId.BOOLEAN && !NUMERIC.has(items.typeId)) return null;
  // FLOAT or DOUBLE whatever the column's type, so that one value gives the same bits from every format
  const read = EXACT_IN_FLOAT.has(items.typeId) ? "FLOAT" : "DOUBLE";
  const sizeOf = size === undefined ? "row 1 has" : "the model needs";
  const kind = list ? "list" : items.typeId === DuckDBTypeId.BOOLEAN ? "boolean" : "number";
  return {
    name,
    kind,
    list,
    size: list ? size : 1,
    sizeOf,
    sql: `${quoteName(name)}${isText ? `::${type}` : ""}::${read}${list ? "[]" : ""}`,
  };
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

/** What the user says about columns: only these are features, these are none, these are though they would be left out. */
export interface Choice {
  features?: readonly string[];
  exclude?: readonly string[];
  keep?: readonly string[];
}

/** Features, columns that are left out, and how many are so because the user named others. */
export interface Chosen {
  chosen: FeatureColumn[];
  left: LeftOut[];
  notNamed: number;
}

const NOT_NUMBERS = "turn it into numbers with sql:SELECT …";

/** A column's type in words, where it cannot be a feature. */
const inWords = ({ type }: TableColumn): string =>
  type.typeId === DuckDBTypeId.VARCHAR ? "text" : `${String(type)}, not numbers`;

/**
 * Every column but the target, the weight and those that are left out; `looksLeftOut` names those that are numbers and say
 * nothing about the rows.
 */
export function chooseFeatures(
  source: string,
  columns: readonly TableColumn[],
  taken: readonly (string | undefined)[],
  { features, exclude = [], keep = [] }: Choice,
  looksLeftOut: readonly LeftOut[] = [],
): Chosen {
  for (const name of [...(features ?? []), ...exclude, ...keep]) {
    if (!columns.some((c) => c.name === name)) throw noColumn(source, columns, name);
  }
  for (const name of [...(features ?? []), ...keep]) {
    if (taken.includes(name)) throw inputError(`${source}: column ${JSON.stringify(name)} cannot be a feature too`);
  }
  for (const name of exclude) {
    const role = taken.indexOf(name);
    if (role < 0) continue;
    const what = `column ${JSON.stringify(name)} is the ${role === 0 ? "target" : "weight"}`;
    throw inputError(`${source}: ${what}, and --exclude names it`, "the target and the weight are never features");
  }
  const wanted = new Set([...(features ?? []), ...keep]);
  const others = columns.filter(({ name }) => !taken.includes(name) && !exclude.includes(name));
  const candidates = features === undefined ? others : others.filter(({ name }) => wanted.has(name));
  const refused = candidates.filter((column) => wanted.has(column.name) && asFeature(column, undefined) === null);
  if (refused.length > 0)
    throw notNumbers(source, refused, NOT_NUMBERS.replace(" it ", refused.length > 1 ? " them " : " it "));
  const left: LeftOut[] = exclude.map((name) => ({ name, why: "--exclude" }));
  const chosen: FeatureColumn[] = [];
  const doubtful: { column: FeatureColumn; why: string }[] = [];
  for (const column of candidates) {
    const feature = asFeature(column, undefined);
    const doubt = wanted.has(column.name) ? undefined : looksLeftOut.find(({ name }) => name === column.name);
    if (feature === null) left.push({ name: column.name, why: inWords(column) });
    else if (doubt) doubtful.push({ column: feature, why: doubt.why });
    else chosen.push(feature);
  }
  // where nothing else is there, they are what the user means
  if (chosen.length === 0) chosen.push(...doubtful.map(({ column }) => column));
  else left.push(...doubtful.map(({ column: { name }, why }) => ({ name, why })));
  if (chosen.length > 0) return { chosen, left, notNamed: others.length - candidates.length };
  const texts = left.filter(({ why }) => why !== "--exclude").map(({ name }) => columns.find((c) => c.name === name)!);
  if (texts.length > 0)
    throw notNumbers(source, texts, NOT_NUMBERS.replace(" it ", texts.length > 1 ? " them " : " it "));
  throw inputError(`${source}: no feature column is left`);
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
    if (chosen === null) throw notNumbers(source, [column], NOT_NUMBERS);
    if (!chosen.list && size !== 1) {
      const got = `${source}: column ${JSON.stringify(name)} is one number a row`;
      throw inputError(`${got}, the model needs a list of ${size}`);
    }
    return chosen;
  });
}
