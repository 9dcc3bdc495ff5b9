/** Every argument check, and the only place where error messages are built. */

/** What stands before every message: the function that was called. */
export type Caller = string;

function message(caller: Caller, argument: string, expected: string, got: string, todo?: string): string {
  return `${caller}: ${argument} expected ${expected}, got ${got}${todo === undefined ? "" : `; ${todo}`}`;
}

/** A value of the wrong type. */
export function typeError(caller: Caller, argument: string, expected: string, got: unknown, todo?: string): TypeError {
  return new TypeError(message(caller, argument, expected, describe(got), todo));
}

/** A value of the right type that can't be used. */
export function rangeError(caller: Caller, argument: string, expected: string, got: unknown, todo?: string): RangeError {
  return new RangeError(message(caller, argument, expected, describe(got), todo));
}

/** A value in a few words; a string that starts with a blank space is taken as it is, for callers with better words. */
export function describe(value: unknown): string {
  if (typeof value === "string") return value.startsWith(" ") ? value.slice(1) : JSON.stringify(value);
  if (value === null || typeof value !== "object") return typeof value === "function" ? "a function" : String(value);
  if (Array.isArray(value)) return value.length > 0 && Array.isArray(value[0]) ? "nested arrays" : "an array";
  const name = value.constructor?.name;
  return name && name !== "Object" ? `a ${name}` : `an object with ${Object.keys(value).join(", ") || "no keys"}`;
}
