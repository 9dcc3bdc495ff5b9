/**
 * A training that may be killed at any moment and started again: node train.js FOLDER. It says what it does on stdout and,
 * when it is done, the sha256 of the model's ONNX file.
 */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gather, openSource } from "@napier/cli";
import { toOnnx } from "@napier/onnx";
import { diskStore } from "napier/node";
import { fit } from "napier/train";

const DIGITS = fileURLToPath(new URL("../../../data/digits.parquet", import.meta.url));

const [, , folder = "checkpoints"] = process.argv;
mkdirSync(folder, { recursive: true });
const source = await openSource(DIGITS, { target: "label" });
const { features } = source;
const { x, y } = await gather(source);
source.close();

const model = await fit({
  ...{ x, y, features, hidden: [64], epochs: 60, seed: 1 },
  checkpoint: { store: diskStore(folder), every: 0.02 },
  resume: true, // where the folder is empty, training begins
  onProgress: (p) => {
    if (p.kind === "resume") console.log(p.found ? `goes on after ${p.done} epochs` : "begins");
    if (p.kind === "epoch") console.log(`epoch ${p.epoch}: NLL ${p.train.nll.toFixed(4)}`);
  },
});
console.log(`sha256 ${createHash("sha256").update(toOnnx(model)).digest("hex")}`);
