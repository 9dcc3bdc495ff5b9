/** Makes packages/napier/src/kernels/coefficients.as.ts: the polynomials of exp and log1p, and the constants of their reductions. */
import { writeFileSync } from "node:fs";
import {
  add,
  compare,
  div,
  type Exact,
  exact,
  exp,
  LN2,
  log1p,
  mul,
  ONE,
  sub,
  toF32,
  toF64,
  ZERO,
} from "#napier/exact";

/** Chebyshev nodes of [low, high], rounded to 2^-24 so that no machine's cosine moves a coefficient. */
function nodes(count: number, low: number, high: number): Exact[] {
  return Array.from({ length: count }, (_, i) => {
    const cosine = Math.cos(((2 * i + 1) * Math.PI) / (2 * count));
    return exact(Math.round(((low + high) / 2 + ((high - low) / 2) * cosine) * 2 ** 24) / 2 ** 24);
  });
}

/** Coefficients, lowest first, of the polynomial through f at the nodes (Newton's divided differences, expanded). */
function interpolate(f: (x: Exact) => Exact, at: Exact[]): Exact[] {
  const differences = at.map(f);
  for (let level = 1; level < at.length; level++) {
    for (let i = at.length - 1; i >= level; i--) {
      differences[i] = div(sub(differences[i], differences[i - 1]), sub(at[i], at[i - level]));
    }
  }
  let coefficients: Exact[] = [];
  for (let i = at.length - 1; i >= 0; i--) {
    const shifted = [ZERO, ...coefficients];
    coefficients.forEach((c, j) => {
      shifted[j] = sub(shifted[j], mul(c, at[i]));
    });
    shifted[0] = add(shifted[0], differences[i]);
    coefficients = shifted;
  }
  return coefficients;
}

const horner = (coefficients: Exact[], x: Exact): Exact =>
  coefficients.reduceRight((sum, c) => add(mul(sum, x), c), ZERO);

/** log2 of the largest |approximate / true − 1| over 2,001 points; coefficients as rounded to f64. */
function worstRelative(
  approximate: (x: Exact) => Exact,
  truth: (x: Exact) => Exact,
  low: number,
  high: number,
): string {
  let worst = ZERO;
  for (let i = 0; i <= 2000; i++) {
    const x = exact(low + ((high - low) * (i + 0.37)) / 2001);
    const error = sub(div(approximate(x), truth(x)), ONE);
    const magnitude = { n: error.n < 0n ? -error.n : error.n, e: error.e };
    if (compare(magnitude, worst) > 0) worst = magnitude;
  }
  return Math.log2(toF64(worst)).toFixed(1);
}

const rounded = (coefficients: Exact[]): number[] => coefficients.map(toF64);
const table = (name: string, values: number[], dtype = "f64"): string =>
  `export const ${name} = memory.data<${dtype}>([\n${values.map((v) => `  ${v},`).join("\n")}\n], 16);\n`;

const exp2 = (f: Exact): Exact => exp(mul(f, LN2));
const EXP2_DEGREE = 5;
const exp2Coefficients = rounded(interpolate((f) => div(sub(exp2(f), ONE), f), nodes(EXP2_DEGREE + 1, -0.5, 0.5)));
const exp2Error = worstRelative((f) => add(ONE, mul(f, horner(exp2Coefficients.map(exact), f))), exp2, -0.5, 0.5);

const EXP_REACH = 0.34658; // ln 2 / 2, and the tail
const expCoefficients = rounded(
  interpolate((r) => div(sub(sub(exp(r), ONE), r), mul(r, r)), nodes(11, -EXP_REACH, EXP_REACH + 2 ** -20)),
);
const expError = worstRelative(
  (r) => add(add(ONE, r), mul(mul(r, r), horner(expCoefficients.map(exact), r))),
  exp,
  -EXP_REACH,
  EXP_REACH,
);

// (e^r − 1 − r) / r² with 1/2 as its first coefficient, exact in f32. Interpolated where the error of the best such
// polynomial is 0 (found by linear programming): the error weighs r², so Chebyshev's nodes would waste it on the middle.
const EXP_F32_REACH = 0.3466;
const EXP_F32_NODES = [-0.337, -0.26, 0.2285, 0.3344];
const expF32Coefficients = [
  0.5,
  ...interpolate(
    (r) => div(sub(div(sub(sub(exp(r), ONE), r), mul(r, r)), exact(0.5)), r),
    EXP_F32_NODES.map(exact),
  ).map(toF32),
];
const expF32Error = worstRelative(
  (r) => add(add(ONE, r), mul(mul(r, r), horner(expF32Coefficients.map(exact), r))),
  exp,
  -EXP_F32_REACH,
  EXP_F32_REACH,
);

// log(1 + f) = 2 atanh s = 2 s + s z G(z), s = f / (2 + f), z = s²; |s| ≤ 3 − 2√2
const LOG_REACH = 0.1716;
const atanhTwice = (s: Exact): Exact => sub(log1p(s), log1p({ n: -s.n, e: s.e }));
/** √z to 2^-200 by Newton's steps from the f64 root. */
function sqrt(z: Exact): Exact {
  let root = exact(Math.sqrt(toF64(z)));
  for (let i = 0; i < 3; i++) root = mul(add(root, div(z, root)), exact(0.5));
  return root;
}
/** G(z) from `count` nodes, and its error. */
function logarithm(count: number, reach: number): { coefficients: number[]; error: string } {
  const coefficients = rounded(
    interpolate(
      (z) => {
        const s = sqrt(z);
        return div(sub(div(atanhTwice(s), s), exact(2)), z);
      },
      nodes(count, 0.0001, reach * reach),
    ),
  );
  const error = worstRelative(
    (s) => mul(s, add(exact(2), mul(mul(s, s), horner(coefficients.map(exact), mul(s, s))))),
    atanhTwice,
    0.0001,
    reach,
  );
  return { coefficients, error };
}
const log = logarithm(7, LOG_REACH);
const LOG_F32_REACH = 0.3334; // 1 + f = 2
const logF32 = logarithm(5, LOG_F32_REACH);

// ln 2 in two parts. f64: 32 bits, so that k · high is exact for |k| < 2^21; f32: 16 bits, exact for |k| < 2^8.
const ln2High = Math.floor(Math.LN2 * 2 ** 32) / 2 ** 32;
const ln2Low = toF64(sub(LN2, exact(ln2High)));
const ln2HighF32 = Math.floor(Math.LN2 * 2 ** 16) / 2 ** 16;
const ln2LowF32 = toF32(sub(LN2, exact(ln2HighF32)));

const file = new URL("../../packages/napier/src/kernels/coefficients.as.ts", import.meta.url);
writeFileSync(
  file,
  `// Made by tools/coefficients.ts (npm run gen). Do not edit.

/** 2^f = 1 + f·Σ EXP2[j]·f^j on |f| ≤ 1/2; relative error ≤ 2^${exp2Error} */
${table("EXP2", exp2Coefficients)}
/** e^r = 1 + r + r²·Σ EXP[j]·r^j on |r| ≤ ${EXP_REACH}; relative error ≤ 2^${expError} */
${table("EXP", expCoefficients)}
/** e^r = 1 + r + r²·Σ EXP_F32[j]·r^j in f32 on |r| ≤ ${EXP_F32_REACH}; relative error of the polynomial ≤ 2^${expF32Error} */
${table("EXP_F32", expF32Coefficients, "f32")}
/** 2 atanh s = 2s + s·z·Σ LOG[j]·z^j, z = s², |s| ≤ ${LOG_REACH}; relative error ≤ 2^${log.error} */
${table("LOG", log.coefficients)}
/** The same on |s| ≤ ${LOG_F32_REACH}, for f32 results; relative error ≤ 2^${logF32.error} */
${table("LOG_F32", logF32.coefficients)}
/** { log₂e, 32 bits of ln 2 (times k exact for |k| < 2^21), the rest of ln 2 } */
${table("REDUCTION", [toF64(div(ONE, LN2)), ln2High, ln2Low])}
/** The same for f32: { log₂e, 16 bits of ln 2 (times k exact for |k| < 2^8), the rest of ln 2 } */
${table("REDUCTION_F32", [toF32(div(ONE, LN2)), ln2HighF32, ln2LowF32], "f32")}`,
);
