import type { MaskRows } from "./broadcast.ts";
import { type GeneralRows, gradientDivisors, RowResults, weightsOf } from "./generalloss.ts";
import type { Tiles } from "./lineartiles.ts";
import { type CountedRows, RowLosses, scalesOf } from "./rowlosses.ts";
import type { Output, Writable } from "./tensor.ts";

/** The cross-entropy of a tile's rows: all its classes at once, or block by block with a record for each row. */
export interface TileLoss {
  /** bytes */
  readonly record: number;
  /** From logits of all classes the losses, which are kept, and, if asked, the gradient. */
  whole(tiles: Tiles, isBackward: boolean): void;
  /** Makes records of rows of which nothing is known. */
  start(tiles: Tiles): void;
  /** Adds the logits of a block to the records. */
  sum(tiles: Tiles): void;
  /** After the last block: keeps the losses, and returns which of the tile's rows have to be read again. */
  finish(tiles: Tiles): number[];
  /** The gradient of a block, from finished records. */
  gradient(tiles: Tiles): void;
  reduced(out?: Writable): number | Output;
}

/** A mask's bytes of the tile. */
function copyMask({ space, at, rows, count, first, classes }: Tiles, mask: MaskRows): void {
  const { data, step } = mask;
  const { u8 } = space;
  for (let n = 0, to = at.mask; n < count; n++) {
    let from = mask.at(rows[n]) + first * step;
    // a view of each row would be garbage of their size
    for (const end = to + classes; to < end; to++, from += step) u8[to] = data[from];
  }
}

function fillMasked(tiles: Tiles, address: number, value: number): void {
  const { space, at, layer, count, classes } = tiles;
  space.kernels[`fill_masked_${layer.dtype}`](address, at.mask, value, count, classes);
}

/** Of the numbers from 0 to count − 1 those that hold. */
const places = (count: number, holds: (n: number) => boolean): number[] =>
  Array.from({ length: count }, (_, n) => n).filter(holds);

/** Hard targets on their own kernels. Where a record has what is read here, blocks.as.ts and generalblocks.as.ts say. */
export class HardTileLoss implements TileLoss {
  readonly record = 128;
  readonly #caller: string;
  readonly #given: CountedRows;
  readonly #y: Int32Array;
  readonly #mask: MaskRows | undefined;
  readonly #scales: Float64Array | number;
  readonly #losses: RowLosses;

  constructor(caller: string, given: CountedRows, y: Int32Array, mask: MaskRows | undefined) {
    this.#caller = caller;
    this.#given = given;
    this.#y = y;
    this.#mask = mask;
    this.#scales = scalesOf(given);
    this.#losses = new RowLosses(given);
  }

  #copyTargets({ space, at, rows, count }: Tiles): void {
    const { i32, f64 } = space;
    for (let n = 0; n < count; n++) {
      i32[at.targets / 4 + n] = this.#y[rows[n]];
      f64[at.scales / 8 + n] = typeof this.#scales === "number" ? this.#scales : this.#scales[rows[n]];
    }
  }

  #maskLogits(tiles: Tiles): void {
    if (this.#mask === undefined) return;
    copyMask(tiles, this.#mask);
    fillMasked(tiles, tiles.at.logits, -Infinity);
  }

  whole(tiles: Tiles, isBackward: boolean): void {
    const { space, at, layer, rows, count, classes } = tiles;
    const { kernels } = space;
    this.#copyTargets(tiles);
    this.#maskLogits(tiles);
    const losses = layer.dtype === "f32" ? [at.losses, at.rounded] : [at.losses];
    const rest = [count, classes];
    if (isBackward) {
      const areas = [...losses, at.gradient, at.logits, at.targets, at.scales];
      kernels[`cross_entropy_with_grad_${layer.dtype}`](...areas, ...rest);
      if (this.#mask !== undefined) fillMasked(tiles, at.gradient, 0);
    } else kernels[`cross_entropy_${layer.dtype}`](...losses, at.logits, at.targets, ...rest);
    const { exact, rounded } = this.#losses;
    for (let n = 0; n < count; n++) {
      exact[rows[n]] = space.f64[at.losses / 8 + n];
      if (rounded !== undefined) rounded[rows[n]] = space.f32[at.rounded / 4 + n];
    }
  }

  start(tiles: Tiles): void {
    const { space, at, count } = tiles;
    this.#copyTargets(tiles);
    space.kernels.start_blocks(at.records, at.targets, at.scales, count);
  }

  sum(tiles: Tiles): void {
    const { space, at, layer, first, count, classes } = tiles;
    this.#maskLogits(tiles);
    space.kernels[`sum_block_${layer.dtype}`](at.records, at.logits, first, count, classes);
  }

  finish({ space, at, layer, rows, count }: Tiles): number[] {
    const again = space.kernels[`finish_blocks_${layer.dtype}`](at.records, count, layer.classes);
    const { exact, rounded } = this.#losses;
    for (let n = 0; n < count; n++) {
      const record = at.records + n * this.record;
      exact[rows[n]] = space.f64[(record + 112) / 8];
      if (rounded !== undefined) rounded[rows[n]] = space.f32[(record + 120) / 4];
    }
    return again === 0 ? [] : places(count, (n) => space.i32[(at.records + n * this.record) / 4] !== 4);
  }

  gradient(tiles: Tiles): void {
    const { space, at, layer, first, count, classes } = tiles;
    this.#maskLogits(tiles);
    space.kernels[`gradient_block_${layer.dtype}`](at.gradient, at.logits, at.records, first, count, classes);
    if (this.#mask !== undefined) fillMasked(tiles, at.gradient, 0);
  }

  reduced(out?: Writable): number | Output {
    return this.#losses.reduced(this.#caller, this.#given, out);
  }
}

/** What is computed in f64 whatever comes in. */
export class GeneralTileLoss implements TileLoss {
  readonly record = 256;
  readonly #given: GeneralRows;
  readonly #y: Int32Array;
  readonly #mask: MaskRows | undefined;
  readonly #weights: Float64Array | undefined;
  readonly #divisors: { divisor: number; count: number };
  readonly #results: RowResults;

  constructor(given: GeneralRows, y: Int32Array, mask: MaskRows | undefined) {
    this.#given = given;
    this.#y = y;
    this.#mask = mask;
    this.#weights = weightsOf(given).weights;
    this.#divisors = gradientDivisors(given);
    this.#results = new RowResults(given);
  }

  /** The mask and the class weights of the tile: 1 where there are none. */
  #copyOptions(tiles: Tiles): void {
    const { space, at, first, count, classes } = tiles;
    if (this.#mask !== undefined) copyMask(tiles, this.#mask);
    else space.u8.fill(1, at.mask, at.mask + count * classes);
    const weights = at.classWeights / 8;
    for (let j = 0; j < classes; j++) space.f64[weights + j] = this.#weights?.[first + j] ?? 1;
  }

  whole(tiles: Tiles, isBackward: boolean): void {
    this.start(tiles);
    do this.sum(tiles);
    while (this.finish(tiles).length > 0);
    if (isBackward) this.gradient(tiles);
  }

  start({ space, at, rows, count }: Tiles): void {
    for (let n = 0; n < count; n++) space.i32[at.targets / 4 + n] = this.#y[rows[n]];
    space.kernels.start_general(at.records, at.targets, count);
  }

  /** The options as the kernels take them. */
  get #numbers(): { cap: number; smoothing: number; temperature: number; z: number } {
    const { softcap = 0, labelSmoothing = 0, temperature = 1, zLoss = 0 } = this.#given.options;
    return { cap: softcap, smoothing: labelSmoothing, temperature, z: zLoss };
  }

  sum(tiles: Tiles): void {
    const { space, at, layer, first, count, classes } = tiles;
    const { cap, smoothing, temperature } = this.#numbers;
    this.#copyOptions(tiles);
    const areas = [at.records, at.logits, at.mask, at.classWeights, at.room];
    space.kernels[`sum_general_${layer.dtype}`](...areas, cap, smoothing, temperature, first, count, classes);
  }

  finish({ space, at, rows, count }: Tiles): number[] {
    const again = space.kernels.finish_general(at.records, this.#numbers.temperature, count);
    const { losses, lses } = this.#results;
    for (let n = 0; n < count; n++) {
      const record = (at.records + n * this.record) / 8;
      losses[rows[n]] = space.f64[record + 12];
      if (lses !== undefined) lses[rows[n]] = space.f64[record + 13];
    }
    return again === 0 ? [] : places(count, (n) => space.i32[(at.records + n * this.record) / 4 + 16] !== 2);
  }

  gradient(tiles: Tiles): void {
    const { space, at, layer, first, count, classes } = tiles;
    const { cap, smoothing, temperature, z } = this.#numbers;
    const { divisor, count: rows } = this.#divisors;
    this.#copyOptions(tiles);
    const areas = [at.gradient, at.logits, at.records, at.mask, at.classWeights, at.room];
    const numbers = [cap, smoothing, temperature, divisor, rows, z];
    space.kernels[`gradient_general_${layer.dtype}`](...areas, ...numbers, first, count, classes);
  }

  reduced(out?: Writable): number | Output {
    return this.#results.reduced(this.#given, out);
  }
}
