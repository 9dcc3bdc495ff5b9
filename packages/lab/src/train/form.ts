import type { FitSettings } from "napier/train";
import lab from "../../lab.json" with { type: "json" };
import { el } from "../dom.ts";
import { TOYS } from "./data.ts";

export const LOSSES = ["cross-entropy", "naive-f32", "naive-f16"] as const;

/** All that a run depends on; the address bar has it. */
export interface Options {
  readonly data: string;
  readonly loss: (typeof LOSSES)[number];
  readonly seed: number;
  readonly rate: number;
  /** Factor of the toys' coordinates. */
  readonly scale: number;
  readonly epochs: number;
}

export const DEFAULTS: Options = { data: "spirals", loss: "cross-entropy", seed: 1, rate: 0.02, scale: 1, epochs: 60 };
/** Found by trying: the textbook loss dies in the first epoch, Napier's goes on to the end. */
export const DEATH: Options = { data: "blobs", loss: "naive-f32", seed: 1, rate: 0.1, scale: 100, epochs: 60 };

export const NAMES: Record<string, string> = {
  spirals: "three spirals",
  moons: "two moons",
  blobs: "three blobs",
  none: "your own points",
  mnist: "MNIST, 10,000 images",
  "cross-entropy": "Napier",
  "naive-f32": "softmax, then log, in f32",
  "naive-f16": "softmax, then log, in f16",
};

/** What fit is asked for; MNIST is trained by lab.json, as the command line would. */
export function settingsOf({ data, loss, seed, rate, epochs }: Options): FitSettings {
  if (data === "mnist") return { ...(lab as FitSettings), loss };
  return {
    hidden: [24, 24],
    scale: "none",
    optimizer: "adamw",
    learningRate: rate,
    epochs,
    batchSize: 30,
    seed,
    loss,
    reportEvery: 30,
  };
}

/** The same training on the command line, with the file that stands beside the page. */
export const COMMAND = [
  "npx napier train mnist-10000.parquet --target label",
  ...[
    `--hidden ${lab.hidden.join(",")}`,
    `--optimizer ${lab.optimizer}`,
    `--scale ${lab.scale}`,
    `--epochs ${lab.epochs}`,
  ],
  ...[`--batch-size ${lab.batchSize}`, `--learning-rate ${lab.learningRate}`, `--seed ${lab.seed}`],
].join(" ");

const NUMBERS = [
  ["seed", "Seed", 1],
  ["rate", "Learning rate", "any"],
  ["scale", "Input scale", "any"],
  ["epochs", "Epochs", 1],
] as const;

/** The controls of a run. */
export class Form {
  readonly root = el("div", { className: "row" });
  readonly #data = select("train-data", "Data", [...TOYS, "mnist"]);
  readonly #loss = select("train-loss", "Loss", LOSSES);
  readonly #numbers = NUMBERS.map(([name, label, step]) => {
    const input = el("input", { id: `train-${name}`, type: "number", step: String(step), min: "0" });
    return { name, input, field: el("label", { className: "field", for: input.id }, el("span", {}, label), input) };
  });

  constructor(onChange: () => void) {
    this.root.append(this.#data.field, this.#loss.field, ...this.#numbers.map(({ field }) => field));
    this.root.addEventListener("change", () => {
      this.#enable();
      onChange();
    });
  }

  get options(): Options {
    const numbers = this.#numbers.map(({ name, input }) => {
      const value = input.valueAsNumber;
      return [name, Number.isFinite(value) && (value > 0 || name === "seed") ? value : DEFAULTS[name]];
    });
    return {
      data: this.#data.control.value,
      loss: this.#loss.control.value,
      ...Object.fromEntries(numbers),
    } as Options;
  }

  set options(options: Options) {
    this.#data.control.value = options.data;
    this.#loss.control.value = options.loss;
    for (const { name, input } of this.#numbers) input.value = String(options[name]);
    this.#enable();
  }

  /** lab.json decides the rest where MNIST is trained. */
  #enable(): void {
    for (const { input } of this.#numbers) input.disabled = this.#data.control.value === "mnist";
  }
}

function select(
  id: string,
  label: string,
  values: readonly string[],
): { control: HTMLSelectElement; field: HTMLElement } {
  const control = el("select", { id }, ...values.map((value) => el("option", { value }, NAMES[value])));
  return { control, field: el("label", { className: "field", for: id }, el("span", {}, label), control) };
}
