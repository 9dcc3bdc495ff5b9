import process from "node:process";

/** Families of MPI libraries that have one binary interface. */
export type Family = "Open MPI" | "MPICH";

/** A process's place, as its launcher says. */
export interface Launched {
  readonly launcher: Family;
  /** From 0. */
  readonly rank: number;
  /** Processes of the job. */
  readonly size: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of rank and size that launchers set; srun starts Open MPI through PMIx. */
const VARIABLES: readonly (readonly [launcher: Family, rank: string, size: string])[] = [
  ["Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
  ["Open MPI", "PMIX_RANK", "SLURM_STEP_NUM_TASKS"],
  ["MPICH", "PMI_RANK", "PMI_SIZE"],
];

/**
 * Which process of how many a launcher (mpirun, mpiexec, srun) has started this one as. Reads the environment and loads nothing.
 *
 * @param env  process.env by default
 * @returns undefined where no launcher has started it
 *
 * @example
 * launched({ OMPI_COMM_WORLD_RANK: "1", OMPI_COMM_WORLD_SIZE: "4" }); // { launcher: "Open MPI", rank: 1, size: 4 }
 */
export function launched(env: Environment = process.env): Launched | undefined {
  for (const [launcher, rank, size] of VARIABLES) {
    if (env[rank] === undefined || env[size] === undefined) continue;
    return { launcher, rank: Number(env[rank]), size: Number(env[size]) };
  }
  return undefined;
}

/**
 * Why processes that were started together would each train alone, and write the same file; undefined where they would not.
 *
 * @example
 * notConnected({ SLURM_STEP_NUM_TASKS: "4" }); // "srun has started 4 processes, which no MPI connects; …"
 */
export function notConnected(env: Environment = process.env): string | undefined {
  if (launched(env) !== undefined) return undefined;
  if (env.PMI_PORT !== undefined) {
    return "mpiexec has not said how many ranks there are; start it without -pmi-port";
  }
  const tasks = Number(env.SLURM_STEP_NUM_TASKS ?? 1);
  if (!(tasks > 1)) return undefined;
  const todo = "srun --mpi=pmix starts ranks; with SLURM_STEP_NUM_TASKS=1 each is one of its own";
  return `srun has started ${tasks} processes, which no MPI connects; ${todo}`;
}
