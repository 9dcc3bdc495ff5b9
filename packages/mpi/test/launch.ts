import { execFile, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";

/** How a family's launcher starts `n` processes here, more than cores too, and as root in a container. */
const COMMANDS = {
  "Open MPI": {
    names: ["mpirun.openmpi", "mpirun"],
    version: /Open MPI/,
    options: (n: number) => [
      "-n",
      `${n}`,
      "--bind-to",
      "none",
      ...(n > availableParallelism() ? ["--oversubscribe"] : []),
    ],
    packages: "openmpi-bin libopenmpi3",
  },
  MPICH: {
    names: ["mpiexec.hydra"],
    version: /HYDRA/,
    options: (n: number) => ["-n", `${n}`],
    packages: "mpich libmpich12",
  },
} as const;

export type Launcher = keyof typeof COMMANDS;

function commandOf(launcher: Launcher): string | undefined {
  const { names, version } = COMMANDS[launcher];
  return names.find((name) => version.test(spawnSync(name, ["--version"], { encoding: "utf8" }).stdout ?? ""));
}

const FOUND = new Map((Object.keys(COMMANDS) as Launcher[]).map((launcher) => [launcher, commandOf(launcher)]));

/** Each launcher, and why its tests are left out, if they are. */
export const LAUNCHERS = [...FOUND].map(([launcher, command]) => ({
  launcher,
  missing: command === undefined,
  title: command === undefined ? `${launcher}: skipped, install ${COMMANDS[launcher].packages}` : launcher,
}));

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** The command that starts `node …args` on n ranks, and its environment. */
export function commandLine(launcher: Launcher, n: number, args: readonly string[]) {
  const env = { ...process.env, OMPI_ALLOW_RUN_AS_ROOT: "1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1" };
  const line = [...COMMANDS[launcher].options(n), process.execPath, ...args];
  return { file: FOUND.get(launcher) as string, args: line, env };
}

/** What the ranks have written, without MPICH's farewell to a job that has failed. */
const withoutBanner = (stdout: string): string => stdout.replace(/\n=+\n= +BAD TERMINATION[\s\S]*$/, "");

/** Runs `node …args` on n ranks. */
export function launch(
  launcher: Launcher,
  n: number,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const { file, args: line, env } = commandLine(launcher, n, args);
  const all = { ...options, env: { ...env, ...options.env }, timeout: 120_000, maxBuffer: 1 << 26 };
  return new Promise((resolve) => {
    execFile(file, line, all, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout: withoutBanner(stdout), stderr }),
    );
  });
}
