import type { Label } from "napier/train";
import { isMatrix, openMatrix } from "./matrix.ts";
import type { Block, Source, SourceOptions } from "./rows.ts";
import { openTable } from "./table.ts";

/** Opens a table or a matrix; checks what can be checked before its rows are read. */
export function openSource(source: string, options: SourceOptions = {}): Promise<Source> {
  return isMatrix(source) ? openMatrix(source, options) : openTable(source, options);
}

/** All rows in memory. */
export async function gather(
  source: Source,
  onRows: (rows: number) => void = () => {},
): Promise<{ x: Block["x"]; y: Label[] }> {
  const parts: (Float32Array | null)[] = [];
  const y: Label[] = [];
  let rows = 0;
  let inputs = 0;
  for await (const block of source) {
    parts.push(block.x.data);
    for (const label of block.y) y.push(label);
    rows += block.x.shape[0];
    inputs = block.x.shape[1];
    onRows(rows);
  }
  const data = new Float32Array(rows * inputs);
  let at = 0;
  parts.forEach((part, index) => {
    data.set(part!, at);
    at += part!.length;
    parts[index] = null; // lets each part go as soon as it is copied
  });
  return { x: { data, shape: [rows, inputs] }, y };
}
