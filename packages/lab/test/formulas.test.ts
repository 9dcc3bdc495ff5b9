import { describe, expect, test } from "vitest";
import { exact, exp, log1p, neg } from "../../napier/src/exact.ts";
import { analyse, FORMATS } from "../src/break/analysis.ts";
import { formatNumber, toDecimal } from "../src/break/decimal.ts";
import { formatLogits, PRESETS, parseLogits } from "../src/break/logits.ts";

describe("parseLogits", () => {
  test.each([
    ["20, 0", [20, 0]],
    ["[1000, 0, −1000]", [1000, 0, -1000]],
    ["1e3\n-2.5\t .5;7f", [1000, -2.5, 0.5, 7]],
    ["([1.5,2])", [1.5, 2]],
  ])("%j", (text, expected) => expect(parseLogits(text)).toEqual(expected));
  test.each([
    ["", "Expected numbers with commas or spaces between them, got none."],
    ["1, two", "Expected finite numbers, got “two” in place 2."],
    ["1, NaN", "Expected finite numbers, got “NaN” in place 2."],
    ["-inf", "Expected finite numbers, got “-inf” in place 1."],
  ])("%j is refused", (text, error) => expect(parseLogits(text)).toEqual({ error }));
  test("too many are refused", () => {
    expect(parseLogits("0 ".repeat(200_001))).toEqual({ error: "Expected at most 200000 numbers, got 200001." });
  });
  test("what is written is read", () => {
    const logits = [1000, -0.125, 1e-7, 3];
    expect(parseLogits(formatLogits(logits))).toEqual(logits);
  });
});

test("exact numbers in decimal digits", () => {
  expect(toDecimal(exact(0), 30)).toBe("0");
  expect(toDecimal(exact(1), 30)).toBe("1");
  expect(toDecimal(exact(-1000), 30)).toBe("−1000");
  expect(toDecimal(exact(0.1), 30)).toBe("0.100000000000000005551115123125");
  expect(toDecimal(exact(-0.00048828125), 30)).toBe("−0.00048828125");
  expect(toDecimal(exact(2 ** 70), 30)).toBe("1.180591620717411303424e21");
  expect(toDecimal(exact(12.5), 2)).toBe("12");
  // e and log 2, from tables
  expect(toDecimal(exp(exact(1)), 30)).toBe("2.71828182845904523536028747135");
  expect(toDecimal(log1p(exact(1)), 30)).toBe("0.693147180559945309417232121458");
  expect(toDecimal(neg(log1p(exp(exact(-20)))), 20)).toBe("−2.0611536203143807032e−9");
});

test("numbers of a format by as many digits as tell them apart", () => {
  expect(["f16", "bf16", "f32", "f64"].map((f) => formatNumber(1 / 3, f as "f16"))).toEqual([
    ...["0.33333", "0.3333", "0.333333333", "0.3333333333333333"],
  ]);
  expect([Infinity, -Infinity, NaN, -2.5e-9].map((x) => formatNumber(x, "f32"))).toEqual(["∞", "−∞", "NaN", "−2.5e−9"]);
});

const faults = (logits: number[], formula: "textbook" | "lse" | "napier", chosen?: number): string[] => {
  const analysis = analyse(logits, chosen);
  return FORMATS.map((format) => {
    const { steps } = analysis[formula][format];
    const at = steps.findIndex(({ fault }) => fault !== undefined);
    return at === -1 ? "" : `${at} ${steps[at].fault}`;
  });
};

describe("the step where a formula loses the answer", () => {
  test("[1000, 0, −1000]: every exponential overflows", () => {
    expect(faults([1000, 0, -1000], "textbook")).toEqual(Array(4).fill("1 overflow"));
    expect(faults([1000, 0, -1000], "textbook", 2)).toEqual(Array(4).fill("1 underflow"));
    expect(faults([1000, 0, -1000], "lse")).toEqual(["", "", "", ""]);
  });
  test("[20, 0]: f32 loses the winner by both, f64 its digits", () => {
    expect(faults([20, 0], "textbook")).toEqual([
      "1 overflow",
      "3 loses the winner",
      "3 loses the winner",
      "3 loses digits",
    ]);
    expect(faults([20, 0], "lse")).toEqual(["", "4 loses the winner", "4 loses the winner", "4 loses digits"]);
  });
  test("[40, 0]: f64 loses it too", () => {
    expect(faults([40, 0], "lse")).toEqual(["", "4 loses the winner", "4 loses the winner", "4 loses the winner"]);
  });
  test.each(PRESETS.filter(({ id }) => id !== "llm"))("Napier holds on the preset $label", ({ make }) => {
    const { napier, winner } = analyse(make());
    for (const format of FORMATS) expect(napier[format].ulps).toBeLessThanOrEqual(2);
    expect(winner).toBe(make().indexOf(Math.max(...make())));
  });
  test("logits that a format does not hold", () => {
    const { textbook, napier } = analyse([1e6, 0]);
    expect(textbook.f16.steps[0]).toEqual({ value: Infinity, fault: "overflow" });
    expect(napier.f16.ulps).toBeNaN();
    expect(napier.f32.ulps).toBe(0);
  });
});
