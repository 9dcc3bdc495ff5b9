import Papa from "papaparse";
import { inputError } from "../../../cli/src/errors.ts";
import { checkClasses, type Scores, tileRows } from "../../../cli/src/scores.ts";

const MOST_BYTES = 2 ** 28;
const NUMBER = /^\s*[+-]?(\d+\.?\d*(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?|inf(inity)?|nan)\s*$/i;

export interface CsvFile {
  /** Columns that hold nothing but numbers. */
  readonly numeric: readonly string[];
  /** The logits: all numeric columns but the target's. */
  scores(target: string | undefined): Scores;
}

function numberOf(text: string): number {
  const word = text.trim().toLowerCase();
  if (word.endsWith("nan")) return Number.NaN;
  if (/inf/.test(word)) return word.startsWith("-") ? -Infinity : Infinity;
  return Number(word);
}

/** A dropped CSV file with a header row; a column that holds anything but numbers is no class. */
export async function csvOf(file: File): Promise<CsvFile> {
  const { name } = file;
  if (file.size > MOST_BYTES) {
    throw inputError(`${name} has ${file.size} bytes; the page reads at most ${MOST_BYTES}`, "napier check reads any");
  }
  const { data, errors } = Papa.parse<string[]>(await file.text(), { skipEmptyLines: true });
  const [header, ...rows] = data;
  if (header === undefined || rows.length === 0) throw inputError(`${name} has no rows`);
  const ragged = rows.findIndex((row) => row.length !== header.length);
  if (ragged !== -1) {
    const got = `${rows[ragged].length} cells`;
    throw inputError(`${name}: row ${ragged + 1}: expected ${header.length} cells, as the header has, got ${got}`);
  }
  const quotes = errors.find(({ type }) => type === "Quotes");
  if (quotes) throw inputError(`${name}: row ${quotes.row}: ${quotes.message}`);
  const at = new Map<string, number>();
  header.forEach((column, j) => {
    if (at.has(column)) throw inputError(`${name}: two columns are called ${JSON.stringify(column)}`);
    const empty = rows.findIndex((row) => row[j].trim() === "");
    const isNumeric = rows.every((row) => row[j].trim() === "" || NUMBER.test(row[j]));
    if (!isNumeric) return;
    if (empty !== -1) throw inputError(`${name}: row ${empty + 1}, column ${JSON.stringify(column)}: no number`);
    at.set(column, j);
  });
  const numeric = [...at.keys()];
  return {
    numeric,
    scores: (target) => {
      const columns = numeric.filter((column) => column !== target);
      if (columns.length === 0) throw inputError(`${name}: no column of numbers`);
      checkClasses(name, columns.length);
      const places = columns.map((column) => at.get(column) as number);
      const classes = places.length;
      const most = tileRows(classes);
      return {
        name,
        dtype: "f64",
        close: async () => {},
        async *tiles() {
          for (let first = 0; first < rows.length; first += most) {
            const part = rows.slice(first, first + most);
            const targets =
              target === undefined ? null : Float64Array.from(part, (row) => numberOf(row[at.get(target)!]));
            const numbers = part.flatMap((row) => places.map((j) => numberOf(row[j])));
            yield { data: Float64Array.from(numbers), rows: part.length, classes, row: first + 1, targets };
          }
        },
      };
    },
  };
}
