import { LINEAR_KERNELS } from "../kernels/linearbytes.ts";
import { MINI_BATCH_NAMES } from "./batchoptions.ts";
import type { checkFit } from "./checkfit.ts";
import type { Identity } from "./checkpoint.ts";
import { Hash } from "./hash.ts";
import type { Feature, Label } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { Reducer } from "./reducer.ts";
import type { RawBlock } from "./source.ts";

/** The package's version: another one may train to other bits. */
export const VERSION = "0.1.0";

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Hashes of blocks, added as two numbers of 64 bits: the same in any order, and however ranks share the blocks. */
class BlockHashes {
  readonly sums = new BigInt64Array(2);
  readonly #hash = new Hash();

  add(index: number, ...parts: Uint8Array[]): void {
    this.#hash.reset().add(bytesOf(Float64Array.of(index)));
    for (const part of parts) this.#hash.add(part);
    const hex = this.#hash.hex();
    this.sums[0] += BigInt(`0x${hex.slice(0, 16)}`);
    this.sums[1] += BigInt(`0x${hex.slice(16)}`);
  }
}

const hexOf = (words: BigInt64Array): string =>
  Array.from(words, (word) => BigInt.asUintN(64, word).toString(16).padStart(16, "0")).join("");

/** Fingerprints of a table's rows, taken block by block: the same however a source cuts its blocks. */
export class Fingerprint {
  readonly #x = new BlockHashes();
  readonly #y = new BlockHashes();
  readonly #weight = new BlockHashes();

  add({ index, x, labels, weights, count }: RawBlock): void {
    this.#x.add(index, bytesOf(x));
    // the block's labels by when they came first in it
    const numbers = new Int32Array(count);
    const found = new Map<Label, number>();
    for (let i = 0; i < count; i++) {
      const label = labels[i];
      const number = found.get(label) ?? found.size;
      found.set(label, number);
      numbers[i] = number;
    }
    this.#y.add(index, bytesOf(numbers), textBytes(JSON.stringify([...found.keys()])));
    if (weights !== undefined) this.#weight.add(index, bytesOf(Float64Array.from(weights)));
  }

  /** In words, of the rows of all ranks. */
  async identity(
    rows: number,
    columns: number,
    reducer: Reducer | undefined,
    names: readonly [x: string, y: string, weight: string],
  ) {
    const all = [this.#x, this.#y, this.#weight];
    const sums = BigInt64Array.from(all.flatMap((hashes) => [...hashes.sums]));
    await reducer?.sum(sums);
    const [x, y, weight] = all.map((_, k) => hexOf(sums.subarray(2 * k, 2 * k + 2)));
    const isWeighted = sums[4] !== 0n || sums[5] !== 0n;
    const [xName, yName, weightName] = names;
    const identity: Identity = {
      [xName]: `${rows} rows of ${columns}, ${x}`,
      [yName]: y,
      ...(isWeighted && { [weightName]: weight }),
    };
    return identity;
  }
}

function modelPrint({ classes, scaling, layers }: Model): string {
  const hash = new Hash();
  hash.add(textBytes(JSON.stringify([classes, scaling.kind, layers.map(({ inputs, outputs }) => [inputs, outputs])])));
  hash.add(bytesOf(scaling.center)).add(bytesOf(scaling.factor));
  for (const { weight, bias } of layers) hash.add(bytesOf(weight)).add(bytesOf(bias));
  return hash.hex();
}

/**
 * What may be another one where a training goes on: where the work is done, what hears of it, and how far it goes, which
 * `checkGoal` looks at. Data have fingerprints. An option that is not here belongs to the identity.
 */
const FREE: readonly string[] = [
  ...["x", "y", "source", "sampleWeight", "validation", "warmStart", "features"],
  ...["pool", "reducer", "signal", "onProgress", "checkpoint", "resume", "tolerance", "maxIterations", "epochs"],
  // these stand in `batches`, with their defaults
  ...["batches", ...MINI_BATCH_NAMES],
];

/** The version and the options, but for how far training goes. */
function optionsIdentity<L extends Label>(plan: ReturnType<typeof checkFit<L>>): Identity {
  const { validation, warmStart, optimizer, batches } = plan;
  const given = Object.entries(plan).filter(([name, value]) => value !== undefined && !FREE.includes(name));
  const { schedule } = batches;
  // where the rate falls to the end, the end is part of it
  const rule = { ...batches.steps, ...schedule, ...(schedule.schedule === "cosine" && { epochs: plan.epochs }) };
  const options = [...given, ...(optimizer === "lbfgs" ? [] : Object.entries(rule))];
  const kernels = new Hash().add(textBytes(LINEAR_KERNELS)).hex();
  return {
    napier: `${VERSION}, kernels ${kernels.slice(0, 12)}`,
    ...Object.fromEntries(options.map(([name, value]) => [name, textOf(value)])),
    ...(typeof validation === "number" && { validation: `${validation}` }),
    ...(warmStart && { warmStart: modelPrint(warmStart) }),
  };
}

/** All that the bits of a training depend on, but for how far it goes. */
export function identityOf<L extends Label>(
  plan: ReturnType<typeof checkFit<L>>,
  classes: readonly L[],
  features: readonly Feature[],
  data: Identity,
): Identity {
  const names = { classes: JSON.stringify(classes), features: JSON.stringify(features) };
  return { ...optionsIdentity(plan), ...names, ...data };
}

/** What ranks must have in common before they read a row: they make the same calls then, and the same model. */
export function commonOf<L extends Label>(plan: ReturnType<typeof checkFit<L>>): Identity {
  const {
    x,
    source,
    validation,
    features,
    tolerance,
    maxIterations,
    epochs,
    resume = false,
    checkpoint,
    batches,
  } = plan;
  const rowsOf = (data: unknown): unknown => {
    const { x, rows } = (data ?? {}) as { x?: { shape: readonly number[] }; rows?: number };
    return x?.shape[0] ?? rows;
  };
  return {
    ...optionsIdentity(plan),
    rows: `${x?.shape[0] ?? source?.rows}`,
    "validation's rows": `${typeof validation === "object" ? rowsOf(validation) : "none of their own"}`,
    features: JSON.stringify(features ?? null),
    ...{ tolerance: `${tolerance}`, maxIterations: `${maxIterations}`, epochs: `${epochs}` },
    ...{ patience: `${batches.patience}`, resume: `${resume}`, checkpoint: checkpoint ? "kept" : "not kept" },
  };
}

/** JSON has no ∞, which C may be. */
const textOf = (value: unknown): string => (typeof value === "number" ? `${value}` : JSON.stringify(value));
