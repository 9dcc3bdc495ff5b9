/** How this runtime starts threads: worker_threads where there are any, else the Workers of browsers. */

/** A thread beside the caller's. */
export interface Helper {
  post(mail: unknown): void;
  /** Whether the process waits for it. */
  hold(held: boolean): void;
  end(): Promise<unknown>;
}

export interface Events {
  /** It sent a message. */
  told(): void;
  /** It ended, and why in a few words. */
  ended(why: string): void;
}

/** The part of Node that this needs; Bun and Deno have it too. */
interface NodeWorker {
  postMessage(mail: unknown): void;
  on(event: string, listener: (what: unknown) => void): void;
  ref(): void;
  unref(): void;
  terminate(): Promise<unknown>;
}
interface Node {
  "node:worker_threads": { Worker: new (url: URL, options: { execArgv: string[] }) => NodeWorker };
  "node:os": { availableParallelism(): number };
}

function builtin<K extends keyof Node>(name: K): Node[K] | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: K): Node[K] } };
  return process?.getBuiltinModule?.(name);
}

/** Threads that run at once on this machine. */
export function cores(): number {
  return builtin("node:os")?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}

/** Why there is no second thread here; undefined where there can be one. */
export function whyNone(): string | undefined {
  if (builtin("node:worker_threads")) return undefined;
  if (typeof Worker !== "function") return "this runtime has no workers";
  if (globalThis.crossOriginIsolated) return undefined;
  const headers = "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp";
  return `the page is not cross-origin isolated, which the headers ${headers} make it`;
}

const FILE = "./poolworker.js";

/** Starts poolworker.js. */
export function startHelper({ told, ended }: Events): Helper {
  const node = builtin("node:worker_threads");
  if (node) {
    // without the caller's flags: some of them, such as --input-type, are refused for a file
    const worker = new node.Worker(new URL(FILE, import.meta.url), { execArgv: [] });
    worker.on("message", told);
    worker.on("error", (error) => ended(`a failed one (${error instanceof Error ? error.message : String(error)})`));
    worker.on("exit", () => ended("one that has ended"));
    worker.unref(); // after the listeners: one for messages holds the process again
    return {
      post: (mail) => worker.postMessage(mail),
      hold: (held) => (held ? worker.ref() : worker.unref()),
      end: () => worker.terminate(),
    };
  }
  // bundlers look for these very words, and would take the file once more above
  const worker = new Worker(new URL("./poolworker.js", import.meta.url), { type: "module" });
  worker.onmessage = told;
  worker.onerror = (event) => ended(`a failed one (${event.message || "its script did not load"})`);
  return {
    post: (mail) => worker.postMessage(mail),
    hold: () => {},
    end: async () => worker.terminate(),
  };
}
