import { existsSync, statSync } from "node:fs";
import type { DuckDBConnection } from "@duckdb/node-api";
import { checkSelect, quoteText } from "./database.ts";
import { inputError, shortName } from "./errors.ts";
import { watchMemory } from "./queries.ts";
import { checkRegular } from "./regular.ts";
import { checkFiles } from "./sqlfiles.ts";
import { checkDepth, checkLines } from "./textguard.ts";

/** Where the rows come from: what stands after FROM, and the files in the order in which they are read. */
export interface Location {
  from: string;
  files: string[];
  /** Every file that is read; of a statement too. */
  inputs: string[];
  /** Whether types are guessed from text: CSV and TSV. */
  isGuessed: boolean;
  /** What stands after FROM for a part of the rows, from `first` (from 0) to before `end`; of Parquet files only. */
  slice?(rows: readonly number[], first: number, end: number): string;
  /** `from` where these columns are to be read as the text that they are in the files. */
  asText(names: readonly string[]): string;
}

const VIEW = "napier_source";

/** Integers are read as DOUBLE: the types are guessed from the first 20,480 rows, and a 1.5 may follow. */
const CSV = "auto_type_candidates=['BOOLEAN', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR']";

/** Types by all rows; a list of lists is no feature, and deeper ones need no types. */
const JSON_TYPES = "sample_size=-1, maximum_depth=8";

const READERS: Record<string, (files: string) => string> = {
  csv: (files) => `read_csv(${files}, ${CSV})`,
  tsv: (files) => `read_csv(${files}, ${CSV}, delim='\t')`,
  parquet: (files) => `read_parquet(${files})`,
  jsonl: (files) => `read_json(${files}, format='newline_delimited', ${JSON_TYPES})`,
  ndjson: (files) => `read_json(${files}, format='newline_delimited', ${JSON_TYPES})`,
  json: (files) => `read_json(${files}, ${JSON_TYPES})`,
};

export const TABLES = ".csv, .tsv, .parquet, .jsonl, .ndjson or .json (text also with .gz)";
const FORMATS = `${TABLES}, .npy or .safetensors`;

function extension(file: string, formats: string): string {
  const [, name = "", gz] = /\.([a-z]+)(\.gz)?$/i.exec(file) ?? [];
  const format = name.toLowerCase();
  if (READERS[format] === undefined || (gz && format === "parquet")) {
    throw inputError(`${file}: unknown format`, `a source is ${formats}, or "sql:SELECT …"`);
  }
  return format;
}

/** A file that exists is that file, whatever its name looks like; the rest are globs, sorted by their bytes. */
async function expand(connection: DuckDBConnection, source: string): Promise<string[]> {
  if (existsSync(source)) {
    if (statSync(source).isDirectory()) {
      throw inputError(`${source} is a folder`, `name its files: "${source.replace(/\/$/, "")}/*.parquet"`);
    }
    return [source];
  }
  if (!/[*?[]/.test(source)) throw inputError(`${source}: no such file`);
  const found = await connection.runAndReadAll(`SELECT file FROM glob(${quoteText(source)})`);
  const files = found.getRowsJS().map(([file]) => Buffer.from(String(file)));
  if (files.length === 0) throw inputError(`${source}: no file matches`);
  return files.sort(Buffer.compare).map(String);
}

/** `formats` names for a hint what the caller reads. */
export async function locate(connection: DuckDBConnection, source: string, formats = FORMATS): Promise<Location> {
  if (source.startsWith("sql:")) {
    const sql = source.slice("sql:".length);
    const statements = await checkSelect(connection, shortName(source), sql);
    const inputs = await checkFiles(connection, shortName(source), statements);
    watchMemory(shortName(source));
    await connection.run(`CREATE VIEW ${VIEW} AS ${sql}`);
    return { from: VIEW, files: [], inputs, isGuessed: false, asText: () => VIEW };
  }
  const files = await expand(connection, source);
  const found = new Set(files.map((file) => extension(file, formats)));
  if (found.size > 1) throw inputError(`${source}: mixes ${[...found].join(" and ")} files`);
  const [format] = found;
  const name = (file: string): string => quoteText(file.replace(/[*?[]/g, "[$&]"));
  const list = files.map(name).join(", ");
  const byName = files.length > 1 ? ", union_by_name=true" : "";
  for (const file of files) checkRegular(file);
  // one after the other: what DuckDB would die of, or never end with
  for (const file of files)
    await (/json/.test(format!) ? checkDepth(file) : format === "parquet" ? undefined : checkLines(file));
  const isGuessed = format === "csv" || format === "tsv";
  const slice = (rows: readonly number[], first: number, end: number): string => {
    let before = 0;
    const parts = files.flatMap((file, n) => {
      const [from, to] = [Math.max(0, first - before), Math.min(rows[n]!, end - before) - 1];
      before += rows[n]!;
      if (from > to) return [];
      return [
        `SELECT * FROM read_parquet(${name(file)}, file_row_number=true) WHERE file_row_number BETWEEN ${from} AND ${to}`,
      ];
    });
    return `(${parts.join(" UNION ALL BY NAME ")})`;
  };
  const read = (more: string): string => READERS[format!]!(`[${list}]${byName}${more}`);
  return {
    from: read(""),
    files,
    inputs: files,
    isGuessed,
    ...(format === "parquet" && { slice }),
    asText: (names) =>
      isGuessed && names.length > 0
        ? read(`, types={${names.map((name) => `${quoteText(name)}: 'VARCHAR'`).join(", ")}}`)
        : read(""),
  };
}
