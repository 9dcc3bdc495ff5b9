import { InvalidArgumentError } from "commander";

function number(text: string, expected: string, accept: (value: number) => boolean): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!accept(value)) throw new InvalidArgumentError(`Expected ${expected}.`);
  return value;
}

export function positiveInteger(text: string): number {
  return number(text, "a whole number of at least 1", (v) => Number.isSafeInteger(v) && v >= 1);
}

export function count(text: string): number {
  return number(text, "a whole number of at least 0", (v) => Number.isSafeInteger(v) && v >= 0);
}

export function seed(text: string): number {
  return number(text, "a whole number from 0 to 4294967295", (v) => Number.isInteger(v) && v >= 0 && v < 2 ** 32);
}

export function threads(text: string): number {
  return number(text, "a whole number from 1 to 256", (v) => Number.isInteger(v) && v >= 1 && v <= 256);
}

export function port(text: string): number {
  return number(text, "a whole number from 0 to 65535", (v) => Number.isInteger(v) && v >= 0 && v < 65536);
}

export function positive(text: string): number {
  return number(text, "a number above 0", (v) => v > 0 && Number.isFinite(v));
}

export function notNegative(text: string): number {
  return number(text, "a number of at least 0", (v) => v >= 0 && Number.isFinite(v));
}

/** Widths of the hidden layers; "" is none. */
export function widths(text: string): number[] {
  return text.trim() === "" ? [] : text.split(",").map(positiveInteger);
}

/** Column names with commas between them, each once; the option may be given again. */
export function names(text: string, before: readonly string[] = []): string[] {
  return [...new Set([...before, ...text.split(",").map((name) => name.trim())])];
}

/** A fraction of the rows, or a source of its own. */
export function validation(text: string): number | string {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) return text;
  return number(text, "a fraction between 0 and 1, or a source", (v) => v > 0 && v < 1);
}

/** "balanced", or a weight for each label. */
export function classWeights(text: string): "balanced" | Record<string, number> {
  if (text === "balanced") return text;
  const weights: Record<string, number> = {};
  for (const part of text.split(",")) {
    const at = part.lastIndexOf("=");
    if (at < 0) throw new InvalidArgumentError("Expected balanced, or label=weight with commas between them.");
    weights[part.slice(0, at).trim()] = notNegative(part.slice(at + 1));
  }
  return weights;
}
