/** A worker for a section; `hear` gets what it posts. */
export function startWorker<Request, Reply>(
  name: "break" | "train" | "check",
  hear: (reply: Reply) => void,
): (request: Request) => void {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name });
  worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => hear(data));
  return (request) => worker.postMessage(request);
}
