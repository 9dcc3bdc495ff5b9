import { expect, test } from "vitest";
import { ELEMENTARY, type Elementary, worstOf } from "./elementary.ts";
import { stated } from "./probe.ts";

test.each(Object.keys(ELEMENTARY) as Elementary[])("%s: 300,000 inputs keep the header's bound", async (name) => {
  const { worst } = await worstOf(name, 300_000, 32);
  expect(worst.error, `at ${worst.at}`).toBeLessThanOrEqual(stated(name).bound);
});
