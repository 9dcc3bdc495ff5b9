import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { commandLine, LAUNCHERS, type Launcher, launch } from "../../mpi/test/launch.ts";
import { rng } from "../../napier/src/rng.ts";
import { BIN, napier, sql, temporaryFolder } from "./command.ts";
import { SEED } from "./killed.ts";

const folder = temporaryFolder();
const ROOT = join(BIN, "../../../..");
/** MPICH's ranks are slow where they are more than cores. */
const KILLS: Readonly<Record<Launcher, number>> = { "Open MPI": 10, MPICH: 4 };
const FILES = [20_000, 7000, 1];
const TRAININGS: [name: string, args: string[]][] = [
  ["L-BFGS, a fraction held", ["--validation", "0.1", "--weight", "w", "--max-iterations", "15"]],
  [
    "an MLP by AdamW, rows of their own",
    ["--hidden", "8", "--epochs", "2", "--batch-size", "256", "--validation", "own.parquet"],
  ],
  ["SGD, balanced", ["--optimizer", "sgd", "--epochs", "1", "--class-weight", "balanced", "--scale", "none"]],
];
const train = (args: readonly string[], out: string): string[] => [
  ...["train", "rows-*.parquet", "--target", "y", "--json", "--out", out],
  ...args,
];

beforeAll(async () => {
  let before = 0;
  const select = (from: number, end: number): string =>
    `SELECT (hash(i) % 1000)::FLOAT AS a, [hash(i * 7) % 10, i % 2]::FLOAT[] AS b, (i % 9) / 4 AS w,
     'c' || (((hash(i) % 1000)::INT + (hash(i * 3) % 300)::INT) // 300) AS y FROM range(${from}, ${end}) t(i) ORDER BY i`;
  for (const [n, rows] of FILES.entries()) {
    const path = join(folder, `rows-${n}.parquet`);
    await sql(`COPY (${select(before, before + rows)}) TO '${path}' (FORMAT parquet, ROW_GROUP_SIZE 4096)`);
    before += rows;
  }
  await sql(`COPY (${select(before, before + 5000)}) TO '${join(folder, "own.parquet")}' (FORMAT parquet)`);
});

/** The result on stdout, but for what is measured or named; stderr without what launchers add. */
function partsOf(stdout: string, stderr: string): unknown[] {
  const { model: _, seconds: __, ...result } = JSON.parse(stdout);
  const lines = stderr.replace(/; \d+\.\d s/g, "").split("\n");
  // of iterations only one a second is shown
  return [result, lines.filter((line) => !/^iteration |^a batch of .* ranks: |^$/.test(line))];
}

async function ended(child: ChildProcess): Promise<{ code: unknown; stderr: string }> {
  let stderr = "";
  child.stderr?.on("data", (part) => {
    stderr += part;
  });
  return { code: await new Promise((resolve) => child.once("close", resolve)), stderr };
}

describe.each(TRAININGS)("%s", (_, args) => {
  let alone: unknown[] = [];
  let bytes = Buffer.alloc(0);
  beforeAll(async () => {
    const { code, stdout, stderr } = await napier(folder, ...train(args, "alone.onnx"));
    expect(code, stderr).toBe(0);
    alone = partsOf(stdout, stderr);
    bytes = readFileSync(join(folder, "alone.onnx"));
  });

  describe.each(LAUNCHERS)("$title", ({ launcher, missing }) => {
    // 1 to 4 under both: packages/mpi/test/mpi.test.ts
    test.skipIf(missing).each(launcher === "MPICH" ? [3] : [2, 4])(
      "%i ranks print and write what one process does",
      async (ranks) => {
        const { code, stdout, stderr } = await launch(launcher, ranks, [BIN, ...train(args, "ranks.onnx")], {
          cwd: folder,
        });
        expect(code, stderr).toBe(0);
        expect(partsOf(stdout, stderr)).toEqual(alone);
        expect(readFileSync(join(folder, "ranks.onnx")).equals(bytes)).toBe(true);
        rmSync(join(folder, "ranks.onnx"));
      },
    );
  });

  if (args.includes("--optimizer") || args.includes("--hidden")) return;
  const open = LAUNCHERS.find(({ launcher }) => launcher === "Open MPI")!;
  test.skipIf(open.missing)(`two threads on each of two ranks, by npx: the same bytes (${open.title})`, async () => {
    const { file, args: line, env } = commandLine("Open MPI", 2, []);
    const [, source, ...others] = train(args, join(folder, "npx.onnx"));
    const words = ["npx", "napier", "train", join(folder, source!), ...others, "--threads", "2"];
    const { code, stderr } = await ended(spawn(file, [...line.slice(0, -1), ...words], { cwd: ROOT, env }));
    expect(code, stderr).toBe(0);
    expect(readFileSync(join(folder, "npx.onnx")).equals(bytes)).toBe(true);
  });
});

/** The processes of a job's ranks: below the launcher, whatever stands between. */
function ranksOf(launcher: number): number[] {
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const parents = new Map<number, number>();
  const commands = new Map<number, string>();
  for (const name of all) {
    try {
      parents.set(Number(name), Number(/\) \w (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))?.[1]));
      commands.set(Number(name), readFileSync(`/proc/${name}/cmdline`, "utf8"));
    } catch {
      // it has ended since
    }
  }
  const isBelow = (pid: number): boolean => pid > 1 && (pid === launcher || isBelow(parents.get(pid) ?? 0));
  return [...parents.keys()].filter(
    (pid) => pid !== launcher && isBelow(pid) && commands.get(pid)?.startsWith(`${process.execPath}\0${BIN}`),
  );
}

describe.each(LAUNCHERS)("$title", ({ launcher, missing }) => {
  const real = test.skipIf(missing);

  real("other options on one rank: one line, no training", async () => {
    const { file, args, env } = commandLine(launcher, 1, [BIN, ...train(["--seed", "1"], "a.onnx")]);
    const all = [...args, ":", "-n", "1", process.execPath, BIN, ...train(["--seed", "2"], "b.onnx")];
    const { code, stderr } = await ended(spawn(file, all, { cwd: folder, env }));
    expect(code).not.toBe(0);
    expect(stderr).toContain("error: rank 1 is not at the same work as rank 0: --seed is 2 there and 1 here\n");
    expect(stderr.match(/error:/g)).toHaveLength(1);
  });

  real("another version on one rank: one line, no training", async () => {
    const other = join(folder, `other-${launcher.length}`);
    for (const part of ["bin", "dist", "package.json"])
      cpSync(join(BIN, "../..", part), join(other, part), { recursive: true });
    symlinkSync(join(BIN, "../../../../node_modules"), join(other, "node_modules"));
    const text = readFileSync(join(other, "package.json"), "utf8");
    writeFileSync(join(other, "package.json"), text.replace(/"version": ".*?"/, '"version": "9.9.9"'));
    const { file, args, env } = commandLine(launcher, 1, [BIN, ...train([], "a.onnx")]);
    const all = [...args, ":", "-n", "1", process.execPath, join(other, "bin/napier.js"), ...train([], "b.onnx")];
    const { code, stderr } = await ended(spawn(file, all, { cwd: folder, env }));
    expect(code).not.toBe(0);
    const version = JSON.parse(text).version;
    expect(stderr).toContain(
      `error: rank 1 is not at the same work as rank 0: napier is "9.9.9" there and "${version}" here\n`,
    );
    expect(stderr.match(/error:/g)).toHaveLength(1);
  });

  real("another file of the same name and size on one rank: one line, no training", async () => {
    const name = "twin.parquet";
    const folders = ["here", "there"].map((each) => join(folder, `${each}-${launcher.length}`));
    for (const [n, each] of folders.entries()) {
      mkdirSync(each);
      await sql(
        `COPY (SELECT i AS a, (i + ${n}) % 2 AS y FROM range(100) t(i)) TO '${join(each, name)}' (FORMAT parquet)`,
      );
    }
    const [here, there] = folders.map((each) => join(each, name)) as [string, string];
    expect(statSync(here).size).toBe(statSync(there).size);
    const line = (source: string): string[] => ["train", source, "--target", "y", "--out", join(folder, "x.onnx")];
    const { file, args, env } = commandLine(launcher, 1, [BIN, ...line(here)]);
    const all = [...args, ":", "-n", "1", process.execPath, BIN, ...line(there)];
    const { code, stderr } = await ended(spawn(file, all, { cwd: folder, env }));
    expect(code).not.toBe(0);
    const fact = `"${name}, \\d+ bytes, [0-9a-f]{8}"`;
    expect(stderr).toMatch(
      new RegExp(`^error: rank 1 is not at the same work as rank 0: file 1 is ${fact} there and ${fact} here$`, "m"),
    );
    expect(stderr.match(/error:/g)).toHaveLength(1);
  });

  real("a command that ranks do not share is refused", async () => {
    const { code, stdout, stderr } = await launch(launcher, 2, [BIN, "inspect", "alone.onnx"], { cwd: folder });
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toContain(
      "error: inspect runs in one process, got 2\nhint: start it without mpirun; only train shares its rows\n",
    );
  });

  real.each([
    [["train", "rows-0.parquet", "--bogus"], "error: unknown option '--bogus'"],
    [["train", "rows-0.parquet", "--target", "y", "--epochs", "none"], "error: option '--epochs <n>' argument 'none'"],
  ])("wrong usage is said once: %j", async (args, message) => {
    const { code, stdout, stderr } = await launch(launcher, 2, [BIN, ...args], { cwd: folder });
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(stderr.match(/error:/g)).toHaveLength(1);
  });

  real("a NULL in the rows of one rank is told with its row, by that rank", async () => {
    const select = "SELECT i AS a, CASE WHEN i <> 15000 THEN i / 2 END AS b, i % 3 AS y FROM range(20000) t(i)";
    await sql(`COPY (${select}) TO '${join(folder, "holes.parquet")}' (FORMAT parquet)`);
    const { code, stderr } = await launch(
      launcher,
      2,
      [BIN, "train", "holes.parquet", "--target", "y", "--keep", "a"],
      {
        cwd: folder,
      },
    );
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/^error: rank 1: holes\.parquet.*row 15001, column "b": NULL/m);
    expect(stderr.match(/error:/g)).toHaveLength(1);
  });

  real("ranks that have nothing of a mini-batch are named", async () => {
    const args = train(["--optimizer", "sgd", "--epochs", "1"], "few.onnx");
    const { code, stderr } = await launch(launcher, 3, [BIN, ...args], { cwd: folder });
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(
      "a batch of 128 rows is shared by 2 of 3 ranks: parts have 64 rows at least, up to 16 of them\n",
    );
  });

  real("what all ranks refuse is said once", async () => {
    const source = "sql:SELECT 1 AS a, 2 AS y";
    const { code, stdout, stderr } = await launch(launcher, 3, [BIN, "train", source, "--target", "y"], {
      cwd: folder,
    });
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toContain(`error: ${source}: several ranks read Parquet files only\n`);
    expect(stderr.match(/error:/g)).toHaveLength(1);
  });

  real(
    `${KILLS[launcher]} kills at random moments, each time on another number of ranks: the bytes of the training that was not`,
    async () => {
      const args = ["--hidden", "8", "--epochs", "6", "--batch-size", "128", "--validation", "0.1"];
      const random = rng(SEED, launcher.length);
      let said = "";
      expect((await napier(folder, ...train(args, "whole.onnx"))).code).toBe(0);
      const saves = `saves-${launcher.length}`;
      const resumable = train([...args, "--checkpoint", saves, "--checkpoint-every", "0", "--resume"], "killed.onnx");
      /** Whether it was killed: one rank, so long after training began. */
      const run = async (ranks: number, milliseconds: number): Promise<boolean> => {
        const { file, args: line, env } = commandLine(launcher as Launcher, ranks, [BIN, ...resumable]);
        const child = spawn(file, line, { cwd: folder, env });
        let stderr = "";
        let timer: NodeJS.Timeout | undefined;
        let killed = 0;
        let lost = "";
        child.stdout.resume();
        child.stderr.on("data", (part) => {
          stderr += part;
          if (timer !== undefined || !new RegExp(`^${saves}: (goes on|no checkpoint)`, "m").test(stderr)) return;
          timer = setTimeout(() => {
            const pids = ranksOf(child.pid as number);
            if (pids.length < ranks) return;
            const pid = pids[random.below(ranks)]!;
            lost = `\\(process ${pid} on .+\\) has come to an end`;
            killed = performance.now();
            process.kill(pid, "SIGKILL");
          }, milliseconds);
        });
        const code = await new Promise((resolve) => child.once("close", resolve));
        clearTimeout(timer);
        said += stderr;
        if (killed === 0) expect(code, stderr).toBe(0);
        else {
          expect(code).not.toBe(0);
          expect(performance.now() - killed).toBeLessThan(10_000);
          if (ranks === 1) return true;
          const advice = `the same command with --resume goes on from ${saves}, on any number of ranks`;
          expect(stderr).toMatch(new RegExp(`^error: rank \\d ${lost}; ${advice}$`, "m"));
          expect(stderr.match(/^error:/gm)).toHaveLength(1);
        }
        return killed > 0;
      };
      for (let kills = 0, ranks = 1; kills < KILLS[launcher]; ranks = (ranks % 4) + 1) {
        if (await run(ranks, 400 * random.uniform())) kills++;
        else rmSync(join(folder, saves), { recursive: true });
      }
      expect(await run(2, 600_000)).toBe(false);
      // some were killed in the middle, and went on there
      expect(said).toMatch(new RegExp(`^${saves}: goes on after \\d+ epochs?$`, "m"));
      const [whole, killed] = ["whole.onnx", "killed.onnx"].map((name) => readFileSync(join(folder, name)));
      expect(killed!.equals(whole!)).toBe(true);
    },
    300_000,
  );
});
