import { writeFileSync } from "node:fs";
import { fromOnnx, toOnnx } from "@napier/onnx";
import { calibrate, fit, type Model } from "napier/train";
import { embed, readWords, SIZE } from "./words.ts";

const STRENGTHS = [0.3, 1, 3, 10, 30, 100];

function say(line = ""): void {
  process.stdout.write(`${line}\n`);
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

// 1. rows of numbers and a label each
const words = readWords();
const part = ({ words, languages }: typeof words.test) => ({ x: embed(words), y: languages });
const [training, validation, test] = [part(words.training), part(words.validation), part(words.test)];
say(`${training.y.length} words to train on, ${validation.y.length} to choose by, ${test.y.length} to test on`);

// 2. a head for each strength of the penalty, from where the one before ended; the best on words that it has not seen
let model: Model<string> | undefined;
let least = Infinity;
let warmStart: Model<string> | undefined;
say("\n      C  validation NLL  accuracy");
for (const C of STRENGTHS) {
  const features = [{ name: "embedding", size: SIZE }];
  warmStart = await fit({ ...training, features, C, ...(warmStart && { warmStart }) });
  const { nll, accuracy } = warmStart.evaluate(validation.x, validation.y);
  if (nll < least) [least, model] = [nll, warmStart];
  say(`${String(C).padStart(7)}  ${nll.toFixed(4).padStart(14)}  ${percent(accuracy).padStart(8)}`);
}

// 3. probabilities that mean what they say: one temperature, found on the same words
const calibration = await calibrate(model!, validation);
const head = calibration.model;
say(`\ntemperature ${head.temperature.toFixed(3)}; expected calibration error on the words to test on:`);
const score = ({ nll, accuracy, ece }: ReturnType<typeof head.reliability>): string =>
  `NLL ${nll.toFixed(4)}, accuracy ${percent(accuracy)}, calibration error ${percent(ece)}`;
say(`  before  ${score(model!.reliability(test.x, test.y))}`);
say(`  after   ${score(head.reliability(test.x, test.y))}`);

// 4. one file that any ONNX runtime takes: scaling, weights, temperature, log-softmax, names of the classes
const bytes = toOnnx(head);
writeFileSync("language.onnx", bytes);
const again = fromOnnx(bytes);
const same = Buffer.from(again.logProbs(test.x).data.buffer).equals(Buffer.from(head.logProbs(test.x).data.buffer));
say(`\nlanguage.onnx: ${bytes.length} bytes; read again, it gives ${same ? "the same bits" : "other bits"}\n`);
if (!same) process.exitCode = 1;

for (const word of ["because", "zwischen", "toujours", "siempre", "allora", "não", "mycket", "natuurlijk"]) {
  const { classes, logProbs } = again.top(embed([word]), 3);
  const guesses = classes[0]!.map((language, k) => `${language} ${percent(Math.exp(logProbs[0]![k]!))}`);
  say(`${word.padEnd(12)}${guesses.join("   ")}`);
}
