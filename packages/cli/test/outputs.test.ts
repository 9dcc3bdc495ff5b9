import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { BIN, napier, temporaryFolder } from "./command.ts";
import { writeNpy } from "./npyfile.ts";

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const contents = (): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(at(name)).toString("base64")]));

beforeAll(async () => {
  const lines = Array.from({ length: 60 }, (_, i) => `${(i * 7) % 11},${i % 5},${i % 3 ? "u" : "v"}`);
  for (const name of ["rows.csv", "held.csv"]) writeFileSync(at(name), `a,b,y\n${lines.join("\n")}\n`);
  for (const name of ["x.npy", "held.npy"])
    writeNpy(
      at(name),
      new Float32Array(120).map((_, k) => (k * k) % 13),
      [60, 2],
    );
  for (const name of ["y.npy", "heldy.npy"])
    writeNpy(
      at(name),
      new Uint8Array(60).map((_, i) => i % 2),
      [60],
    );
  symlinkSync(at("rows.csv"), at("link.csv"));
  expect((await napier(folder, "train", "rows.csv", "--target", "y", "--out", "m.onnx")).code).toBe(0);
  expect((await napier(folder, "train", "x.npy", "--labels", "y.npy", "--out", "x.onnx")).code).toBe(0);
});

const table = (...rest: string[]): string[] => ["train", "rows.csv", "--target", "y", ...rest];
const matrix = (...rest: string[]): string[] => ["train", "x.npy", "--labels", "y.npy", ...rest];
const CASES: [what: string, args: string[], refusal: string][] = [
  ["train --report", table("--out", "n.onnx", "--report", "rows.csv"), "--report rows.csv is the source"],
  ["a link to the source", table("--out", "link.csv"), "--out link.csv is the source"],
  ["two results", table("--out", "n.onnx", "--report", "./n.onnx"), "--report ./n.onnx is the file of --out"],
  ["labels", matrix("--out", "y.npy"), "--out y.npy is the file of --labels"],
  [
    "rows for validation",
    table("--validation", "held.csv", "--out", "held.csv"),
    "--out held.csv is the source of --validation",
  ],
  [
    "their labels",
    matrix("--validation", "held.npy", "--validation-labels", "heldy.npy", "--report", "heldy.npy"),
    "--report heldy.npy is the file of --validation-labels",
  ],
  [
    "a statement's file",
    ["train", "sql:SELECT * FROM 'rows.csv'", "--target", "y", "--out", "rows.csv"],
    "--out rows.csv is the source",
  ],
  [
    "a statement's second file",
    [
      "train",
      "sql:FROM 'rows.csv' WHERE a IN (SELECT a FROM read_csv(['held.csv']))",
      "--target",
      "y",
      "--out",
      "held.csv",
    ],
    "--out held.csv is the source",
  ],
  [
    "evaluate --report, the model",
    ["evaluate", "m.onnx", "rows.csv", "--target", "y", "--report", "m.onnx"],
    "--report m.onnx is the model",
  ],
  [
    "evaluate --report, labels",
    ["evaluate", "x.onnx", "x.npy", "--labels", "y.npy", "--report", "y.npy"],
    "--report y.npy is the file of --labels",
  ],
  [
    "predict, the model",
    ["predict", "m.onnx", "rows.csv", "--out", "m.onnx", "--format", "csv", "--force"],
    "--out m.onnx is the model",
  ],
  [
    "predict, the source",
    ["predict", "m.onnx", "sql:FROM 'rows.csv'", "--out", "rows.csv", "--force"],
    "--out rows.csv is the source",
  ],
  [
    "calibrate, the model",
    ["calibrate", "m.onnx", "held.csv", "--target", "y", "--out", "m.onnx"],
    "--out m.onnx is the model",
  ],
  [
    "calibrate, labels",
    ["calibrate", "x.onnx", "held.npy", "--labels", "heldy.npy", "--out", "heldy.npy"],
    "--out heldy.npy is the file of --labels",
  ],
];

test.each(CASES)("a result took the place of what is read: %s", async (_, args, refusal) => {
  const before = contents();
  const { code, stdout, stderr } = await napier(folder, ...args);
  expect({ code, stdout, last: stderr.split("error: ")[1] }).toEqual({
    code: 2,
    stdout: "",
    last: `${refusal} itself\nhint: give the result another name\n`,
  });
  expect(contents()).toEqual(before);
});

test.runIf(process.platform === "linux").each([
  ["evaluate", "evaluate m.onnx rows.csv --target y --json"],
  ["train", "train rows.csv --target y --out full.onnx --json --quiet"],
  ["predict", "predict m.onnx rows.csv"],
])("a result that did not fit on stdout was no failure: %s", (_, args) => {
  const run = spawnSync("bash", ["-c", `"$0" "$1" ${args} > /dev/full`, process.execPath, BIN], { cwd: folder });
  expect([run.status, String(run.stderr)]).toEqual([
    1,
    "error: cannot write to stdout: no space is left on its disk\n",
  ]);
});

test.runIf(process.platform === "linux")("what could not be written had no name", () => {
  const command = 'trap "" XFSZ; ulimit -f 1; exec "$0" "$1" evaluate m.onnx rows.csv --target y --report big.html';
  const run = spawnSync("bash", ["-c", command, process.execPath, BIN], { cwd: folder });
  expect([run.status, String(run.stderr)]).toEqual([
    1,
    "error: cannot write big.html: it is larger than a file may be here\n",
  ]);
  expect(readdirSync(folder).filter((name) => name.includes("big.html"))).toEqual([]);
});
