import { toOnnx } from "@napier/onnx";
import { type Feature, type FitSettings, fit, type Model } from "napier/train";
import type { Rows } from "./data.ts";

export interface Job {
  readonly kind: "train";
  readonly rows: Rows;
  readonly features?: readonly Feature[];
  readonly settings: FitSettings;
  /** Points of the decision surface, if there is one. */
  readonly grid?: Float32Array;
}

export type Request = Job | { readonly kind: "stop" } | { readonly kind: "classify"; readonly x: Float32Array };

export interface Point {
  /** Epochs done, with a fraction. */
  readonly epoch: number;
  readonly nll: number;
  readonly accuracy?: number;
  readonly gradientNorm?: number;
}

export type Reply =
  | { kind: "point"; point: Point }
  | { kind: "surface"; probs: Float32Array; classes: number }
  | { kind: "died"; epoch: number; step: number; maxLogit: number }
  | { kind: "done"; nll: number; accuracy: number; seconds: number; onnx: Uint8Array; sha256: string; stopped: boolean }
  | { kind: "classified"; logProbs: Float32Array; classes: readonly (string | number)[] }
  | { kind: "error"; message: string };

/** An epoch of a toy takes less: the page need not draw the surface of each. */
const EVERY_MS = 60;
/** Points of a curve, at most: of an epoch each, or of some. */
const MOST_POINTS = 400;

const post = (reply: Reply): void => postMessage(reply);
let model: Model | undefined;
let abort: AbortController | undefined;

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  // pages that come by http from another machine have none
  if (crypto.subtle === undefined) return "only on https or localhost";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function train({ rows, features, settings, grid }: Job): Promise<void> {
  const { batchSize = 128 } = settings;
  const start = performance.now();
  abort = new AbortController();
  const { signal } = abort;
  let died = false;
  let shown = 0;
  let gradientNorm: number | undefined;
  const showSurface = (of: Model): void => {
    if (!grid) return;
    const probs = of.probs({ data: grid, shape: [grid.length / 2, 2] }).data as Float32Array;
    post({ kind: "surface", probs, classes: of.classes.length });
  };
  try {
    const given = { ...settings, ...(features && { features }) };
    model = (await fit({
      ...{ x: rows.x, y: rows.y as string[], ...given, signal },
      onProgress: (p) => {
        if (p.kind === "step") {
          gradientNorm = p.gradientNorm;
          if (Number.isFinite(p.loss))
            post({ kind: "point", point: { epoch: p.epoch - 1 + p.row / p.rows, nll: p.loss, gradientNorm } });
          else if (!died) {
            died = true;
            post({ kind: "died", epoch: p.epoch, step: Math.ceil(p.row / batchSize), maxLogit: p.maxLogit });
            abort?.abort(); // nothing comes after a loss that is no number
          }
        } else if (p.kind === "epoch") {
          model = p.model();
          if (p.epoch % Math.ceil(p.epochs / MOST_POINTS) !== 0 && p.epoch < p.epochs) return;
          const { nll, accuracy } = p.train;
          post({
            kind: "point",
            point: { epoch: p.epoch, nll, accuracy, ...(gradientNorm !== undefined && { gradientNorm }) },
          });
          const now = performance.now();
          if (now - shown < EVERY_MS) return;
          shown = now;
          showSurface(model);
        }
      },
    })) as Model;
  } catch (error) {
    if (died) return;
    if (!signal.aborted) throw error;
    if (model === undefined) throw new Error("stopped before the first epoch was done");
  }
  const seconds = (performance.now() - start) / 1000;
  const { nll, accuracy } = model.evaluate(rows.x, rows.y as string[]);
  const onnx = new Uint8Array(toOnnx(model));
  showSurface(model);
  post({ kind: "done", nll, accuracy, seconds, onnx, sha256: await sha256(onnx), stopped: signal.aborted });
}

export async function handle(data: Request): Promise<void> {
  try {
    if (data.kind === "stop") abort?.abort();
    else if (data.kind === "train") {
      model = undefined;
      await train(data);
    } else if (model) {
      const { data: logProbs } = model.logProbs({ data: data.x, shape: [1, data.x.length] });
      post({ kind: "classified", logProbs: Float32Array.from(logProbs), classes: model.classes });
    }
  } catch (error) {
    post({ kind: "error", message: error instanceof Error ? error.message : String(error) });
  }
}
