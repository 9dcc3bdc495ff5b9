import { LINEAR_KERNELS } from "../kernels/linearbytes.ts";
import { MINI_BATCH_NAMES } from "./batchoptions.ts";
import type { checkFit } from "./checkfit.ts";
import type { Identity } from "./checkpoint.ts";
import { Hash } from "./hash.ts";
import type { Feature, Label } from "./matrix.ts";
import type { Model } from "./model.ts";
import type { RawBlock } from "./source.ts";

/** The package's version: another one may train to other bits. */
export const VERSION = "0.1.0";

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Fingerprints of a table's rows, taken block by block: the same however a source cuts its blocks. */
export class Fingerprint {
  readonly #x = new Hash();
  readonly #y = new Hash();
  readonly #weight = new Hash();
  /** Labels by when they came first. */
  readonly #numbers = new Map<Label, number>();
  #rows = 0;
  #columns = 0;
  #isWeighted = false;

  add({ x, labels, weights, count }: RawBlock): void {
    this.#rows += count;
    this.#columns = x.length / count;
    this.#x.add(bytesOf(x));
    const numbers = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      let number = this.#numbers.get(labels[i]);
      if (number === undefined) {
        number = this.#numbers.size;
        this.#numbers.set(labels[i], number);
      }
      numbers[i] = number;
    }
    this.#y.add(bytesOf(numbers));
    if (weights === undefined) return;
    this.#isWeighted = true;
    this.#weight.add(bytesOf(Float64Array.from(weights)));
  }

  /** In words; nothing may be added after. */
  identity(x: string, y: string, weight: string): Identity {
    const labels = textBytes(JSON.stringify([...this.#numbers.keys()]));
    return {
      [x]: `${this.#rows} rows of ${this.#columns}, ${this.#x.hex()}`,
      [y]: this.#y.add(labels).hex(),
      ...(this.#isWeighted && { [weight]: this.#weight.hex() }),
    };
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
  ...["pool", "signal", "onProgress", "checkpoint", "resume", "tolerance", "maxIterations", "epochs"],
  // these stand in `batches`, with their defaults
  ...["batches", ...MINI_BATCH_NAMES],
];

/** All that the bits of a training depend on, but for how far it goes. */
export function identityOf<L extends Label>(
  plan: ReturnType<typeof checkFit<L>>,
  classes: readonly L[],
  features: readonly Feature[],
  data: Identity,
): Identity {
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
    classes: JSON.stringify(classes),
    features: JSON.stringify(features),
    ...data,
  };
}

/** JSON has no ∞, which C may be. */
const textOf = (value: unknown): string => (typeof value === "number" ? `${value}` : JSON.stringify(value));
