import type { TileLoss } from "./linearlosses.ts";
import { planOf } from "./linearplan.ts";
import { type LinearLayer, Tiles } from "./lineartiles.ts";
import type { Space } from "./wasm.ts";

/** The records of all rows, between the tiles that their blocks are read in. */
class Records {
  readonly #numbers: Float64Array;
  readonly #each: number;

  constructor(rows: number, bytes: number) {
    this.#each = bytes / 8;
    this.#numbers = new Float64Array(rows * this.#each);
  }

  /** Those of the rows that `order` names, from its entry `from` on, into a tile. */
  load({ space, at, count }: Tiles, order: Int32Array, from: number): void {
    const each = this.#each;
    for (let n = 0, to = at.records / 8; n < count; n++, to += each) {
      const record = order[from + n] * each;
      for (let k = 0; k < each; k++) space.f64[to + k] = this.#numbers[record + k];
    }
  }

  store({ space, at, count }: Tiles, order: Int32Array, from: number): void {
    const each = this.#each;
    for (let n = 0, start = at.records / 8; n < count; n++, start += each) {
      const record = order[from + n] * each;
      for (let k = 0; k < each; k++) this.#numbers[record + k] = space.f64[start + k];
    }
  }
}

/** Calls for each piece of the rows that a tile has room for. */
function eachPiece(tiles: Tiles, rows: Int32Array, visit: (from: number) => void): void {
  for (let from = 0; from < rows.length; from += tiles.plan.rows) {
    tiles.useRows(rows, from, Math.min(tiles.plan.rows, rows.length - from));
    visit(from);
  }
}

/** The gradients, where `fill` makes that of a tile's logits. Blocks of classes are outermost: each is written once. */
function gradients(tiles: Tiles, rows: Int32Array, fill: (from: number) => void): void {
  const { layer, plan } = tiles;
  const groups = Math.max(1, Math.ceil(layer.features / plan.group));
  for (let first = 0; first < layer.classes; first += plan.classes) {
    tiles.useClasses(first);
    for (let group = 0; group < groups; group++) {
      tiles.clearSums();
      eachPiece(tiles, rows, (from) => {
        tiles.logits();
        fill(from);
        tiles.backward(group);
      });
      tiles.writeWeight(group);
    }
    tiles.writeBias();
  }
}

/** The numbers 0 to count − 1. */
const upTo = (count: number): Int32Array => Int32Array.from({ length: count }, (_, n) => n);

/** The records of all rows, finished: each block of classes is read with all rows, until no row has to be read again. */
function sumRows(
  space: Space,
  layer: LinearLayer,
  loss: TileLoss,
  rows: Int32Array,
  bytes: number | undefined,
): Records {
  const plan = planOf(layer.features, layer.classes, layer.dtype, false, bytes);
  const tiles = new Tiles(space, layer, plan, rows.length, false);
  const records = new Records(rows.length, loss.record);
  let order = upTo(rows.length);
  eachPiece(tiles, rows, (from) => {
    loss.start(tiles);
    records.store(tiles, order, from);
  });
  while (order.length > 0) {
    const some = order.map((n) => rows[n]);
    for (let first = 0; first < layer.classes; first += plan.classes) {
      tiles.useClasses(first);
      eachPiece(tiles, some, (from) => {
        tiles.logits();
        records.load(tiles, order, from);
        loss.sum(tiles);
        records.store(tiles, order, from);
      });
    }
    const again: number[] = [];
    eachPiece(tiles, some, (from) => {
      records.load(tiles, order, from);
      for (const n of loss.finish(tiles)) again.push(order[from + n]);
      records.store(tiles, order, from);
    });
    order = Int32Array.from(again);
  }
  return records;
}

/**
 * The losses of rows of a layer's logits, and its gradients where they are asked for. All classes in one block: one pass over
 * the rows. Else two: the sums of the rows, block by block, and with them each block's gradient, of logits computed again by
 * the same sums.
 */
export function runLinear(space: Space, layer: LinearLayer, loss: TileLoss, rows: Int32Array, bytes?: number): void {
  const { features, classes, dtype } = layer;
  const isBackward = [layer.dx, layer.dweight, layer.dbias].some((out) => out !== undefined);
  const plan = planOf(features, classes, dtype, isBackward, bytes);
  const isOne = classes <= plan.classes;
  const records = isOne ? undefined : sumRows(space, layer, loss, rows, bytes);
  if (!isOne && !isBackward) return;
  const tiles = new Tiles(space, layer, plan, rows.length, isBackward);
  const order = upTo(rows.length);
  if (records !== undefined)
    gradients(tiles, rows, (from) => {
      records.load(tiles, order, from);
      loss.gradient(tiles);
    });
  else if (isBackward) gradients(tiles, rows, () => loss.whole(tiles, true));
  else {
    tiles.useClasses(0);
    eachPiece(tiles, rows, () => {
      tiles.logits();
      loss.whole(tiles, false);
    });
  }
}
