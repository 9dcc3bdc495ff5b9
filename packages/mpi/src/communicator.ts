import { fstatSync } from "node:fs";
import process from "node:process";
import type { Reducer } from "napier/train";
import { type Launched, launched, notConnected } from "./launched.ts";
import { type Library, loadLibrary } from "./library.ts";
import type { Watch } from "./watch.ts";

/** Numbers of a call at most: a slow network has moved as many long before a rank is given up. */
const MOST = 1 << 22;

/** The processes of an MPI job, as `fit` takes them. */
export interface Communicator extends Reducer {
  /** Which library, and its version. */
  readonly library: string;
  /** All-reduces and their bytes so far. */
  readonly traffic: { readonly calls: number; readonly bytes: number };
  /** In place; over when it returns. */
  sum(values: BigInt64Array): void;
  /** In place; over when it returns. */
  max(values: Int32Array<ArrayBuffer>): void;
  /** From here on a rank that ends is not missed: this one is about to end, and the launcher ends the others. */
  release(): void;
  /** Ends MPI; every rank calls it, once. */
  end(): void;
}

export interface ConnectOptions {
  /** A libmpi of one's own; the environment's NAPIER_MPI_LIBRARY, or the launcher's family by default. */
  library?: string | undefined;
  /** Seconds without a sign of life of a rank, after which all end; 30 by default, and with 0 no rank is watched. */
  timeout?: number;
  /** What the message about a lost rank ends with: how to go on. */
  advice?: string;
}

const textOf = (bytes: Uint8Array, length: number): string =>
  new TextDecoder().decode(bytes.subarray(0, length)).replace(/\0.*$/s, "").split("\n")[0]!.trim();

/** Throws where a call was not successful. */
function check(library: Library, what: string, code: number): void {
  if (code === 0) return;
  const [text, length] = [new Uint8Array(1024), new Int32Array(1)];
  library.errorText(code, text, length);
  throw new Error(`mpi: ${what} failed: ${textOf(text, length[0]!) || `code ${code}`}`);
}

function versionOf(library: Library): string {
  const [text, length] = [new Uint8Array(8192), new Int32Array(1)];
  check(library, "MPI_Get_library_version", library.version(text, length));
  const line = textOf(text, length[0]!).replace(/,.*$/, "");
  return /^MPICH/.test(line) ? line.replace(/\s+/g, " ") : line;
}

/** Throws where a program between MPICH's launcher and this one has closed its socket: MPICH would write into another file. */
function checkSocket(): void {
  const { PMI_FD } = process.env;
  let isThere = PMI_FD === undefined;
  try {
    isThere ||= fstatSync(Number(PMI_FD)).isSocket();
  } catch {
    // it is closed
  }
  if (isThere) return;
  const todo = "npx closes it: start node_modules/.bin/napier, or node, by mpiexec itself";
  throw new Error(
    `mpi: launcher expected to be reached by file descriptor ${PMI_FD} (PMI_FD), got a closed one; ${todo}`,
  );
}

/** Throws where the library does not see the job that the launcher has started: every process would train alone. */
function checkPlace(
  library: Library,
  version: string,
  { launcher, rank, size }: Launched,
  found: readonly number[],
): void {
  if (found[0] === rank && found[1] === size) return;
  const got = `rank ${found[0]} of ${found[1]} from ${library.path} (${version})`;
  const todo = `take the libmpi of the mpirun that starts the processes (NAPIER_MPI_LIBRARY names another)`;
  throw new Error(`mpi: library expected rank ${rank} of ${size}, as ${launcher}'s launcher says, got ${got}; ${todo}`);
}

const NO_WATCH: Watch = { enter: () => {}, leave: () => {}, end: () => {} };

/**
 * Joins the job that mpirun, mpiexec or srun has started this process in: MPI_Init and a communicator, which is the
 * `reducer` of `fit`. Calls are synchronous: 1.4 µs, where asynchronous ones take 30. MPI itself never notices that a network
 * is cut, so a thread of each rank is connected to rank 0's by TCP: a rank that is killed or silent ends all, with one line.
 *
 * @returns the communicator of all processes
 * @throws {Error} there is no launcher, its libmpi is not here, the library is not the launcher's, or rank 0 is out of reach
 *
 * @example
 * const reducer = await connect(); // under: mpirun -n 4 node train.js
 * const model = await fit({ source, reducer });
 * reducer.end();
 */
export async function connect(options: ConnectOptions = {}): Promise<Communicator> {
  const {
    library: override = process.env.NAPIER_MPI_LIBRARY,
    timeout = 30,
    advice = "start all ranks again",
  } = options;
  const place = launched();
  if (place === undefined) {
    const reason = notConnected() ?? "got one of its own; start it by mpirun -n 4 node …";
    throw new Error(`mpi: connect expected a process of an MPI job, ${reason}`);
  }
  checkSocket();
  const library = loadLibrary(place.launcher, override);
  const [provided, rank, size] = [new Int32Array(1), new Int32Array(1), new Int32Array(1)];
  check(library, "MPI_Init_thread", library.init(provided));
  check(library, "MPI_Comm_set_errhandler", library.setErrorHandler());
  check(library, "MPI_Comm_rank", library.rank(rank));
  check(library, "MPI_Comm_size", library.size(size));
  const version = versionOf(library);
  checkPlace(library, version, place, [rank[0]!, size[0]!]);
  const traffic = { calls: 0, bytes: 0 };
  let watch = NO_WATCH;
  const reduce = (values: BigInt64Array | Int32Array, type: "int64" | "int32", op: "sum" | "max"): void => {
    for (let from = 0; from < values.length; from += MOST) {
      const part = values.subarray(from, from + MOST);
      watch.enter();
      const code = library.allReduce(part, part.length, type, op);
      watch.leave();
      check(library, "MPI_Allreduce", code);
      traffic.calls++;
      traffic.bytes += part.byteLength;
    }
  };
  const communicator: Communicator = {
    rank: place.rank,
    size: place.size,
    library: version,
    traffic,
    sum: (values) => reduce(values, "int64", "sum"),
    max: (values) => reduce(values, "int32", "max"),
    release: () => watch.end(),
    end: () => {
      watch.end();
      check(library, "MPI_Finalize", library.finalize());
    },
  };
  if (timeout > 0 && place.size > 1) {
    const { startWatch } = await import("./watch.ts");
    watch = await startWatch(communicator, timeout, advice);
    Object.assign(traffic, { calls: 0, bytes: 0 });
  }
  return communicator;
}
