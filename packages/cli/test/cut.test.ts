import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NO_HOSTS, twoHosts } from "../../mpi/test/hosts.ts";
import { commandLine, LAUNCHERS } from "../../mpi/test/launch.ts";
import { BIN, napier, temporaryFolder } from "./command.ts";
import { writeRows } from "./killed.ts";

const folder = temporaryFolder();
const [{ missing, title }] = LAUNCHERS.filter(({ launcher }) => launcher === "Open MPI") as [(typeof LAUNCHERS)[0]];
const why = missing ? title : NO_HOSTS;
const TIMEOUT = 3;
/** Some seconds of training. */
const EPOCHS = 200;
const train = (epochs: number, ...more: string[]): string[] => [
  ...["train", "rows.parquet", "--target", "y", "--hidden", "8", "--batch-size", "64", "--epochs", `${epochs}`],
  ...["--scale", "none", "--quiet", ...more],
];

/** Processes of the command that name this folder's model. */
const ranksLeft = (): string[] =>
  readdirSync("/proc").filter((name) => {
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, "utf8");
      return command.startsWith(`${process.execPath}\0${BIN}\0`) && command.includes(join(folder, "cut.onnx"));
    } catch {
      return false; // it has ended since
    }
  });

describe.skipIf(why !== undefined)(`two hosts${why === undefined ? "" : `: skipped, ${why}`}`, () => {
  let hosts: ReturnType<typeof twoHosts>;
  beforeAll(async () => {
    hosts = twoHosts(folder);
    await writeRows(folder);
  });
  afterAll(() => hosts?.end());

  test("over TCP: the bytes of one process", async () => {
    expect((await napier(folder, ...train(2, "--out", "alone.onnx"))).code).toBe(0);
    const { file, args } = hosts.command(commandLine("Open MPI", 2, []).file, [BIN, ...train(2, "--out", "two.onnx")]);
    const child = spawn(file, args, { cwd: folder, env: commandLine("Open MPI", 2, []).env });
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
    const [alone, two] = ["alone.onnx", "two.onnx"].map((name) => readFileSync(join(folder, name)));
    expect(two!.equals(alone!)).toBe(true);
  });

  test("the network is cut: every rank ends within the timeout, and the training goes on to the bytes of an uninterrupted one", async () => {
    const { file: mpirun, env } = commandLine("Open MPI", 2, []);
    const saving = [
      "--checkpoint",
      "saves",
      "--checkpoint-every",
      "0.5",
      "--resume",
      "--out",
      join(folder, "cut.onnx"),
    ];
    const { file, args } = hosts.command(mpirun, [BIN, ...train(EPOCHS, "--timeout", `${TIMEOUT}`, ...saving)]);
    const child = spawn(file, args, { cwd: folder, env });
    let stderr = "";
    child.stderr.on("data", (part) => {
      stderr += part;
    });
    const closed = new Promise((resolve) => child.once("close", resolve));
    while (!readdirSync(folder).includes("saves") || readdirSync(join(folder, "saves")).length === 0)
      await setTimeout(50);
    expect(ranksLeft()).toHaveLength(2);
    const cut = performance.now();
    hosts.cut();
    while (ranksLeft().length > 0) await setTimeout(50);
    // a beat, and what a busy machine takes
    expect(performance.now() - cut).toBeLessThan(1000 * (2 * TIMEOUT + 2));
    expect(await closed).not.toBe(0);
    hosts.mend();
    const advice = "the same command with --resume goes on from saves, on any number of ranks";
    expect(stderr).toMatch(
      new RegExp(`^error: nothing was heard of rank 1 \\(process \\d+ on .+\\) for ${TIMEOUT} s; ${advice}$`, "m"),
    );
    expect(stderr.match(/^error:/gm)).toHaveLength(1);
    expect((await napier(folder, ...train(EPOCHS, ...saving))).code).toBe(0);
    expect((await napier(folder, ...train(EPOCHS, "--out", "whole.onnx"))).code).toBe(0);
    const [whole, resumed] = ["whole.onnx", "cut.onnx"].map((name) => readFileSync(join(folder, name)));
    expect(resumed!.equals(whole!)).toBe(true);
  });
});
