import { createRequire } from "node:module";
import process from "node:process";
import type { Family } from "./launched.ts";

/** What a family's library is called, the package that has it, and its handles. */
interface Interface {
  readonly names: readonly string[];
  readonly packages: string;
  /** MPI_IN_PLACE */
  readonly inPlace: number;
  /** Open MPI's handles are addresses of its own objects, MPICH's are numbers. */
  readonly type: "intptr_t" | "int";
  readonly handles: Readonly<Record<Handle, string | number>>;
}

type Handle = "world" | "int64" | "int32" | "sum" | "max" | "errorsReturn";

const FAMILIES: Readonly<Record<Family, Interface>> = {
  "Open MPI": {
    names: ["libmpi.so.40", "libmpi.so"],
    packages: "openmpi-bin and libopenmpi3",
    inPlace: 1,
    type: "intptr_t",
    handles: {
      world: "ompi_mpi_comm_world",
      int64: "ompi_mpi_int64_t",
      int32: "ompi_mpi_int32_t",
      sum: "ompi_mpi_op_sum",
      max: "ompi_mpi_op_max",
      errorsReturn: "ompi_mpi_errors_return",
    },
  },
  MPICH: {
    names: ["libmpich.so.12", "libmpi.so.12"],
    packages: "mpich and libmpich12",
    inPlace: -1,
    type: "int",
    handles: {
      world: 0x44000000,
      int64: 0x4c00083a,
      int32: 0x4c000439,
      sum: 0x58000003,
      max: 0x58000001,
      errorsReturn: 0x54000001,
    },
  },
};

/** The functions of MPI that are used here; a number is MPI's own code, 0 for success. */
export interface Library {
  readonly path: string;
  readonly inPlace: number;
  readonly handle: Readonly<Record<Handle, number | bigint>>;
  init(provided: Int32Array): number;
  setErrorHandler(): number;
  rank(out: Int32Array): number;
  size(out: Int32Array): number;
  allReduce(values: NodeJS.ArrayBufferView, count: number, type: "int64" | "int32", op: "sum" | "max"): number;
  version(out: Uint8Array, length: Int32Array): number;
  errorText(code: number, out: Uint8Array, length: Int32Array): number;
  finalize(): number;
}

/** MPI_THREAD_FUNNELED: there are other threads, and they make no calls. */
const FUNNELED = 1;

type Loaded = ReturnType<typeof import("koffi").load>;

/**
 * UCX, which carries MPICH's messages and may carry Open MPI's, otherwise watches over malloc, brk and mmap in the whole process,
 * and takes the signals that V8 has for itself: ranks of Node died of a segmentation fault in V8's heap, one in some 60.
 */
function keepUcxOut(): void {
  process.env.UCX_MEM_EVENTS ??= "n";
  process.env.UCX_ERROR_SIGNALS ??= "";
}

/**
 * A rank of Open MPI that waits lets others have its core. On quiet cores a call takes as long (1.8 µs); beside other work the sum
 * of 100,000 numbers took 0.35 ms instead of up to 16.
 */
function yieldWhenIdle(): void {
  process.env.OMPI_MCA_mpi_yield_when_idle ??= "1";
}

/** Throws where none of the names is a library here. */
function open(family: Interface, names: readonly string[]): { path: string; lib: Loaded } {
  // native code, which a process without a launcher does not load
  const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi");
  const reasons: string[] = [];
  for (const path of names) {
    try {
      // global: its plug-ins look for their symbols among those of the process
      return { path, lib: koffi.load(path, { global: true, lazy: true }) };
    } catch (error) {
      reasons.push((error as Error).message.replace(/\s+/g, " "));
    }
  }
  const todo = `on Debian install ${family.packages}, or name it by NAPIER_MPI_LIBRARY`;
  throw new Error(`mpi: library expected ${names.join(" or ")}, got none (${reasons[0]}); ${todo}`);
}

/** @param override  another file of that family */
export function loadLibrary(launcher: Family, override: string | undefined): Library {
  const own = FAMILIES[launcher];
  keepUcxOut();
  yieldWhenIdle();
  const { path, lib } = open(own, override === undefined ? own.names : [override]);
  // a library of the other family, which the user has named, has other handles
  const isOpen = hasSymbol(lib, FAMILIES["Open MPI"].handles.world as string);
  const { type, inPlace, handles } = FAMILIES[isOpen ? "Open MPI" : "MPICH"];
  const all = Object.entries(handles).map(([name, value]) => [
    name,
    typeof value === "string" ? lib.symbol(value) : value,
  ]);
  const handle = Object.fromEntries(all) as Library["handle"];
  const reduce = lib.func(
    `int MPI_Allreduce(intptr_t from, void *to, int count, ${type} datatype, ${type} op, ${type} comm)`,
  );
  const init = lib.func("int MPI_Init_thread(void *argc, void *argv, int required, int *provided)");
  const setErrorHandler = lib.func(`int MPI_Comm_set_errhandler(${type} comm, ${type} handler)`);
  const rank = lib.func(`int MPI_Comm_rank(${type} comm, int *rank)`);
  const size = lib.func(`int MPI_Comm_size(${type} comm, int *size)`);
  return {
    path,
    inPlace,
    handle,
    init: (provided) => init(null, null, FUNNELED, provided),
    setErrorHandler: () => setErrorHandler(handle.world, handle.errorsReturn),
    rank: (out) => rank(handle.world, out),
    size: (out) => size(handle.world, out),
    allReduce: (values, count, of, op) => reduce(inPlace, values, count, handle[of], handle[op], handle.world),
    version: lib.func("int MPI_Get_library_version(uint8_t *text, int *length)"),
    errorText: lib.func("int MPI_Error_string(int code, uint8_t *text, int *length)"),
    finalize: lib.func("int MPI_Finalize()"),
  };
}

function hasSymbol(lib: Loaded, name: string): boolean {
  try {
    return Boolean(lib.symbol(name));
  } catch {
    return false;
  }
}
