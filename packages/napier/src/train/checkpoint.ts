import { Hash } from "./hash.ts";
import { decodeSafetensors, encodeSafetensors, type Safetensors, type TensorData } from "./safetensors.ts";

/**
 * A checkpoint is a safetensors file. Its metadata has two entries:
 *
 *   checksum  of all bytes of the file, its own 32 digits as zeros; first in the file, so that it is found without parsing
 *   napier    JSON: format version, number of the save, identity, numbers, text
 */

/** What must be the same for a training to go on: options and fingerprints of data, in words that a message can show. */
export type Identity = Readonly<Record<string, string>>;

/** All that a training needs to go on; f64 numbers and tensors come back bit by bit (a NaN as the canonical one). */
export interface TrainingState {
  readonly numbers: Readonly<Record<string, number>>;
  readonly text: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, TensorData>>;
}

export type Decoded =
  | { readonly save: number; readonly state: TrainingState }
  | {
      /** In words that follow "it is". */
      readonly refused: string;
      /** The bytes are not what was written; otherwise they are sound, and of another training or version. */
      readonly damaged: boolean;
    };

const VERSION = 1;
const BEGIN = new TextEncoder().encode('{"__metadata__":{"checksum":"');
const CHECKSUM_AT = 8 + BEGIN.length;
const CHECKSUM_END = CHECKSUM_AT + 32;
const ZEROS = "0".repeat(32);

const checksumOf = (bytes: Uint8Array): string =>
  new Hash()
    .add(bytes.subarray(0, CHECKSUM_AT))
    .add(new TextEncoder().encode(ZEROS))
    .add(bytes.subarray(CHECKSUM_END))
    .hex();

const mapped = <A, B>(record: Readonly<Record<string, A>>, change: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));

const SPECIAL: readonly unknown[] = ["-0", "NaN", "Infinity", "-Infinity"];
/** Differences that a message names. */
const MOST_DIFFERENCES = 8;

/** JSON has no −0, NaN and infinities. */
function toJson(x: number): number | string {
  if (Object.is(x, -0)) return "-0";
  return Number.isFinite(x) ? x : `${x}`;
}

/** @param save  counts the saves of a training; a later checkpoint has a larger one */
export function encodeCheckpoint(identity: Identity, state: TrainingState, save: number): Uint8Array<ArrayBuffer> {
  const { numbers, text, tensors } = state;
  const json = { version: VERSION, save, identity, numbers: mapped(numbers, toJson), text };
  const bytes = encodeSafetensors({
    tensors: mapped(tensors, (data) => ({ data, shape: [data.length] })),
    metadata: { checksum: ZEROS, napier: JSON.stringify(json) },
  });
  bytes.set(new TextEncoder().encode(checksumOf(bytes)), CHECKSUM_AT);
  return bytes;
}

/** Some 60 characters of a text, from a little before character `at`, on one line. */
function excerpt(text: string | undefined, at = 0): string {
  if (text === undefined) return "nothing";
  const from = at < 40 ? 0 : at - 20;
  const part = text.slice(from, from + 60).replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "\ufffd");
  return `${from > 0 ? "…" : ""}${part}${from + 60 < text.length ? "…" : ""}`;
}

/** What differs, each as `name is A there and B here`. */
function differences(there: Identity, here: Identity): string[] {
  return [...new Set([...Object.keys(here), ...Object.keys(there)])].flatMap((name) => {
    const [a, b] = [there[name], here[name]];
    if (a === b) return [];
    let at = 0;
    while (a !== undefined && b !== undefined && a[at] === b[at]) at++;
    return [`${excerpt(name)} is ${excerpt(a, at)} there and ${excerpt(b, at)} here`];
  });
}

/** The state, or why these bytes are not one that this training can go on from. */
export function decodeCheckpoint(bytes: Uint8Array, identity: Identity): Decoded {
  const damaged = (why: string): Decoded => ({ refused: `damaged: ${why}`, damaged: true });
  if (bytes.length < CHECKSUM_END) return damaged(`${bytes.length} bytes are too few`);
  if (BEGIN.some((byte, k) => byte !== bytes[8 + k])) return damaged("it does not begin as a checkpoint does");
  const sum = new TextEncoder().encode(checksumOf(bytes));
  if (sum.some((byte, k) => byte !== bytes[CHECKSUM_AT + k])) return damaged("its checksum is not that of its bytes");
  // what follows has a good checksum: where it is wrong, somebody made it so
  let content: Safetensors;
  try {
    content = decodeSafetensors(bytes);
  } catch (error) {
    return damaged((error as Error).message);
  }
  const held = parsed(content.metadata.napier);
  const { version } = held;
  if (typeof version === "number" && version !== VERSION) {
    return { refused: `of format ${version}, where format ${VERSION} is read`, damaged: false };
  }
  if (!isWritten(held)) return damaged("what it holds was not written by a training");
  const different = differences(held.identity, identity);
  if (different.length > 0) {
    const shown = different.slice(0, MOST_DIFFERENCES).join("; ");
    const more = different.length - MOST_DIFFERENCES;
    return { refused: `of another training: ${shown}${more > 0 ? `; and ${more} more` : ""}`, damaged: false };
  }
  const { save, numbers, text } = held;
  const tensors = mapped(content.tensors, ({ data }) => data);
  return { save, state: { numbers: mapped(numbers, Number), text, tensors } };
}

interface Written {
  readonly save: number;
  readonly identity: Identity;
  readonly numbers: Readonly<Record<string, number | string>>;
  readonly text: Readonly<Record<string, string>>;
}

/** An object of JSON; an empty one where there is none. */
function parsed(json: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(json ?? "");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isWritten(held: Readonly<Record<string, unknown>>): held is Readonly<Record<string, unknown>> & Written {
  const { version, save, identity, numbers, text } = held;
  const isRecord = (value: unknown, isGood: (item: unknown) => boolean): boolean =>
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every(isGood);
  const isText = (item: unknown): boolean => typeof item === "string";
  const isNumber = (item: unknown): boolean => typeof item === "number" || SPECIAL.includes(item);
  const isKnown = version === VERSION && Number.isSafeInteger(save);
  return isKnown && isRecord(identity, isText) && isRecord(numbers, isNumber) && isRecord(text, isText);
}
