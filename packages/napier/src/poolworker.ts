/** What a pool's worker runs; pool.ts starts it, nobody imports it. An entry point, napier/poolworker, for bundlers alone. */
import { type Mail, Thread } from "./thread.ts";

/** What the two kinds of workers have in common. */
interface Port {
  postMessage(message: unknown): void;
  on?(event: "message", listener: (mail: Mail) => void): void;
  onmessage?: ((event: { data: Mail }) => void) | null;
}

const { process } = globalThis as { process?: { getBuiltinModule?(name: string): { parentPort: Port | null } } };
const port = process?.getBuiltinModule?.("node:worker_threads").parentPort ?? (globalThis as unknown as Port);

let thread: Thread | undefined;

function receive(mail: Mail): void {
  if (mail.start) thread = new Thread(mail.start);
  thread?.read(mail);
  thread?.work(() => port.postMessage(null));
}

if (port.on) port.on("message", receive);
else port.onmessage = ({ data }) => receive(data);
