import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { napier, temporaryFolder, writeTable } from "./command.ts";

const folder = temporaryFolder();
const foreign = (name: string): string => fileURLToPath(new URL(`../../onnx/test/${name}`, import.meta.url));

beforeAll(async () => {
  await writeTable([join(folder, "rows.parquet")]);
  const options = ["--target", "colour", "--hidden", "5", "--epochs", "2", "--out", "m.onnx"];
  expect((await napier(folder, "train", "rows.parquet", ...options)).code).toBe(0);
  const iris = fileURLToPath(new URL("../../../data/iris.parquet", import.meta.url));
  expect((await napier(folder, "train", iris, "--target", "label", "--out", "iris.onnx")).code).toBe(0);
  expect((await napier(folder, "calibrate", "iris.onnx", iris, "--target", "label")).code).toBe(0);
});

test("a model of napier, in words", async () => {
  const { code, stdout, stderr } = await napier(folder, "inspect", "m.onnx");
  expect([code, stderr]).toEqual([0, ""]);
  const bytes = readFileSync(join(folder, "m.onnx"));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  expect(stdout).toBe(`m.onnx: ${bytes.length.toLocaleString("en-US")} bytes, by napier 1
  it is       an MLP with 1 hidden layer, ReLU between them: 6 → 5 → 3
  features    6 numbers a row: a, b, c, e (3)
  classes     3: "blue", "green", "red"
  scaling     each number is standardised: its mean off, divided by its standard deviation
  calibrated  no (temperature 1)
  takes       x: float32 [N, 6]
  gives       logits: float32 [N, 3]
              log_probs: float32 [N, 3]
  parameters  65
  operators   6: Sub, Mul, Gemm ×2, Relu, LogSoftmax
  versions    opset ai.onnx 17; IR 8
  sha256      ${sha256}
  napier      wrote it, and it is whole
`);
});

test("a calibrated one says its temperature, and --json has it all", async () => {
  const calibrated = JSON.parse((await napier(folder, "inspect", "iris.calibrated.onnx", "--json")).stdout);
  const { own, napier: isOwn, parameters, operators } = calibrated;
  expect(own).toMatchObject({
    classes: ["setosa", "versicolor", "virginica"],
    layers: [4, 3],
    scaling: "standard",
    temperature: expect.any(Number),
  });
  expect(own.features[0]).toEqual({ name: "sepal length (cm)", size: 1 });
  expect([isOwn, parameters, operators.at(-2)]).toEqual([true, 4 * 3 + 3 + 8 + 1, { name: "Div", count: 1 }]);
  expect((await napier(folder, "inspect", "iris.calibrated.onnx")).stdout).toMatch(
    / {2}it is {7}a linear softmax classifier: 4 → 3\n[\s\S]* {2}calibrated {2}yes, temperature 0\.\d+\n/,
  );
});

test("a foreign one says what it takes and gives", async () => {
  const { code, stdout } = await napier(folder, "inspect", foreign("pytorch.onnx"));
  expect(code).toBe(0);
  expect(stdout).toContain("bytes, by pytorch 2.");
  expect(stdout).toContain("  takes       image: float32 [batch, 1, 6, 6]\n");
  expect(stdout).toContain("  operators   4: Conv, Relu, Flatten, Gemm\n");
  expect(stdout).toContain("did not write it: predict and evaluate do not read it");
});

test("names cannot write to the terminal", async () => {
  const bytes = readFileSync(foreign("pytorch.onnx"));
  const at = bytes.indexOf("image");
  while (bytes.indexOf("image") >= 0) bytes.write("\x1b[2J!", bytes.indexOf("image"), "latin1");
  expect(at).toBeGreaterThan(0);
  writeFileSync(join(folder, "escape.onnx"), bytes);
  const { stdout } = await napier(folder, "inspect", "escape.onnx");
  expect(stdout).toContain("\uFFFD[2J!: float32");
  expect(stdout).not.toContain("\x1b");
});

test("what is no model is an error in one line", async () => {
  writeFileSync(join(folder, "text.onnx"), "no model at all");
  const damaged = readFileSync(join(folder, "m.onnx"));
  damaged[damaged.length >> 1]! ^= 1;
  writeFileSync(join(folder, "damaged.onnx"), damaged);
  const refused = async (name: string) => {
    const { code, stdout, stderr } = await napier(folder, "inspect", name);
    expect([code, stdout]).toEqual([2, ""]);
    return stderr;
  };
  expect(await refused("text.onnx")).toMatch(/^error: text\.onnx is no ONNX file: 15 bytes [^\n]*\n$/);
  expect(await refused("damaged.onnx")).toMatch(/^error: damaged\.onnx is [^\n]*\n$/);
  expect(await refused("none.onnx")).toBe("error: none.onnx: no such file\n");
});
