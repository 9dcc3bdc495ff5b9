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

/** Variables of rank and size that launchers set; srun starts Open MPI through PMIx. */
const VARIABLES: readonly (readonly [launcher: Family, rank: string, size: string])[] = [
  ["Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"],
  ["Open MPI", "PMIX_RANK", "SLURM_NTASKS"],
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
export function launched(env: Readonly<Record<string, string | undefined>> = process.env): Launched | undefined {
  for (const [launcher, rank, size] of VARIABLES) {
    if (env[rank] === undefined || env[size] === undefined) continue;
    return { launcher, rank: Number(env[rank]), size: Number(env[size]) };
  }
  return undefined;
}
