import { existsSync } from "node:fs";
import type { DuckDBConnection } from "@duckdb/node-api";
import { quoteText } from "./database.ts";
import { inputError } from "./errors.ts";
import { checkRegular } from "./regular.ts";
import { checkDepth, checkLines, checkPacking } from "./textguard.ts";

/** A node of the tree that DuckDB's parser makes of a statement. */
interface Node {
  readonly [key: string]: unknown;
}

type Kind = "csv" | "json" | "other";

/** What a statement reads: a name or a pattern, as what, and what parts the columns where that is said. */
interface Reference {
  pattern: string;
  kind: Kind;
  delimiter?: string;
}

/** Table functions whose first argument names files. */
const READERS: Readonly<Record<string, Kind>> = {
  read_csv: "csv",
  read_csv_auto: "csv",
  sniff_csv: "csv",
  read_json: "json",
  read_json_auto: "json",
  read_json_objects: "json",
  read_json_objects_auto: "json",
  read_ndjson: "json",
  read_ndjson_auto: "json",
  read_ndjson_objects: "json",
  read_parquet: "other",
  parquet_scan: "other",
  read_text: "other",
  read_blob: "other",
};

/** They read what no look at the statement tells. */
const HIDING = new Set(["query", "query_table", "json_execute_serialized_sql", "read_duckdb"]);

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null;

/** The text of a constant. */
function textOf(node: unknown): string | undefined {
  if (!isNode(node) || node.class !== "CONSTANT" || !isNode(node.value)) return undefined;
  return typeof node.value.value === "string" ? node.value.value : undefined;
}

/** The texts of a constant, or of a list of them. */
function textsOf(node: unknown): string[] | undefined {
  const text = textOf(node);
  if (text !== undefined) return [text];
  if (!isNode(node) || node.function_name !== "list_value" || !Array.isArray(node.children)) return undefined;
  const texts = node.children.map(textOf);
  return texts.every((one) => one !== undefined) ? texts : undefined;
}

/** What `delim = '…'` says among arguments. */
function delimiterOf(children: readonly unknown[]): string | undefined {
  for (const child of children) {
    if (!isNode(child) || child.type !== "COMPARE_EQUAL" || !isNode(child.left)) continue;
    const names = child.left.column_names;
    if (Array.isArray(names) && /^(delim|sep)$/i.test(String(names[0]))) return textOf(child.right);
  }
  return undefined;
}

function ofFunction(source: string, call: Node): Reference[] {
  const name = String(call.function_name).toLowerCase();
  if (HIDING.has(name)) {
    throw inputError(`${source}: ${name}() is not read`, "write what it reads into the statement itself");
  }
  if (!Object.hasOwn(READERS, name)) return [];
  const children = Array.isArray(call.children) ? call.children : [];
  const patterns = textsOf(children[0]);
  if (patterns === undefined) throw inputError(`${source}: ${name}() expected the names of its files as text`);
  const delimiter = delimiterOf(children);
  return patterns.map((pattern) => ({ pattern, kind: READERS[name]!, ...(delimiter && { delimiter }) }));
}

function ofTable({ catalog_name: catalog, schema_name: schema, table_name: table }: Node): Reference {
  const pattern = [catalog, schema, table].filter(Boolean).join(".");
  return { pattern, kind: /\.(nd)?jsonl?\b/i.test(pattern) ? "json" : /\.[ct]sv\b/i.test(pattern) ? "csv" : "other" };
}

/** All references to files of a statement, wherever in it they stand; tables of its own look the same. */
function references(source: string, statements: readonly unknown[]): Reference[] {
  const found: Reference[] = [];
  const waiting: unknown[] = [...statements];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    if (!isNode(node)) continue;
    if (node.type === "BASE_TABLE") found.push(ofTable(node));
    else if (node.type === "TABLE_FUNCTION" && isNode(node.function)) found.push(...ofFunction(source, node.function));
    for (const value of Object.values(node)) if (isNode(value)) waiting.push(value);
  }
  return found;
}

/** Of a name that DuckDB takes for a file here; others it refuses itself. */
async function expand(connection: DuckDBConnection, pattern: string): Promise<string[]> {
  const path = pattern.replace(/^file:(\/\/(localhost)?)?(?=\/)/, "");
  if (/^[a-z0-9]+:\/\//i.test(path)) return [];
  const found = await connection.runAndReadAll(`SELECT file FROM glob(${quoteText(path)})`);
  const files = found.getRowsJS().map(([file]) => String(file));
  return existsSync(path) && !files.includes(path) ? [path, ...files] : files;
}

/**
 * The files that a statement reads, each looked at before DuckDB binds it: text that it would die of, or never end
 * with, is refused as in a source that is a path.
 */
export async function checkFiles(
  connection: DuckDBConnection,
  source: string,
  statements: readonly unknown[],
): Promise<string[]> {
  const files = new Set<string>();
  for (const { pattern, kind, delimiter } of references(source, statements)) {
    for (const file of await expand(connection, pattern)) {
      files.add(file);
      checkRegular(file);
      if (kind !== "other") await checkPacking(file);
      if (kind === "json") await checkDepth(file);
      if (kind === "csv") await checkLines(file, delimiter);
    }
  }
  return [...files];
}
