import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { rng } from "../../napier/src/rng.ts";
import { BIN, napier, sql } from "./command.ts";

/** Both train for a second or so, with a save at every batch or iteration. */
export const TRAININGS: [name: string, args: string[]][] = [
  ["L-BFGS", ["--C", "1000", "--tolerance", "1e-11", "--validation", "0.1"]],
  ["an MLP", ["--hidden", "16", "--epochs", "3", "--batch-size", "64", "--validation", "0.2", "--seed", "3"]],
];

/** 6,000 rows of four classes that overlap. */
export async function writeRows(folder: string): Promise<void> {
  const feature = (j: number): string => `((i * ${37 + 16 * j}) % ${101 + 6 * j} + (i % 4) * ${9 + j})::FLOAT AS x${j}`;
  const select = `SELECT ${Array.from({ length: 8 }, (_, j) => feature(j)).join(", ")}, 'c' || i % 4 AS y`;
  await sql(`COPY (${select} FROM range(6000) t(i) ORDER BY i) TO '${join(folder, "rows.parquet")}'`);
}

export const trainArgs = (args: readonly string[], ...more: string[]): string[] => [
  ...["train", "rows.parquet", "--target", "y", "--threads", "2", "--json", ...args],
  ...more,
];

/** Kills as many runs at random moments of training, resuming each time, and begins anew where one got to its end; all ends are equal. */
export async function killAndResume(
  folder: string,
  args: readonly string[],
  kills: number,
  seed: number,
): Promise<void> {
  const saves = join(folder, "saves");
  const whole = await napier(folder, ...trainArgs(args, "--out", "whole.onnx"));
  expect(whole.code).toBe(0);
  const { sha256, validation, epochs, iterations, objective } = JSON.parse(whole.stdout);
  const resumable = trainArgs(
    args,
    "--checkpoint",
    "saves",
    "--checkpoint-every",
    "0",
    "--resume",
    "--out",
    "killed.onnx",
  );
  let said = "";
  /** Its exit code, null where it was killed so long after training began; and how long it trained. */
  const run = async (milliseconds: number): Promise<{ code: number | null; trained: number }> => {
    const child = spawn(process.execPath, [BIN, ...resumable], { cwd: folder });
    let stdout = "";
    let own = "";
    let began: number | undefined;
    let timer: NodeJS.Timeout | undefined;
    child.stdout.on("data", (part) => {
      stdout += part;
    });
    child.stderr.on("data", (part) => {
      said += part;
      own += part;
      if (began !== undefined || !/^saves: (goes on|no checkpoint)/m.test(own)) return;
      began = performance.now();
      timer = setTimeout(() => child.kill("SIGKILL"), milliseconds);
    });
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    clearTimeout(timer);
    const trained = performance.now() - (began ?? Number.NaN);
    if (code === null) return { code, trained };
    expect(code, said).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ sha256, validation, epochs, iterations, objective });
    rmSync(saves, { recursive: true });
    return { code, trained };
  };
  const first = await run(600_000);
  expect(first.code).toBe(0);
  const random = rng(seed, 0);
  for (let killed = 0; killed < kills; ) {
    if ((await run(first.trained * random.uniform())).code === null) killed++;
  }
  expect((await run(600_000)).code).toBe(0);
  // some were killed in the middle
  expect(said).toMatch(/^saves: goes on after \d+ (epoch|iteration)s?$/m);
}

/** The same moments in every run, as far as a clock allows; NAPIER_SEED=… draws others. */
export const SEED = Number(process.env.NAPIER_SEED ?? 20261123);
