import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import open from "open";
import { CommandError } from "./errors.ts";

export interface LabOptions {
  /** 0 for any that is free. */
  readonly port: number;
  readonly open: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/** The page's own policy stands in its head, where any server gives it; these are what a head cannot say. */
const HEADERS = {
  "content-security-policy": "frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

/** @returns undefined where there is no such file */
async function fileOf(path: string): Promise<{ body: Buffer; type: string } | undefined> {
  const name = path === "/" ? "index.html" : path.slice(1);
  // names that the build makes, and no others: nothing above the folder
  if (!/^[\w-]+(\.[\w-]+)*(\/[\w-]+(\.[\w-]+)*)*$/.test(name)) return undefined;
  try {
    const body = await readFile(new URL(import.meta.resolve(`@napier/lab/site/${name}`)));
    return { body, type: TYPES[extname(name)] ?? "application/octet-stream" };
  } catch {
    return undefined;
  }
}

/** Answers this machine alone: another host's name in the request is a page that tries to reach in. */
function serve(): Server {
  return createServer(async (request, response) => {
    const isLocal = /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? "");
    if (!isLocal || (request.method !== "GET" && request.method !== "HEAD")) {
      response.writeHead(isLocal ? 405 : 403).end();
      return;
    }
    const file = await fileOf(new URL(request.url ?? "/", "http://localhost").pathname);
    if (file === undefined) response.writeHead(404, { "content-type": "text/plain" }).end("not here\n");
    else {
      response.writeHead(200, { ...HEADERS, "content-type": file.type, "content-length": file.body.length });
      response.end(request.method === "HEAD" ? undefined : file.body);
    }
  });
}

/** `napier lab`: serves the page on the loopback interface until Ctrl-C. */
export async function lab(options: LabOptions): Promise<void> {
  if ((await fileOf("/")) === undefined) {
    throw new CommandError(1, "the page is not there", "in a clone, run npm run build first");
  }
  const server = serve();
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "it is in use" : (error.code ?? error.message);
      reject(
        new CommandError(
          1,
          `cannot listen on port ${options.port}: ${why}`,
          "take another with --port, or 0 for any",
          error,
        ),
      );
    });
    server.listen(options.port, "127.0.0.1", resolve);
  });
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  process.stdout.write(`${address}\n`);
  process.stderr.write("the lab is open in this machine's browsers alone; Ctrl-C ends it\n");
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  // where there is no browser the address is there to copy
  if (options.open) await open(address).catch(() => {});
  await new Promise<void>((resolve) => server.once("close", () => resolve()));
}
