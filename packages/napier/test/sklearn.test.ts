import { describe, expect, test } from "vitest";
import { fit, type Progress } from "../src/train/index.ts";
import { DATASETS, nameOf, objectiveOf, optionsOf, readTable, readVectors } from "./datasets.ts";

const RELATIVE = 1e-6; // of the optimum
const MARGIN = 1e-6;

/** By scale: 10 to 250 were needed on standardised features, up to 700 on those as they are. */
const MOST_ITERATIONS = { standard: 300, none: 900 };

describe.each(DATASETS)("scikit-learn's optimum on %s", async (name) => {
  const { x, y } = await readTable(name);
  const { classes, weights, cases } = readVectors(name);

  test.each(cases.map((asked) => [nameOf(asked), asked] as const))("%s", async (_, asked) => {
    let end: (Progress & { kind: "end" }) | undefined;
    const onProgress = (p: Progress): void => {
      if (p.kind === "end") end = p;
    };
    const model = await fit({ x, y, ...optionsOf(asked, weights), onProgress });
    expect(model.classes).toEqual(classes);

    const objective = objectiveOf(model, x, y, asked, weights);
    expect(objective / asked.objective - 1).toBeLessThan(RELATIVE);
    expect(objective / asked.objective - 1).toBeGreaterThan(-1e-12); // or it is not the optimum
    expect(end!.objective / objective - 1).toBeCloseTo(0, 7);
    expect(end!.iterations).toBeLessThan(MOST_ITERATIONS[asked.scale]);
    expect(end!.converged).toBe(true);

    const labels = model.predict(x);
    const other = labels.flatMap((label, i) =>
      label === classes[Number(asked.predictions[i])] || (asked.close[i] ?? 1) <= MARGIN ? [] : [i],
    );
    expect(other).toEqual([]);
  });

  test("its own coefficients have its objective", () => {
    for (const asked of cases.filter(({ scale }) => scale === "none")) {
      // the reference is checked too: coefficients in f64 and the objective of this file's formula
      const { coef, intercept } = asked;
      const rows = coef.length === 1 ? [coef[0].map(() => 0), coef[0]] : coef;
      const layer = {
        weight: Float64Array.from(rows.flat()) as unknown as Float32Array,
        bias: Float64Array.from(coef.length === 1 ? [0, intercept[0]] : intercept) as unknown as Float32Array,
        inputs: rows[0].length,
        outputs: rows.length,
      };
      const scaling = {
        kind: "none" as const,
        center: new Float32Array(layer.inputs),
        factor: new Float32Array(layer.inputs).fill(1),
      };
      const model = { classes, scaling, layers: [layer] };
      expect(objectiveOf(model, x, y, asked, weights) / asked.objective).toBeCloseTo(1, 12);
    }
  });
});
