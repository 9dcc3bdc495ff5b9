import { afterAll, describe } from "vitest";
import { softBudgets } from "./softbudgets.ts";

describe.each(["f32", "f64"] as const)("accuracy of the general losses in %s", (dtype) => {
  const worst = softBudgets(dtype, 1, 3);
  afterAll(() => {
    if (process.env.NAPIER_WORST) console.log(dtype, worst);
  });
});
