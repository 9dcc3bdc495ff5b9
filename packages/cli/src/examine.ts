import { logSoftmaxStream } from "napier";
import { Examiner, type Findings, type Settings } from "./findings.ts";
import type { Scores, Tile } from "./scores.ts";

/** What there is to be said about logits, read tile by tile. */
export async function examine(scores: Scores, settings: Settings, onRows: (rows: number) => void): Promise<Findings> {
  const examiner = new Examiner(settings);
  // a stream is done with a block before it reads the next
  let current: { tile: Tile; own: Float64Array } | undefined;
  const blocks = async function* () {
    for await (const tile of scores.tiles()) {
      const own = new Float64Array(tile.data);
      current = { tile, own };
      yield { data: own, shape: [tile.rows, tile.classes] };
    }
  };
  await logSoftmaxStream(blocks(), ({ data }) => {
    if (current === undefined) return;
    const { tile, own } = current;
    examiner.add(tile, own, data);
    onRows(tile.row + tile.rows - 1);
  });
  return examiner.findings();
}
