export function count(value: number): string {
  return value.toLocaleString("en-US");
}

export function percent(value: number): string {
  return `${(value * 100).toFixed(2)} %`;
}

export function metrics({ nll, accuracy }: { nll: number; accuracy: number }): string {
  return `NLL ${Number(nll.toPrecision(5))}, accuracy ${percent(accuracy)}`;
}

/** The plural with its number. */
export function some(value: number, thing: string): string {
  return `${count(value)} ${thing}${value === 1 ? "" : thing.endsWith("s") ? "es" : "s"}`;
}

/** A word as a POSIX shell reads it back. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** So many digits. */
export function short(value: number, digits = 5): string {
  return String(Number(value.toPrecision(digits)));
}
