import { normals } from "../random.ts";

/** Logits of so many classes are shown as bars; of more, only as a list of the largest. */
export const MOST_BARS = 60;
const MOST_LOGITS = 200_000;

/** The numbers of a text, with commas, spaces, line ends or brackets around them. */
export function parseLogits(text: string): number[] | { error: string } {
  const words = text.split(/[\s,;[\]()]+/).filter((word) => word !== "");
  if (words.length === 0) return { error: "Expected numbers with commas or spaces between them, got none." };
  if (words.length > MOST_LOGITS) return { error: `Expected at most ${MOST_LOGITS} numbers, got ${words.length}.` };
  const logits = words.map((word) => Number(word.replace("−", "-").replace(/f$/, "")));
  const wrong = logits.findIndex((z) => !Number.isFinite(z));
  if (wrong !== -1)
    return { error: `Expected finite numbers, got “${words[wrong].slice(0, 30)}” in place ${wrong + 1}.` };
  return logits;
}

export function formatLogits(logits: readonly number[]): string {
  return logits.join(", ");
}

export interface Preset {
  readonly id: string;
  readonly label: string;
  readonly note: string;
  readonly make: () => number[];
}

/** Normal logits of a deviation, one of them raised. */
function madeUp(classes: number, deviation: number, winner: number, seed: number): number[] {
  const normal = normals(seed);
  const logits = Array.from({ length: classes }, () => Math.round(1000 * deviation * normal()) / 1000);
  logits[Math.floor(classes / 3)] = winner;
  return logits;
}

export const PRESETS: readonly Preset[] = [
  {
    id: "1000",
    label: "1000, 0, −1000",
    note: "Three logits that no format’s exponential holds.",
    make: () => [1000, 0, -1000],
  },
  { id: "20", label: "20, 0", note: "In f32 the usual formula gives the winner 0.", make: () => [20, 0] },
  { id: "40", label: "40, 0", note: "In f64 too.", make: () => [40, 0] },
  {
    id: "equal",
    label: "50 equal",
    note: "Fifty classes of 0: each has log-probability −log 50.",
    make: () => Array(50).fill(0),
  },
  {
    id: "model",
    label: "A model’s 1000",
    note: "Made up, as an image model’s might be: 1000 normal logits (deviation 2), and one of 22.",
    make: () => madeUp(1000, 2, 22, 1),
  },
  {
    id: "llm",
    label: "An LLM’s 128k",
    note: "Made up, as a language model’s might be: 128,256 normal logits (deviation 2.5), and one of 32.",
    make: () => madeUp(128_256, 2.5, 32, 2),
  },
];
