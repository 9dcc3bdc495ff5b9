import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fromOnnx, inspectOnnx, type OnnxSummary, type OnnxValue } from "@napier/onnx";
import type { Feature, Label } from "napier/train";
import { inputError, listOf } from "./errors.ts";
import { checkRegular } from "./regular.ts";
import { count, some } from "./words.ts";

export interface InspectOptions {
  json?: boolean;
}

/** What a model of napier is; `fromOnnx` has read it whole and found its checksum right. */
export interface OwnModel {
  features: readonly Feature[];
  classes: readonly Label[];
  /** Widths from the features to the classes. */
  layers: number[];
  scaling: "standard" | "minmax" | "none";
  temperature: number;
}

/** What `inspect --json` prints. */
export interface InspectReport extends OnnxSummary {
  model: string;
  sha256: string;
  /** Null where napier did not write the file. */
  own: OwnModel | null;
}

async function bytesOf(path: string): Promise<Uint8Array> {
  checkRegular(path);
  try {
    return await readFile(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder" : `cannot be read (${code})`;
    throw inputError(`${path}: ${why}`, undefined, error);
  }
}

function ownModel(path: string, bytes: Uint8Array): OwnModel {
  try {
    const { features, classes, layers, scaling, temperature, inputs } = fromOnnx(bytes);
    return {
      features,
      classes,
      layers: [inputs, ...layers.map(({ outputs }) => outputs)],
      scaling: scaling.kind,
      temperature,
    };
  } catch (error) {
    const why = (error as Error).message.replace(/^fromOnnx: bytes expected an ONNX file that toOnnx wrote, got /, "");
    throw inputError(`${path} is not a whole model of napier: ${why}`, undefined, error);
  }
}

const SCALING = {
  standard: "each number is standardised: its mean off, divided by its standard deviation",
  minmax: "each number is scaled to between 0 and 1",
  none: "numbers are used as they are",
};

const value = ({ name, type, shape }: OnnxValue): string =>
  `${name}: ${type}${shape === null ? "" : ` [${shape.map((size) => size ?? "?").join(", ")}]`}`;

function ownLines({ features, classes, layers, scaling, temperature }: OwnModel): [string, string][] {
  const shown = features.slice(0, 10).map(({ name, size }) => (size === 1 ? name : `${name} (${size})`));
  const more = features.length > 10 ? ` and ${count(features.length - 10)} more` : "";
  const [inputs, ...widths] = layers;
  const hidden = widths.length - 1;
  const kind =
    hidden === 0 ? "a linear softmax classifier" : `an MLP with ${some(hidden, "hidden layer")}, ReLU between them`;
  return [
    ["it is", `${kind}: ${[inputs!, ...widths].map(count).join(" → ")}`],
    ["features", `${some(inputs!, "number")} a row: ${shown.join(", ")}${more}`],
    ["classes", `${count(classes.length)}: ${listOf(classes)}`],
    ["scaling", SCALING[scaling]],
    ["calibrated", temperature === 1 ? "no (temperature 1)" : `yes, temperature ${Number(temperature.toPrecision(5))}`],
  ];
}

/** For people; ends with a line break. */
function inspectText(report: InspectReport): string {
  const { model, bytes, producer, inputs, outputs, operators, parameters, opsets, irVersion, sha256, metadata, own } =
    report;
  const nodes = operators.reduce((sum, one) => sum + one.count, 0);
  const kinds = operators.slice(0, 12).map((one) => (one.count === 1 ? one.name : `${one.name} ×${count(one.count)}`));
  const rest = operators.length > 12 ? ` and ${count(operators.length - 12)} more kinds` : "";
  const lines: [string, string][] = [
    ...(own ? ownLines(own) : []),
    ...inputs.slice(0, 8).map((one, k): [string, string] => [k === 0 ? "takes" : "", value(one)]),
    ...outputs.slice(0, 8).map((one, k): [string, string] => [k === 0 ? "gives" : "", value(one)]),
    ["parameters", count(parameters)],
    ["operators", `${count(nodes)}: ${kinds.join(", ")}${rest}`],
    ["versions", `${opsets.map(({ domain, version }) => `opset ${domain} ${version}`).join(", ")}; IR ${irVersion}`],
    ...(own || metadata.length === 0 ? [] : [["metadata", listOf(metadata.map(([key]) => key))] as [string, string]]),
    ["sha256", sha256],
    [
      "napier",
      own
        ? "wrote it, and it is whole"
        : "did not write it: predict and evaluate do not read it; check examines logits that it gives",
    ],
  ];
  const title = `${model}: ${count(bytes)} bytes, by ${producer === "" ? "a program that does not say its name" : producer}`;
  const all = [title, ...lines.map(([name, text]) => `  ${name.padEnd(11)} ${text}`)];
  // names are somebody else's, and a terminal obeys control characters
  return `${all.map((line) => line.replace(/[\p{Cc}\p{Cf}]/gu, "\uFFFD")).join("\n")}\n`;
}

/** `napier inspect`: what is in an ONNX file, whoever wrote it. Nothing of it is run. */
export async function inspect(path: string, { json }: InspectOptions): Promise<InspectReport> {
  const bytes = await bytesOf(path);
  let summary: OnnxSummary;
  try {
    summary = inspectOnnx(bytes);
  } catch (error) {
    const why = (error as Error).message.replace(/^inspectOnnx: bytes expected an ONNX file, got /, "");
    throw inputError(`${path} is no ONNX file: ${why}`, undefined, error);
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const report: InspectReport = { model: path, sha256, ...summary, own: summary.napier ? ownModel(path, bytes) : null };
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : inspectText(report));
  return report;
}
