import type * as core from "napier";
import type * as linear from "napier/linear";
import type * as naive from "napier/naive";
import type * as train from "napier/train";
import { binarySection } from "./binarycorpus.ts";
import { linearSection } from "./linearcorpus.ts";
import { lossesSection } from "./lossescorpus.ts";
import { lseSection } from "./lsecorpus.ts";
import { pickingSection } from "./pickingcorpus.ts";
import { BORDERS, HOSTILE, ROWS, type Row } from "./rows.ts";
import { times } from "./section.ts";
import { sha256 } from "./sha256.ts";

/** As packages/napier/src/rng.ts has it. */
type Generator = (seed: number, stream: number) => { uniform(): number };

/** What the corpus runs: the built modules, loaded from their folder so that no runtime needs to resolve a package's name. */
interface Library {
  core: typeof core;
  linear: typeof linear;
  naive: typeof naive;
  train: typeof train;
  rng: Generator;
}

/** dist  the URL of packages/napier/dist/ */
export async function load(dist: string): Promise<Library> {
  const [core, linear, naive, train, { rng }] = await Promise.all(
    ["index.js", "linearloss.js", "naive.js", "train/index.js", "rng.js"].map(
      (file) => import(new URL(file, dist).href),
    ),
  );
  return { core, linear, naive, train, rng };
}

type Kind = "f32" | "f64" | "number[]";
type Numbers = number[] | Float32Array | Float64Array;

/** The bytes of results, f32 in 4 and all else in 8, with every NaN as the canonical one. */
class Results {
  #chunks: Uint8Array[] = [];
  #length = 0;
  /** NaNs in typed arrays that left with other bits than the canonical NaN's. */
  strays = 0;

  put(...values: unknown[]): void {
    for (const value of values) {
      if (typeof value === "number") this.#add(Float64Array.of(value), false);
      else if (typeof value === "string") this.put([...value].map((c) => c.charCodeAt(0)));
      else if (value instanceof Float32Array || value instanceof Float64Array) this.#add(value.slice(), true);
      else if (Array.isArray(value) && typeof value[0] === "number") this.#add(Float64Array.from(value), false);
      else if (typeof value === "object" && value !== null) this.put(...Object.values(value));
      else throw new TypeError(`no result: ${value}`);
    }
  }

  #add(numbers: Float32Array | Float64Array, typed: boolean): void {
    const words = new Uint32Array(numbers.buffer);
    const perNumber = numbers.BYTES_PER_ELEMENT / 4;
    const high = perNumber === 1 ? 0x7fc00000 : 0x7ff80000;
    for (let k = 0; k < numbers.length; k++) {
      if (!Number.isNaN(numbers[k])) continue;
      const top = perNumber * k + perNumber - 1;
      if (typed && (words[top] !== high || (perNumber === 2 && words[top - 1] !== 0))) this.strays++;
      words[top] = high;
      if (perNumber === 2) words[top - 1] = 0;
    }
    this.#chunks.push(new Uint8Array(numbers.buffer));
    this.#length += numbers.byteLength;
  }

  sha256(): string {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return sha256(bytes);
  }
}

/** One section of the corpus: a generator of its own, so that a section's bits do not hang on those before it. */
class Section {
  readonly results = new Results();
  readonly library: Library;
  readonly #random: ReturnType<Generator>;

  constructor(library: Library, stream: number) {
    this.library = library;
    this.#random = library.rng(1614, stream);
  }

  readonly uniform = (): number => this.#random.uniform();
  /** About normal: twelve uniforms, added exactly. */
  readonly normal = (): number => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.uniform();
    return sum;
  };

  row(row: Row, classes: number, dtype: "f32" | "f64"): number[] {
    return row({ classes, dtype, uniform: this.uniform, normal: this.normal });
  }

  /** Every operation on one tensor, classes on this axis. */
  all(data: readonly number[], shape: readonly number[], axis: number, kind: Kind): void {
    const { results } = this;
    const { core } = this.library;
    const typed = (values: readonly number[]): Numbers => {
      if (kind === "number[]") return [...values];
      const numbers = kind === "f32" ? Float32Array.from(values) : Float64Array.from(values);
      const words = new Uint32Array(numbers.buffer);
      const perNumber = words.length / numbers.length;
      // a NaN comes in with a sign and a payload, and must leave without them
      for (let k = 0; k < numbers.length; k++) {
        if (Number.isNaN(numbers[k])) words[perNumber * (k + 1) - 1] |= 0x8001a000;
      }
      return numbers;
    };
    const tensor = (values: readonly number[]) => ({ data: typed(values), shape });
    const classes = shape.at(axis) ?? 0;
    const rows = data.length / classes;
    const at = axis < 0 ? shape.length + axis : axis;
    const perRow = { data: typed(Array.from({ length: rows }, this.normal)), shape: shape.filter((_, d) => d !== at) };
    const x = tensor(data);
    const d = tensor(Array.from(data, this.normal));
    const y = Int32Array.from({ length: rows }, (_, i) => (7 * i) % classes);
    const none = { axis, reduction: "none" } as const;

    const logProbs = core.logSoftmax(x, { axis });
    const probs = core.softmax(x, { axis });
    results.put(core.logSumExp(x, { axis }).data, logProbs.data, probs.data);
    results.put(
      core.nllLoss(logProbs, y, none).data,
      core.crossEntropy(x, y, none).data,
      core.nllLoss(x, y, none).data,
    );
    for (const reduction of ["mean", "sum"] as const) {
      results.put(core.nllLoss(logProbs, y, { axis, reduction }), core.crossEntropy(x, y, { axis, reduction }));
    }
    const each = core.crossEntropyWithGrad(x, y, none);
    const mean = core.crossEntropyWithGrad(x, y, { axis });
    results.put(each.loss.data, each.dlogits.data, mean.loss, mean.dlogits.data);
    results.put(core.softmaxBackward(d, probs, { axis }).data, core.logSoftmaxBackward(d, logProbs, { axis }).data);
    results.put(core.softmaxBackward(x, probs, { axis }).data, core.logSoftmaxBackward(x, logProbs, { axis }).data);
    results.put(core.logSumExpBackward(perRow, x, { axis }).data);
    results.put(core.nllLossBackward(perRow, logProbs, y, none).data);
    results.put(core.nllLossBackward(this.normal(), logProbs, y, { axis }).data);
  }
}

const KINDS = ["f32", "f64", "number[]"] as const;

const SECTIONS: Record<string, (section: Section) => void | Promise<void>> = {
  lengths(section) {
    for (const kind of KINDS) {
      for (let classes = 1; classes <= 67; classes++) {
        section.all(
          times(5 * classes, () => 4 * section.normal()),
          [5, classes],
          -1,
          kind,
        );
      }
    }
  },
  axis(section) {
    for (const kind of KINDS) {
      for (const classes of [1, 2, 3, 8, 11, 34, 67]) {
        section.all(
          times(30 * classes, () => 3 * section.normal()),
          [3, classes, 2, 5],
          1,
          kind,
        );
        section.all(
          times(12 * classes, () => 9 * section.normal()),
          [4, classes, 3],
          -2,
          kind,
        );
      }
    }
  },
  hostile(section) {
    for (const dtype of ["f32", "f64"] as const) {
      for (const classes of [1, 2, 3, 4, 5, 8, 9, 17, 32, 33, 40, 67, 130, 300]) {
        const rows = Object.values(HOSTILE).map((row) => section.row(row, classes, dtype));
        section.all(rows.flat(), [rows.length, classes], -1, dtype);
      }
    }
  },
  borders(section) {
    for (const dtype of ["f32", "f64"] as const) {
      for (const classes of [31, 32, 33, 34, 47, 48, 49, 64, 127, 128, 129, 255, 256, 257, 272, 513]) {
        const rows = BORDERS.map((row) => section.row(row, classes, dtype));
        section.all(rows.flat(), [rows.length, classes], -1, dtype);
      }
    }
  },
  /** Two logits at every gap, and whole rows at one depth: the exponential and the logarithm over their ranges. */
  gaps(section) {
    for (const [dtype, reach] of [
      ["f32", 105],
      ["f64", 750],
    ] as const) {
      const gaps = 6000;
      section.all(
        times(2 * gaps, (k) => (k % 2 === 0 ? 0 : (-reach * ((k >> 1) + section.uniform())) / gaps)),
        [gaps, 2],
        -1,
        dtype,
      );
      section.all(
        times(400 * 40, (k) => (k % 40 === 0 ? 0 : -((k / 40) >> 0) / 100 - section.uniform() / 64)),
        [400, 40],
        -1,
        dtype,
      );
    }
  },
  long(section) {
    for (const dtype of ["f32", "f64"] as const) {
      for (const classes of [1000, 4097, 40_000]) {
        const rows = ROWS.map((row) => section.row(row, classes, dtype));
        section.all(rows.flat(), [rows.length, classes], -1, dtype);
      }
    }
  },
  /** Many rows: several tiles, flat and dominated rows beside each other. */
  tiles(section) {
    for (const dtype of ["f32", "f64"] as const) {
      for (const [rows, classes] of [
        [3000, 10],
        [600, 100],
      ]) {
        const data = times(rows, (i) => times(classes, () => (1 + (i % 12)) * section.normal()));
        section.all(data.flat(), [rows, classes], -1, dtype);
      }
    }
  },
  naive({ library: { naive }, results, normal, uniform }) {
    const rows = [
      [1000, 0, -1000],
      [20, 0],
      [40, 0],
      [-1000, -1000],
      [0, -Infinity],
      [Number.NaN, 1],
      [Infinity, 1],
      ...times(60, (i) => times(1 + (i % 20), () => (1 + (i % 7)) * normal())),
    ];
    for (const format of ["f16", "bf16", "f32", "f64"] as const) {
      for (const row of rows) {
        results.put(naive.softmax(row, format), naive.logOfSoftmax(row, format), naive.logSumExpForm(row, format));
        let x = uniform() - 0.5;
        for (let i = 0; i < 40; i++, x *= 3.5) results.put(naive.round(x, format), naive.round(1e-7 * x, format));
      }
    }
    for (const row of rows) {
      const dx = new Float32Array(row.length);
      results.put(naive.naiveCrossEntropyWithGrad(dx, Float32Array.from(row), row.length - 1, 0.25), dx);
    }
  },
  async fit({ library: { train }, results, normal, uniform }) {
    const rows = 500;
    const columns = 7;
    const classes = ["a", "b", "c", "d"];
    const labels = times(rows, () => Math.floor(4 * uniform()));
    const x = {
      data: times(rows * columns, (k) => ((labels[Math.floor(k / columns)] * (k % columns)) % 5) + normal()),
      shape: [rows, columns],
    };
    const y = labels.map((label) => classes[label]);
    for (const [hidden, scale, validation] of [
      [[], "standard", undefined],
      [[], "minmax", 0.2],
      [[13], "standard", 0.2],
      [[9, 17], "none", undefined],
    ] as const) {
      const model = await train.fit({
        ...{ x, y, hidden, scale, optimizer: "adamw", epochs: 4, batchSize: 48, learningRate: 0.02, seed: 7 },
        ...(validation !== undefined && { validation }),
      });
      const { center, factor } = model.scaling;
      results.put(model.classes.join(), center, factor);
      for (const { weight, bias } of model.layers) results.put(weight, bias);
      results.put(model.logits(x).data, model.logProbs(x).data, model.probs(x).data, model.predict(x).join());
      const { nll, accuracy } = model.evaluate(x, y);
      results.put(nll, accuracy, model.top(x, 2).logProbs);
      // one by one: these are the only f32 losses that leave as f64
      for (let i = 0; i < 200; i++) {
        const one = { data: x.data.slice(i * columns, (i + 1) * columns), shape: [1, columns] };
        results.put(model.evaluate(one, [y[i]]).nll);
      }
    }
  },
  picking: pickingSection,
  lse: lseSection,
  binary: binarySection,
  losses: lossesSection,
  linear: linearSection,
  async lbfgs({ library: { train }, results, normal, uniform }) {
    const rows = 1200;
    const columns = 9;
    const data = times(rows * columns, () => normal());
    const x = { data, shape: [rows, columns] };
    for (const classes of [2, 4]) {
      const y = times(rows, (i) => Math.round(data[i * columns] + data[i * columns + 3] + normal()) & (classes - 1));
      const sampleWeight = times(rows, uniform);
      for (const options of [
        { scale: "standard" },
        { scale: "none", C: 0.01, classWeight: "balanced" },
        { scale: "minmax", C: Number.POSITIVE_INFINITY, sampleWeight, maxIterations: 12 },
      ] as const) {
        const { layers } = await train.fit({ x, y, ...options });
        for (const { weight, bias } of layers) results.put(weight, bias);
      }
    }
  },
};

export interface Digest {
  /** of the sections' digests, in their order */
  sha256: string;
  sections: Record<string, string>;
  /** NaNs with other bits than the canonical NaN's, by section */
  strays: Record<string, number>;
}

/** The whole corpus: all core operations, dtypes and hostile rows, the textbook formulas and the trainer. */
export async function digest(dist: string): Promise<Digest> {
  const library = await load(dist);
  const sections: Record<string, string> = {};
  const strays: Record<string, number> = {};
  for (const [stream, [name, run]] of Object.entries(SECTIONS).entries()) {
    const section = new Section(library, stream);
    await run(section);
    sections[name] = section.results.sha256();
    strays[name] = section.results.strays;
  }
  const all = Uint8Array.from(Object.values(sections).join(""), (c) => c.charCodeAt(0));
  return { sha256: sha256(all), sections, strays };
}
