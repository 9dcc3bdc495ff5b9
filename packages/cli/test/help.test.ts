import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { cliPage } from "../../../tools/clidocs.ts";
import { program } from "../src/program.ts";
import { BIN, napier, temporaryFolder, writeTable } from "./command.ts";

const folder = temporaryFolder();
const COMMANDS = program().commands.map((command) => command.name());
const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

beforeAll(() => writeTable([join(folder, "rows.parquet")]));

test("docs/cli.md is what its program makes of the parser", () => {
  expect(readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8")).toBe(cliPage());
});

test("the commands are these", () => {
  expect(COMMANDS).toEqual(["train", "evaluate", "calibrate", "predict", "inspect", "check", "lab"]);
});

describe.each(COMMANDS)("napier %s --help", (name) => {
  test("goes to stdout with examples that the parser takes", async () => {
    const { code, stdout, stderr } = await napier(folder, name, "--help");
    expect([code, stderr]).toEqual([0, ""]);
    const [, examples] = stdout.split("\nExamples:\n");
    const lines = examples!.trim().split("\n");
    for (const line of lines) {
      const words = execFileSync("bash", ["-c", `printf '%s\\0' ${line.trim().replace(/ \|.*/, "")}`], {
        encoding: "utf8",
      });
      const argv = words.split("\0").slice(0, -1);
      expect(argv.slice(0, 2)).toEqual(["napier", name]);
      // parsed by the real parser, with the action taken out
      const parser = program();
      const own = parser.commands.find((command) => command.name() === name)!;
      let ran = false;
      own.action(() => {
        ran = true;
      });
      await parser.parseAsync(["node", ...argv]);
      expect(ran, line).toBe(true);
    }
  });
});

test("--version, and help of its own", async () => {
  expect(await napier(folder, "--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  const { stdout } = await napier(folder, "--help");
  for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
  expect(stdout).toMatch(/Exit codes:\n {2}0 .*\n {2}1 .*\n {2}2 .*\n {2}3 .*\n {2}130 /);
  const bare = await napier(folder);
  expect([bare.code, bare.stdout]).toEqual([2, ""]);
});

test.each([
  [["trian"], "error: unknown command 'trian'\nhint: did you mean train?\n"],
  [["train", "x.csv", "--targt", "y"], "error: unknown option '--targt'\nhint: did you mean --target?\n"],
  [["evaluate", "m.onnx"], "error: missing required argument 'source'\n"],
  [
    ["predict", "m.onnx", "x.csv", "y.csv"],
    "error: too many arguments for 'predict'. Expected 2 arguments but got 3.\n",
  ],
])("%j is wrong usage", async (args, text) => {
  const { code, stdout, stderr } = await napier(folder, ...args);
  expect([code, stdout, stderr]).toEqual([2, "", text]);
});

test("--quiet hid that training did not converge", async () => {
  const options = ["--target", "colour", "--out", "q.onnx", "--max-iterations", "2", "--quiet"];
  const { code, stderr } = await napier(folder, "train", "rows.parquet", ...options);
  expect(code).toBe(0);
  expect(stderr).toMatch(/^not converged: gradient \S+ after 2 iterations\n$/);
});

test("--quiet leaves results and errors", async () => {
  const options = ["--target", "colour", "--hidden", "4", "--epochs", "2", "--out", "q.onnx"];
  const trained = await napier(folder, "train", "rows.parquet", ...options, "--quiet");
  expect([trained.code, trained.stderr]).toEqual([0, ""]);
  expect(trained.stdout).toMatch(/^q\.onnx: 6 features → 3 classes/);
  const predicted = await napier(folder, "--quiet", "predict", "q.onnx", "rows.parquet", "--out", "q.csv");
  expect(predicted).toEqual({ code: 0, stdout: "", stderr: "" });
  const failed = await napier(folder, "predict", "q.onnx", "none.csv", "--quiet");
  expect([failed.code, failed.stderr]).toEqual([2, "error: none.csv: no such file\n"]);
});

/** What the command writes to a terminal. */
function onTerminal(env: Record<string, string>): string {
  const command = `'${process.execPath}' '${BIN}' predict none.onnx none.csv`;
  const { stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: process.env.PATH, TERM: "xterm", ...env },
  });
  return stdout;
}

describe.skipIf(!existsSync("/usr/bin/script"))("on a terminal", () => {
  test("an error is red, unless NO_COLOR or a dumb terminal says no", () => {
    expect(onTerminal({})).toContain("\x1b[31merror:\x1b[39m none.onnx: no such file");
    for (const env of [{ NO_COLOR: "1" }, { TERM: "dumb" }] as Record<string, string>[]) {
      expect(onTerminal(env)).toContain("error: none.onnx: no such file");
      expect(onTerminal(env)).not.toContain("\x1b[");
    }
  });
});
