import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fromOnnx } from "@napier/onnx";
import { describe, expect, test } from "vitest";
import {
  type Case,
  DATASETS,
  type Dataset,
  objectiveOf,
  readTable,
  readVectors,
  tablePath,
} from "../../napier/test/datasets.ts";
import { napier, temporaryFolder } from "./command.ts";

const folder = temporaryFolder();

/** The rows and what each counts: the two highest bits of i·2654435761 mod 2^32, as in tools/datasets.py. */
const weighted = (name: Dataset): string =>
  `sql:SELECT * EXCLUDE (i), (i * 2654435761 % 4294967296 // 1073741824)::UTINYINT AS "how much"
    FROM (SELECT *, row_number() OVER () - 1 AS i FROM '${tablePath(name)}')`;

function flags({ scale, C, classWeight, weighted }: Case): string[] {
  const classes =
    typeof classWeight === "object" && classWeight
      ? Object.entries(classWeight)
          .map(([label, weight]) => `${label}=${weight}`)
          .join(",")
      : classWeight;
  return [
    ...["--target", "label", "--scale", scale, "--C", String(C)],
    ...(classes ? ["--class-weight", classes] : []),
    ...(weighted ? ["--weight", "how much"] : []),
  ];
}

const CASES = DATASETS.flatMap((name) => {
  const { cases } = readVectors(name);
  // all of iris, the last ones of the others: every option once
  return (name === "iris" ? cases : cases.slice(-1)).map((asked) => [name, asked] as const);
});

describe("napier train reaches scikit-learn's optimum", () => {
  test.each(CASES.map(([name, asked]) => [name, flags(asked).slice(2).join(" "), asked] as const))(
    "%s %s",
    async (name, _, asked) => {
      const source = asked.weighted ? weighted(name) : tablePath(name);
      const { code, stdout, stderr } = await napier(
        folder,
        "train",
        source,
        ...flags(asked),
        "--out",
        "m.onnx",
        "--json",
      );
      expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
      const report = JSON.parse(stdout);
      const { weights, classes } = readVectors(name);
      expect(report.classes).toEqual(classes);
      expect(report.iterations).toBeGreaterThan(3);
      expect(report.objective / asked.objective - 1).toBeLessThan(1e-6);

      const { x, y } = await readTable(name);
      const model = fromOnnx(readFileSync(join(folder, "m.onnx")));
      expect(model.inputs).toBe(x.shape[1]); // the weights are no feature
      const objective = objectiveOf(model, x, y, asked, weights);
      expect(Math.abs(objective / asked.objective - 1)).toBeLessThan(1e-6);
      expect(objective / report.objective).toBeCloseTo(1, 9);
      const predicted = model.predict(x).map((label) => classes.indexOf(label));
      expect(predicted.join("")).toBe(asked.predictions);
    },
  );
});

test("--tolerance and --max-iterations end earlier, and farther from the optimum", async () => {
  const run = async (...options: string[]): Promise<{ objective: number; iterations: number }> => {
    const args = ["train", tablePath("wine"), "--target", "label", ...options, "--out", "t.onnx", "--json"];
    return JSON.parse((await napier(folder, ...args)).stdout);
  };
  const full = await run();
  const loose = await run("--tolerance", "0.01");
  const short = await run("--max-iterations", "3");
  expect(short.iterations).toBe(3);
  expect(loose.iterations).toBeLessThan(full.iterations);
  expect(loose.objective).toBeGreaterThan(full.objective);
  expect(short.objective).toBeGreaterThan(full.objective);
});
