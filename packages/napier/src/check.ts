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
export function rangeError(
  caller: Caller,
  argument: string,
  expected: string,
  got: unknown,
  todo?: string,
): RangeError {
  return new RangeError(message(caller, argument, expected, describe(got), todo));
}

/** Something that can't be used any more. */
export function stateError(caller: Caller, name: string, expected: string, got: string, todo?: string): Error {
  return new Error(message(caller, name, expected, got, todo));
}

/** What came, where the caller has better words for it than the value itself. */
class Words {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export function words(text: string): Words {
  return new Words(text);
}

/** A value in a few words. */
export function describe(value: unknown): string {
  if (value instanceof Words) return value.text;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value === null || typeof value !== "object") return typeof value === "function" ? "a function" : String(value);
  if (Array.isArray(value)) return value.length > 0 && Array.isArray(value[0]) ? "nested arrays" : "an array";
  const name = value.constructor?.name;
  return name && name !== "Object"
    ? `${/^[AEIO]/.test(name) ? "an" : "a"} ${name}`
    : `an object with ${Object.keys(value).join(", ") || "no keys"}`;
}

/** A flat array of numbers; in number[] each entry is looked at, because a string there would become a NaN. */
export function checkData(
  caller: Caller,
  name: string,
  data: unknown,
): asserts data is number[] | Float32Array | Float64Array {
  if (data instanceof Float32Array || data instanceof Float64Array) return;
  if (!Array.isArray(data)) throw typeError(caller, name, "number[], Float32Array or Float64Array", data);
  for (let k = 0; k < data.length; k++) {
    if (typeof data[k] === "number") continue;
    const todo = Array.isArray(data[k]) && caller !== "fromRows" ? "fromRows(rows) makes { data, shape }" : undefined;
    throw typeError(caller, `${name}[${k}]`, "a number", data[k], todo);
  }
}

export function checkShape(caller: Caller, name: string, shape: unknown): asserts shape is readonly number[] {
  if (!Array.isArray(shape)) throw typeError(caller, name, "an array of sizes", shape);
  shape.forEach((size, d) => {
    if (!Number.isInteger(size) || size < 0) throw rangeError(caller, `${name}[${d}]`, "an integer from 0", size);
  });
}

/** As others spell it: ignore_index, keepdim, top_p, dim. */
function meant(key: string, allowed: readonly string[]): string | undefined {
  const plain = (name: string): string => name.replaceAll("_", "").toLowerCase().replace(/s$/, "");
  const name = /^(dims?|axes)$/.test(key) ? "axis" : key;
  return allowed.find((one) => plain(one) === plain(name));
}

/** A misspelt option would otherwise be a silent default. */
export function checkOptions(caller: Caller, options: unknown, allowed: readonly string[], name = "options"): void {
  if (typeof options !== "object" || options === null) throw typeError(caller, name, "an object", options);
  for (const key of Object.keys(options)) {
    if (allowed.includes(key)) continue;
    const other = meant(key, allowed);
    const todo = other === undefined ? undefined : `did you mean ${other}`;
    throw typeError(caller, name, `only ${allowed.join(", ")}`, words(`${key}`), todo);
  }
}

export function checkOneOf<T extends string>(
  caller: Caller,
  name: string,
  value: unknown,
  allowed: readonly T[],
): asserts value is T {
  if (allowed.includes(value as T)) return;
  throw rangeError(caller, name, allowed.map((v) => `"${v}"`).join(" or "), value);
}

/** An option that is a number, where it is given. */
export function checkNumber(
  caller: Caller,
  name: string,
  value: unknown,
  expected: string,
  isGood: (value: number) => boolean,
): void {
  if (value === undefined) return;
  if (typeof value !== "number") throw typeError(caller, name, expected, value);
  if (!isGood(value)) throw rangeError(caller, name, expected, value);
}
