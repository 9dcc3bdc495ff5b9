/** What an optimizer's constants may be: in words, and as checkNumber takes it. */
export type Range = readonly [expected: string, isGood: (value: number) => boolean];

export const FROM_0: Range = ["a finite number from 0", (v) => v >= 0 && v < Infinity];
export const ABOVE_0: Range = ["a finite number above 0", (v) => v > 0 && v < Infinity];
export const BELOW_1: Range = ["a number from 0, below 1", (v) => v >= 0 && v < 1];
export const TO_1: Range = ["a number from 0 to 1", (v) => v >= 0 && v <= 1];
export const integerFrom = (from: number): Range => [
  `an integer from ${from}`,
  (v) => Number.isSafeInteger(v) && v >= from,
];
