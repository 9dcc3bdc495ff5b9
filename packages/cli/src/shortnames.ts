const MOST = 14;

const cut = (name: string): string => (name.length > MOST ? `${name.slice(0, 6)}…${name.slice(-7)}` : name);

/** How many characters all names have in common, from the first one on. */
function common(names: readonly string[]): number {
  const [first = ""] = names;
  let k = 0;
  while (k < first.length && names.every((name) => name[k] === first[k])) k++;
  return k;
}

const reversed = (name: string): string => [...name].reverse().join("");

/** Names for a chart, of 14 characters at most, that differ where the names do. */
export function shortNames(names: readonly string[]): string[] {
  const plain = names.map(cut);
  if (new Set(plain).size === names.length) return plain;
  const from = common(names);
  const rests = names.map((name) => name.slice(from));
  const to = common(rests.map(reversed));
  const middles = rests.map((rest) => cut(`…${rest.slice(0, rest.length - to)}${to > 0 ? "…" : ""}`));
  if (new Set(middles).size === names.length) return middles;
  return names.map((name, k) => `${k + 1} ${name.slice(0, 7)}…`);
}
