import { writeFileSync } from "node:fs";
import { fromOnnx, toOnnx } from "@napier/onnx";
import { type Calibration, calibrate, fit, type Model, type Reliability } from "napier/train";
import { embed, readWords, SIZE, type Words } from "./words.ts";

const STRENGTHS = [1, 3, 10, 30, 100];

function say(line = ""): void {
  process.stdout.write(`${line}\n`);
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

// 1. rows of numbers and a label each
const parts = readWords();
const rowsOf = ({ words, languages }: Words) => ({ x: embed(words), y: languages });
const [training, validation, test] = [rowsOf(parts.training), rowsOf(parts.validation), rowsOf(parts.test)];
say(`${training.y.length} words to train on, ${validation.y.length} to choose by, ${test.y.length} to test on`);

// 2. a head for each strength of the penalty, each from where the one before ended
// 3. probabilities that mean what they say: a temperature, found on words that were not trained on
let best: Calibration<string> | undefined;
let warmStart: Model<string> | undefined;
say("\n      C   NLL on those  temperature  NLL then");
for (const C of STRENGTHS) {
  const features = [{ name: "embedding", size: SIZE }];
  warmStart = await fit({ ...training, features, scale: "none", C, ...(warmStart && { warmStart }) });
  const calibration = await calibrate(warmStart, validation);
  const { before, model, after } = calibration;
  if (best === undefined || after.nll < best.after.nll) best = calibration;
  const cells = [before.nll.toFixed(4).padStart(13), model.temperature.toFixed(3).padStart(11), after.nll.toFixed(4)];
  say(`${String(C).padStart(7)}  ${cells.join("  ")}`);
}

const head = best!.model;
const score = ({ nll, accuracy, ece }: Reliability): string =>
  `NLL ${nll.toFixed(4)}, accuracy ${percent(accuracy)}, calibration error ${percent(ece)}`;
say("\nOn the words to test on:");
say(`  the last head, no temperature  ${score(warmStart!.reliability(test.x, test.y))}`);
say(`  the best head, with its own    ${score(head.reliability(test.x, test.y))}`);

// 4. one file that any ONNX runtime takes: scaling, weights, temperature, log-softmax, names of the classes
const bytes = toOnnx(head);
writeFileSync("language.onnx", bytes);
const again = fromOnnx(bytes);
const same = Buffer.from(again.logProbs(test.x).data.buffer).equals(Buffer.from(head.logProbs(test.x).data.buffer));
say(`\nlanguage.onnx: ${bytes.length} bytes; read again, it gives ${same ? "the same bits" : "other bits"}\n`);
if (!same) process.exitCode = 1;

for (const word of ["between", "zwischen", "toujours", "siempre", "allora", "minkälainen", "dlaczego"]) {
  const { classes, logProbs } = again.top(embed([word]), 3);
  const guesses = classes[0]!.map((language, k) => `${language} ${percent(Math.exp(logProbs[0]![k]!))}`);
  say(`${word.padEnd(12)}${guesses.join("   ")}`);
}
