// The section "The rest of the surface" of docs/accuracy.md: every operation beyond the core, one table a dtype. NAPIER_TIMES=1 shows how long each family takes.
// Throws where a result of Napier is outside its bound.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { python } from "./peer_python.js";
import { elementFamilies } from "./surface_elements.js";
import { lossFamilies } from "./surface_losses.js";
import { rowFamilies } from "./surface_rows.js";
import { short, show } from "./ulps.js";

/** The peers' answers, a list a case by family, or null without Python. A NaN comes as null. */
function answers(families, dtype) {
  const job = {
    dtype,
    families: Object.fromEntries(Object.entries(families).map(([name, { cases }]) => [name, cases])),
  };
  const { stdout, stderr, status } = spawnSync(python, [fileURLToPath(new URL("surface_peer.py", import.meta.url))], {
    input: JSON.stringify(job),
    maxBuffer: 1 << 30,
    encoding: "utf8",
  });
  if (status !== 0) {
    console.error(stderr);
    return null;
  }
  return JSON.parse(stdout.replaceAll("NaN", "null").replaceAll("Infinity", "1e999"));
}

/** The largest error of some values, where, and how many are over the bound. */
class Worst {
  error;
  where = "";
  seen = 0;
  over = 0;
  see(values, measure, bound, where) {
    values.forEach((value, j) => {
      const error = value === null || Number.isNaN(value) ? Infinity : measure(value, j);
      this.seen++;
      if (!(error <= bound)) this.over++;
      if (this.error !== undefined && error <= this.error) return;
      this.error = Number.isNaN(error) ? Infinity : error;
      this.where = where(j);
    });
  }
}

function percent({ seen, over }) {
  if (seen === 0) return "–";
  return `${((100 * over) / seen).toFixed(over > 0 && over < seen / 100 ? 2 : 1)} %`;
}

/** A case's arguments, the upstream gradient for a Backward only; of a case by element those of the one element. */
function input(given, operation, isByElement, j) {
  return Object.entries(given)
    .filter(([name]) => name !== "g" || operation.includes("Backward"))
    .map(([name, value]) => {
      if (isByElement) return `${name} = ${value[j]}`;
      if (name === "g" && value.length === 1) return `g = ${value[0]}`;
      return Array.isArray(value) ? `${name} ${short(value)}` : `${name} = ${value}`;
    })
    .join("; ");
}

function tableOf(dtype) {
  const families = { ...rowFamilies(dtype), ...lossFamilies(dtype), ...elementFamilies(dtype) };
  const peers = answers(families, dtype);
  const lines = [];
  for (const [family, { operations, cases, napier, measures }] of Object.entries(families)) {
    const start = performance.now();
    const worst = Object.fromEntries(
      Object.keys(operations).map((name) => [name, { own: new Worst(), peer: new Worst() }]),
    );
    cases.forEach((given, i) => {
      const measure = measures(given);
      const values = napier(given);
      const isByElement = cases.length === 1;
      for (const name of Object.keys(operations)) {
        const where = (j) => input(given, name, isByElement, j);
        const { bound } = operations[name];
        worst[name].own.see(Array.from(values[name]), measure[name], bound, where);
        const theirs = peers?.answers[family][i][name];
        if (theirs) worst[name].peer.see(theirs, measure[name], bound, where);
      }
    });
    for (const [name, { bound, text, terms, share, call }] of Object.entries(operations)) {
      const { own, peer } = worst[name];
      if (!(own.error <= bound)) throw new Error(`${name}, ${dtype}: ${own.error} is over ${bound} at ${own.where}`);
      const limit = text ?? (share ? "its own; shares of it" : terms ? `${bound} of the largest term` : bound);
      const other = call === "none" ? "–" : `\`${call}\``;
      lines.push(
        `| ${name} | ${limit} | ${show(own.error)} | ${show(peer.error)} | ${percent(peer)} | ${other} | ${own.where} |`,
      );
    }
    if (process.env.NAPIER_TIMES)
      console.error(dtype, family, cases.length, Math.round(performance.now() - start), "ms");
  }
  const page = `### ${dtype}\n\n| operation | bound | Napier | peer | peer over the bound | the peer's call | Napier's worst input |\n|${"---|".repeat(7)}\n${lines.join("\n")}\n`;
  return { page, peers };
}

/** The section, and the versions of the peers that answered. */
export function surface() {
  const tables = ["f32", "f64"].map(tableOf);
  const peers = tables[0].peers;
  const versions = peers ? ` (PyTorch ${peers.torch}, SciPy ${peers.scipy})` : "";
  return `## The rest of the surface

Operation by operation, the worst error in ulps over all inputs together: rows of the kinds above of up to 400 classes (40 of logCumSumExp), and for what goes by element numbers of every magnitude and beside every threshold.
The peer${versions} had the very same inputs, and is measured as Napier is; "over the bound" counts its results that are off by more than Napier's bound, and "lost" means that a result which can be represented came out as ±∞ or NaN, or with the wrong sign. "autograd" is the gradient of the call above it. Bounds, in ulps:
- "of the largest term": the result is a sum of terms of both signs; the unit is an ulp of the largest one.
- "or the cancellation's": where maximum and logarithm cancel, an error of 2⁻⁴⁴·|max| (f32) or 2⁻⁵¹·|max| (f64) counts as the bound.
- "its own; shares of it": the numbers are parts of the bound. Weights of both signs: that of positive weights, or 1 ulp and 4 ulps of f64 of the larger sum of one sign, over the sum; its gradient: 4 ulp (f32), 8 ulp and 4 ulp times the larger sum of one sign, over the sum (f64). Perplexity: (loss + 1)·2⁻²³ of the result in f32, (4·loss + 1)·2⁻⁵² in f64.
- zLoss: where 2·z·lse is in the range of f64.
- softcap: f32 against exact c·tanh(x / c); f64 against the capped logits as f64 has them, within 3 ulp of that, so without a peer.

nllLoss picks entries of its argument, without an error but that of the reduction; sample draws classes.

${tables.map(({ page }) => page).join("\n")}`;
}
