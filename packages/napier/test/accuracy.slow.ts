import { describe } from "vitest";
import { normals, rounded, rowsByKind } from "../../../tools/hostile.ts";
import { budgets } from "./budgets.ts";

describe.each(["f32", "f64"] as const)("accuracy in %s, ten times the rows", (dtype) => {
  budgets(dtype, [...rowsByKind(dtype, 10)]);
});

describe.each(["f32", "f64"] as const)("accuracy in %s, rows of up to 262,144 classes", (dtype) => {
  const normal = normals(31);
  const rows = [1000, 32_000, 128_256, 262_144].flatMap((classes) =>
    [1, 8].map((deviation) => ({
      kind: `${classes} classes, N(0, ${deviation})`,
      row: rounded(
        Array.from({ length: classes }, () => deviation * normal()),
        dtype,
      ),
    })),
  );
  budgets(dtype, rows);
});
