import { SingleBar } from "cli-progress";
import type { Progress } from "napier/train";
import { printable } from "./errors.ts";
import { isQuiet } from "./quiet.ts";
import { count, metrics } from "./words.ts";

export function note(text: string): void {
  if (!isQuiet()) warn(text);
}

/** What a quiet command says too: the result is not what was asked for. */
export function warn(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** A line that counts rows while they are read; only a terminal sees it move. */
export function rowCounter(what: string): { rows: (rows: number) => void; end: () => void } {
  const live = process.stderr.isTTY && !isQuiet();
  let last = 0;
  return {
    rows: (rows) => {
      const now = performance.now();
      if (!live || now - last < 200) return;
      last = now;
      process.stderr.write(`\r${what}: ${count(rows)} rows`);
    },
    end: () => {
      if (live && last > 0) process.stderr.write("\r\x1b[K");
    },
  };
}

/** What an epoch brought, on one line. */
export function epochLine(p: Progress & { kind: "epoch" }): string {
  const validation = p.validation ? `; validation ${metrics(p.validation)}` : "";
  const best = p.best && p.validation ? "; best so far" : "";
  return `epoch ${p.epoch}/${p.epochs}: training ${metrics(p.train)}${validation}; ${p.seconds.toFixed(1)} s${best}`;
}

/** What an iteration of L-BFGS brought, on one line. */
export function iterationLine(p: Progress & { kind: "iteration" }): string {
  const gradient = `gradient ${p.gradientNorm.toExponential(1)} of ${p.tolerance.toExponential(1)}`;
  return `iteration ${p.iteration}: objective ${p.objective.toPrecision(8)}, ${gradient}; ${p.seconds.toFixed(1)} s`;
}

/** Lines where there is no terminal: all of up to twenty epochs; of more, and of iterations, the first, the last, and one a second. */
function plainLines(): (p: Progress) => void {
  let shown = Number.NEGATIVE_INFINITY;
  return (p) => {
    if (p.kind !== "epoch" && p.kind !== "iteration") return;
    const now = performance.now();
    const isLast = p.kind === "epoch" ? p.epochs <= 20 || p.epoch === p.epochs : false;
    if (!isLast && now - shown < 1000) return;
    shown = now;
    note(p.kind === "epoch" ? epochLine(p) : iterationLine(p));
  };
}

/** A line that is written over, for work whose end is not known. */
function liveLine(): (text: string) => void {
  let last = 0;
  return (text) => {
    const now = performance.now();
    if (now - last < 100) return;
    last = now;
    process.stderr.write(`\r\x1b[K${text}`);
  };
}

/** On a terminal a bar with rate, time left and loss below the epochs' lines; elsewhere the lines alone. */
export function trainingProgress(): { show: (p: Progress) => void; stop: () => void } {
  if (!process.stderr.isTTY || isQuiet()) {
    return { show: plainLines(), stop: () => {} };
  }
  const bar = new SingleBar({
    format: "epoch {epoch}/{epochs} {bar} {percentage} % · {rate} rows/s · {eta_formatted} left · loss {loss}",
    stream: process.stderr,
    barsize: 24,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false, // Ctrl-C is ours: it saves the model
    etaBuffer: 200,
  });
  const began = performance.now();
  const live = liveLine();
  let running = false;
  return {
    show: (p) => {
      if (p.kind === "iteration") live(iterationLine(p));
      else if (p.kind === "end") process.stderr.write("\r\x1b[K");
      else if (p.kind === "step") {
        const done = (p.epoch - 1) * p.rows + p.row;
        const rate = count(Math.round((done * 1000) / Math.max(1, performance.now() - began)));
        const payload = { epoch: p.epoch, epochs: p.epochs, rate, loss: p.loss.toFixed(4) };
        if (running) bar.update(done, payload);
        else bar.start(p.epochs * p.rows, done, payload);
        running = true;
      } else if (p.kind === "epoch") {
        process.stderr.write("\r\x1b[K");
        note(epochLine(p));
      }
    },
    stop: () => {
      if (running) bar.stop();
    },
  };
}
