import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { resumeCommand } from "../src/checkpoint.ts";
import { quoted } from "../src/words.ts";
import { napier, napierInterrupted, temporaryFolder } from "./command.ts";
import { killAndResume, SEED, TRAININGS, trainArgs, writeRows } from "./killed.ts";

const folder = temporaryFolder();
beforeAll(() => writeRows(folder));
beforeEach(() => {
  for (const name of ["saves", "out.onnx"]) rmSync(join(folder, name), { recursive: true, force: true });
});

test.each(TRAININGS)(`%s, killed 5 times, seed ${SEED}: the bytes of the run that never was`, async (_, args) => {
  await killAndResume(folder, args, 5, SEED);
});

const SAVES = ["--checkpoint", "saves", "--checkpoint-every", "0", "--out", "out.onnx"];
const [, [, MLP]] = TRAININGS as [unknown, [string, string[]]];
const LONG = [...MLP.slice(0, 2), "--epochs", "60", ...MLP.slice(4)];
const file = (name: string): string => join(folder, "saves", name);
const [A, B] = ["checkpoint-a.safetensors", "checkpoint-b.safetensors"] as const;

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s saves first, and the command that is printed goes on", async (signal, exit) => {
  const once = ["--checkpoint", "it's saved", "--out", "out.onnx"];
  const { code, stdout, stderr } = await napierInterrupted(folder, /^epoch 1\//m, signal, ...trainArgs(LONG, ...once));
  expect({ code, stdout }).toEqual({ code: exit, stdout: "" });
  expect(stderr).toMatch(
    /^interrupted after \d+ epochs?; a checkpoint is saved in it's saved\nhint: this command goes on:\n {2}node /m,
  );
  expect(existsSync(join(folder, "out.onnx"))).toBe(false);
  expect(readdirSync(join(folder, "it's saved"))).toEqual([A]);
  const command = stderr.trimEnd().split("\n").at(-1) as string;
  expect(command).toContain("--checkpoint 'it'\\''s saved' --out out.onnx --resume");
  const report = JSON.parse(execFileSync("sh", ["-c", command], { cwd: folder, encoding: "utf8", stdio: "pipe" }));
  const whole = await napier(folder, ...trainArgs(LONG));
  expect(report.sha256).toBe(JSON.parse(whole.stdout).sha256);
  rmSync(join(folder, "it's saved"), { recursive: true });
});

test("SIGTERM without --checkpoint saves the model so far", async () => {
  const args = trainArgs(LONG, "--out", "out.onnx");
  const { code, stderr } = await napierInterrupted(folder, /^epoch 1\//m, "SIGTERM", ...args);
  expect(stderr).toMatch(/^interrupted after \d+ epochs?; the best model so far is saved to out\.onnx/m);
  expect(code).toBe(143);
});

describe("a folder with checkpoints", () => {
  const trained = async (args: string[]): Promise<string> => {
    const { code, stdout } = await napier(folder, ...trainArgs(args, ...SAVES));
    expect(code).toBe(0);
    expect(readdirSync(join(folder, "saves"))).toEqual([A, B]);
    return JSON.parse(stdout).sha256;
  };

  test("is refused without --resume, and nothing in it changes", async () => {
    await trained(MLP);
    const before = readFileSync(file(A));
    const { code, stderr } = await napier(folder, ...trainArgs(MLP, ...SAVES));
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `error: --checkpoint saves: there are checkpoints already\nhint: add --resume to go on from them, or name another folder\n`,
    });
    expect(readFileSync(file(A)).equals(before)).toBe(true);
  });

  test("the newest is damaged: the older one is used, with a note", async () => {
    const sha256 = await trained(MLP);
    const newest = [A, B].sort((a, b) => saveOf(file(b)) - saveOf(file(a)))[0] as string;
    writeFileSync(file(newest), readFileSync(file(newest)).subarray(0, 2000));
    const { code, stdout, stderr } = await napier(folder, ...trainArgs(MLP, ...SAVES, "--resume"));
    expect(code).toBe(0);
    expect(stderr).toContain(`saves: ${newest} is damaged: its checksum is not that of its bytes\n`);
    expect(JSON.parse(stdout).sha256).toBe(sha256);
  });

  test("of another training: one line says what differs", async () => {
    await trained(MLP);
    const { code, stderr } = await napier(folder, ...trainArgs(MLP, ...SAVES, "--resume", "--learning-rate", "0.02"));
    expect(code).toBe(2);
    const other = "is of another training: learningRate is 0.001 there and 0.02 here";
    expect(stderr.split("\n").slice(-3)).toEqual([
      `error: --checkpoint saves: expected one to resume from, got ${A} ${other}, ${B} ${other}`,
      "hint: go on with the options and data that it began with, or keep checkpoints elsewhere",
      "",
    ]);
  });

  test("more epochs go on from its end", async () => {
    await trained(MLP);
    const more = [...MLP, "--epochs", "4"];
    const { stdout, stderr } = await napier(folder, ...trainArgs(more, ...SAVES, "--resume"));
    expect(stderr).toContain("saves: goes on after 3 epochs\n");
    expect(stderr.match(/^epoch \d/gm)).toEqual(["epoch 4"]);
    const whole = await napier(folder, ...trainArgs(more));
    expect(JSON.parse(stdout).sha256).toBe(JSON.parse(whole.stdout).sha256);
  });
});

/** The number of the save, as the file's own metadata has it. */
function saveOf(path: string): number {
  const bytes = readFileSync(path);
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString();
  return JSON.parse(JSON.parse(header).__metadata__.napier).save;
}

test("a folder that is missing is made; one that cannot be, is an error", async () => {
  writeFileSync(join(folder, "a-file"), "");
  const bad = await napier(folder, ...trainArgs(MLP, "--checkpoint", "a-file/saves"));
  expect(bad).toMatchObject({
    code: 2,
    stderr: "error: --checkpoint a-file/saves: the folder cannot be made (ENOTDIR)\n",
  });
  const good = await napier(folder, ...trainArgs(MLP, "--checkpoint", "saves/deep", "--out", "out.onnx", "--resume"));
  expect(good.stderr).toContain("saves/deep: no checkpoint to go on from; training begins\n");
  expect(good.code).toBe(0);
});

test("--resume and --checkpoint-every ask for a folder", async () => {
  for (const [option, what] of [
    [["--resume"], "--resume: there is no folder to go on from"],
    [["--checkpoint-every", "3"], "--checkpoint-every: there is no folder to save to"],
  ] as const) {
    const stderr = `error: ${what}\nhint: add --checkpoint <folder>\n`;
    expect(await napier(folder, ...trainArgs(MLP, ...option))).toMatchObject({ code: 2, stderr });
  }
});

test("a checkpoint that cannot be written is a failure, and says where", async () => {
  mkdirSync(file(B), { recursive: true });
  copyFileSync(join(folder, "rows.parquet"), file("other"));
  const { code, stderr } = await napier(folder, ...trainArgs(MLP, ...SAVES, "--resume"));
  expect(stderr).toMatch(
    /^error: --checkpoint saves: checkpoint-b\.safetensors expected a file that can be read, got /m,
  );
  expect(code).toBe(1);
});

test("command lines as a shell reads them back", () => {
  const words = ["a b", "it's", "$HOME", "", "sql:SELECT *\n  FROM 'x'", "--C=1e-3", "*.csv", "a\\b", "ünï"];
  const line = words.map(quoted).join(" ");
  const echoed = execFileSync("sh", ["-c", `for word in ${line}; do printf '%s\\0' "$word"; done`], {
    encoding: "utf8",
  });
  expect(echoed.split("\0").slice(0, -1)).toEqual(words);
  const command = (script: string): string => resumeCommand(["node", script, "train", "x.csv", "--resume"]);
  expect(command("/usr/local/bin/napier")).toBe("napier train x.csv --resume");
  expect(command("/p/node_modules/.bin/napier")).toBe("npx napier train x.csv --resume");
  expect(command("/home/.npm/_npx/0a/node_modules/.bin/napier")).toBe("npx @napier/cli train x.csv --resume");
  expect(command(join(process.cwd(), "bin/napier.js"))).toBe("node bin/napier.js train x.csv --resume");
});
