/** One line for the user and, where we know one, a way out. */
export class CommandError extends Error {
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(exitCode: number, message: string, hint?: string, cause?: unknown) {
    super(message, { cause });
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** Wrong usage or wrong input. */
export function inputError(message: string, hint?: string, cause?: unknown): CommandError {
  return new CommandError(2, message, hint, cause);
}

export const INTERRUPTED = 130;
export const TERMINATED = 143;

/** Ctrl-C or SIGTERM, after everything that could be saved was saved. */
export class Interruption extends CommandError {
  /** For a shell: it is shown as it is. */
  readonly command: string | undefined;

  constructor(exitCode: number, message: string, hint?: string, command?: string) {
    super(exitCode, message, hint);
    this.command = command;
  }
}

/** Any message on one line. */
export function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

/** Any text for a terminal, which obeys control characters: lines stay, and nothing else is obeyed. */
export function printable(text: string): string {
  return text.replace(/[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?!\n)\p{Cc}/gu, "\uFFFD");
}

/** Somebody else's text inside a message: one line, and no more than so much of it. */
export function visible(text: string, most = 60): string {
  const line = text.slice(0, most).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "\uFFFD");
  return text.length > most ? `${line}…` : line;
}

/** At most eight of them, quoted as the user may type them. */
export function listOf(items: readonly (string | number)[]): string {
  const shown = items.slice(0, 8).map((item) => JSON.stringify(item));
  return items.length > 8 ? `${shown.join(", ")} and ${items.length - 8} more` : shown.join(", ");
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The name that was probably meant, if one is near: two letters off, or a third, but never all of them. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.min(Math.max(2, Math.floor(name.length / 3)), name.length - 1) + 1;
  for (const candidate of names) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}

/** A source as messages name it: a long SQL text by its beginning. */
export function shortName(source: string): string {
  const line = oneLine(source);
  return line.startsWith("sql:") && line.length > 60 ? `${line.slice(0, 59)}…` : line;
}
