import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { connect, launched, notConnected } from "@napier/mpi";
import { describe, expect, test } from "vitest";
import { LAUNCHERS, launch } from "./launch.ts";

const RANKS = fileURLToPath(new URL("ranks.mjs", import.meta.url));
const LIBRARY = { "Open MPI": /^Open MPI v/, MPICH: /^MPICH Version: / } as const;
const OTHER = { "Open MPI": "libmpich.so.12", MPICH: "libmpi.so.40" } as const;

interface Said {
  rank: number;
  [name: string]: unknown;
}

/** What the ranks have said, by rank. */
const saidBy = (stdout: string): Said[] =>
  stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line): Said => JSON.parse(line))
    .sort((a, b) => a.rank - b.rank);

test.each([
  [{}, undefined],
  [
    { OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" },
    { launcher: "Open MPI", rank: 1, size: 4 },
  ],
  [
    { PMIX_RANK: "2", SLURM_STEP_NUM_TASKS: "3", SLURM_NTASKS: "4" },
    { launcher: "Open MPI", rank: 2, size: 3 },
  ],
  [
    { PMI_RANK: "0", PMI_SIZE: "2" },
    { launcher: "MPICH", rank: 0, size: 2 },
  ],
  [{ PMIX_RANK: "2" }, undefined],
])("launched: %j is %j", (env, expected) => {
  expect(launched(env)).toEqual(expected);
});

test.each([
  ["no launcher", {}],
  ["Slurm's batch script and salloc's shell", { SLURM_NTASKS: "2", SLURM_PROCID: "0" }],
  ["an interactive step of one task", { SLURM_NTASKS: "2", SLURM_STEP_NUM_TASKS: "1" }],
  ["ranks", { SLURM_STEP_NUM_TASKS: "2", PMIX_RANK: "0" }],
  ["mpirun inside a step", { SLURM_STEP_NUM_TASKS: "2", OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" }],
])("nobody is left alone: %s", (_, env) => {
  expect(notConnected(env)).toBeUndefined();
});

test.each([
  [
    { SLURM_STEP_NUM_TASKS: "4", SLURM_PROCID: "1" },
    "srun has started 4 processes, which no MPI connects; srun --mpi=pmix starts ranks; with SLURM_STEP_NUM_TASKS=1 each is one of its own",
  ],
  [{ PMI_PORT: "host:1", PMI_ID: "1" }, "mpiexec has not said how many ranks there are; start it without -pmi-port"],
])("lonely trainings: %j", (env, expected) => {
  expect(notConnected(env)).toBe(expected);
});

test("without a launcher connect says so", async () => {
  await expect(connect()).rejects.toThrow(
    "mpi: connect expected a process of an MPI job, got one of its own; start it by mpirun -n 4 node …",
  );
});

test.skipIf(LAUNCHERS.some(({ launcher, missing }) => launcher === "MPICH" && missing))(
  "behind npx MPICH's socket is closed, and would be another file",
  async () => {
    // as npx does, node closes what it has inherited
    const child =
      "require('node:child_process').spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit' }).status";
    const { code, stdout, stderr } = await launch("MPICH", 2, ["-e", `process.exitCode = ${child}`, RANKS, "sums"]);
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expect(stderr).toMatch(
      /mpi: launcher expected to be reached by file descriptor \d+ \(PMI_FD\), got a closed one; npx closes it: start node_modules\/\.bin\/napier, or node, by mpiexec itself/,
    );
  },
);

describe.each(LAUNCHERS)("$title", ({ launcher, missing }) => {
  const real = test.skipIf(missing);

  real.each([1, 2, 3, 4])("%i ranks add up and find the largest", async (size) => {
    const { code, stdout, stderr } = await launch(launcher, size, [RANKS, "sums"]);
    expect([code, stderr]).toEqual([0, ""]);
    const all = saidBy(stdout);
    expect(all).toHaveLength(size);
    all.forEach((said, rank) => {
      expect(said).toMatchObject({ rank, size, library: expect.stringMatching(LIBRARY[launcher]), isRight: true });
      const first = (size * (size + 1)) / 2;
      expect(said.sums).toEqual([`${first}`, `${-5 * size}`, `${BigInt.asIntN(64, 2n ** 62n * BigInt(size))}`]);
      expect(said.largest).toEqual([size - 1, -3]);
      expect(said.traffic).toEqual({ calls: 3, bytes: 24 + 8 + 2_400_000 });
    });
  });

  real("the other family's library is an error on every rank, and not two lonely trainings", async () => {
    const env = { NAPIER_MPI_LIBRARY: OTHER[launcher] };
    const { code, stdout, stderr } = await launch(launcher, 2, [RANKS, "fit", "{}"], { env });
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    const hint = "take the libmpi of the mpirun that starts the processes (NAPIER_MPI_LIBRARY names another)";
    expect(stderr).toMatch(new RegExp(`as ${launcher}'s launcher says, got rank 0 of 1 from ${OTHER[launcher]} `));
    expect(stderr).toContain(hint);
  });

  real("a library that is not there is named, with its packages", async () => {
    const env = { NAPIER_MPI_LIBRARY: "libnone.so.9" };
    const { code, stderr } = await launch(launcher, 1, [RANKS, "sums"], { env });
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/mpi: library expected libnone\.so\.9, got none \(.+\); on Debian install .+ and lib/);
  });

  describe.each([
    ["L-BFGS", { maxIterations: 8, validation: 0.1 }],
    ["AdamW, an MLP", { hidden: [12], epochs: 2, batchSize: 512, validation: 0.1 }],
    ["SGD, clipped", { optimizer: "sgd", epochs: 1, batchSize: 256, clipNorm: 0.1 }],
  ])("%s", (_, options) => {
    const alone = saidBy(
      missing ? "" : execFileSync(process.execPath, [RANKS, "alone", JSON.stringify(options)], { encoding: "utf8" }),
    );

    real.each([1, 2, 3, 4])("%i ranks make the bytes of one process, each from its own blocks", async (size) => {
      const { code, stdout, stderr } = await launch(launcher, size, [RANKS, "fit", JSON.stringify(options)]);
      expect([code, stderr]).toEqual([0, ""]);
      const all = saidBy(stdout);
      expect(all.map(({ sha256 }) => sha256)).toEqual(all.map(() => alone[0]?.sha256));
      const asked = all.flatMap((said) => said.asked as number[]);
      expect(asked.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5]);
    });
  });
});
