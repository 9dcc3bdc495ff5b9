// How docs/accuracy.md shows an error and an input.

export function show(ulps) {
  if (ulps === undefined) return "–";
  if (!Number.isFinite(ulps)) return "lost";
  return ulps < 100 ? ulps.toFixed(2) : ulps < 1e5 ? Math.round(ulps).toLocaleString("en-US") : ulps.toExponential(0);
}

export const short = (row) =>
  row.length > 4 ? `${row.length} classes from ${row.slice(0, 2).join(", ")}` : `[${row.join(", ")}]`;
