import { describe, expect, test } from "vitest";
import {
  type CalibrateOptions,
  calibrate,
  Model,
  type ReliabilityOptions,
  reliability,
  type TemperatureOptions,
  temperatureScaling,
} from "../src/train/index.ts";

const logits = { data: [2, 0, 2, 0, 2, 0, 2, 0], shape: [4, 2] };
const y = [0, 0, 0, 1];

const refuses = (run: () => unknown, error: Error): void => expect(run).toThrow(error);

describe("temperatureScaling and reliability refuse", () => {
  const both = (message: string, Kind: ErrorConstructor, options: object, data = logits, targets: unknown = y) => {
    refuses(
      () => temperatureScaling(data, targets as number[], options as TemperatureOptions),
      Kind(`temperatureScaling: ${message}`),
    );
    refuses(
      () => reliability(data, targets as number[], options as ReliabilityOptions),
      Kind(`reliability: ${message}`),
    );
  };

  test("weights that are none", () => {
    const name = "options.sampleWeight";
    both(`${name} expected number[], Float32Array or Float64Array, got 2`, TypeError, { sampleWeight: 2 });
    both(`${name} expected 4 numbers, one a row, got 3`, RangeError, { sampleWeight: [1, 1, 1] });
    both(`${name} expected finite numbers from 0, got 1 at row 1`, RangeError, { sampleWeight: [1, "1", 1, 1] });
    both(`${name} expected finite numbers from 0, got -1 at row 3`, RangeError, { sampleWeight: [1, 1, 1, -1] });
    both(`${name} expected finite numbers from 0, got NaN at row 0`, RangeError, {
      sampleWeight: [Number.NaN, 1, 1, 1],
    });
    both(`${name} expected finite numbers from 0, got Infinity at row 2`, RangeError, {
      sampleWeight: [1, 1, Infinity, 1],
    });
    both(`${name} expected a weight above 0, got zeros only`, RangeError, { sampleWeight: new Float32Array(4) });
  });

  test("rows and targets that are none", () => {
    both("targets[3] expected an integer from 0 to 1, got 2", RangeError, {}, logits, [0, 0, 0, 2]);
    both("targets expected 4 class indices, got 3", RangeError, {}, logits, [0, 0, 0]);
    both("logits expected at least 1 row, got 0", RangeError, {}, { data: [], shape: [0, 2] }, []);
    both("logits expected at least 1 class, got 0", RangeError, {}, { data: [], shape: [2, 0] }, [0, 0]);
  });

  test("options that are none", () => {
    refuses(
      () => temperatureScaling(logits, y, { sampleWeights: y } as TemperatureOptions),
      TypeError(
        "temperatureScaling: options expected only shape, axis, dtype, sampleWeight, got sampleWeights; did you mean sampleWeight",
      ),
    );
    refuses(
      () => reliability(logits, y, { n_bins: 3 } as ReliabilityOptions),
      TypeError(
        "reliability: options expected only shape, axis, dtype, temperature, sampleWeight, bins, strategy, got n_bins",
      ),
    );
    for (const bins of [0, 2.5, 1e6 + 1, Number.NaN]) {
      const message = `reliability: options.bins expected an integer from 1 to 1000000, got ${bins}`;
      refuses(() => reliability(logits, y, { bins }), RangeError(message));
    }
    refuses(
      () => reliability(logits, y, { temperature: 0 }),
      RangeError("reliability: options.temperature expected a finite number above 0, got 0"),
    );
    refuses(
      () => reliability(logits, y, { strategy: "equal" } as unknown as ReliabilityOptions),
      RangeError('reliability: options.strategy expected "uniform" or "quantile", got "equal"'),
    );
  });

  test("rows whose loss no temperature changes to a number: temperatureScaling only", () => {
    const at = (row: number[]) => ({ data: [2, 0, 2, 0, ...row, 2, 0], shape: [4, 2] });
    const message = (got: string) => `temperatureScaling: logits expected rows with a finite loss, got ${got} at row 2`;
    refuses(() => temperatureScaling(at([Number.NaN, 0]), y), RangeError(message("NaN")));
    refuses(() => temperatureScaling(at([0, Infinity]), y), RangeError(message("NaN")));
    refuses(() => temperatureScaling(at([-Infinity, 0]), y), RangeError(message("Infinity")));
  });
});

async function* streamOf(...blocks: unknown[]): AsyncGenerator<unknown> {
  yield* blocks;
}

describe("calibrate refuses", () => {
  const model = new Model<string>({
    classes: ["a", "b"],
    features: [{ name: "x", size: 1 }],
    scaling: { kind: "none", center: new Float32Array(1), factor: Float32Array.of(1) },
    layers: [{ weight: Float32Array.of(2, 0), bias: new Float32Array(2), inputs: 1, outputs: 2 }],
  });
  const x = { data: [1, 1, 1, 1], shape: [4, 1] };
  const labels = ["a", "a", "a", "b"];
  const cases: [message: string, Kind: ErrorConstructor, options: object][] = [
    [
      "options expected only x, y, sampleWeight, source, bins, signal, got weights",
      TypeError,
      { x, y: labels, weights: y },
    ],
    ["x expected { data, shape }, got undefined; fromRows(rows) makes it from number[][]", TypeError, { y: labels }],
    ["x.shape expected [rows, 1], got [2, 2]", RangeError, { x: { data: x.data, shape: [2, 2] }, y: ["a", "b"] }],
    ["x expected at least 1 row, got 0", RangeError, { x: { data: [], shape: [0, 1] }, y: [] }],
    [
      "x expected rows with a finite loss, got NaN at row 2",
      RangeError,
      { x: { data: [1, 1, Number.NaN, 1], shape: [4, 1] }, y: labels },
    ],
    ["y expected 4 labels, one a row, got 2", RangeError, { x, y: ["a", "b"] }],
    ['y expected classes of the model, got "c" at row 3', RangeError, { x, y: ["a", "a", "a", "c"] }],
    ["sampleWeight expected 4 numbers, one a row, got 1", RangeError, { x, y: labels, sampleWeight: [1] }],
    [
      "sampleWeight expected a weight above 0, got zeros only",
      RangeError,
      { x, y: labels, sampleWeight: [0, 0, 0, 0] },
    ],
    ["bins expected an integer from 1 to 1000000, got 0", RangeError, { x, y: labels, bins: 0 }],
    ["signal expected an AbortSignal, got 3", TypeError, { x, y: labels, signal: 3 }],
    ["source expected an async iterable of blocks { x, y }, got an object with x", TypeError, { source: { x } }],
    ["x expected nothing beside source, got both", RangeError, { x, source: [] }],
    ["sampleWeight expected nothing beside source, got both", RangeError, { sampleWeight: [1], source: [] }],
    ["source expected at least 1 row, got 0", RangeError, { source: streamOf() }],
    [
      "source's x expected { data, shape }, got undefined; fromRows(rows) makes it from number[][]",
      TypeError,
      { source: streamOf({ x, y: labels }, { y: labels }) },
    ],
    ["source's y expected 4 labels, one a row, got 1", RangeError, { source: streamOf({ x, y: ["a"] }) }],
    [
      'source\'s y expected classes of the model, got "c" at row 4',
      RangeError,
      {
        source: streamOf({ x, y: labels }, { x, y: ["c", "a", "a", "a"] }),
      },
    ],
    [
      "source's weight expected finite numbers from 0, got -1 at row 0",
      RangeError,
      { source: streamOf({ x, y: labels, weight: [-1, 1, 1, 1] }) },
    ],
    [
      "source's weight expected a weight above 0, got zeros only",
      RangeError,
      { source: streamOf({ x, y: labels, weight: [0, 0, 0, 0] }) },
    ],
    [
      "source expected rows with a finite loss, got NaN at row 5",
      RangeError,
      {
        source: streamOf({ x, y: labels }, { x: { data: [1, Number.NaN, 1, 1], shape: [4, 1] }, y: labels }),
      },
    ],
  ];

  test.each(cases)("%s", async (message, Kind, options) => {
    await expect(calibrate(model, options as CalibrateOptions<string>)).rejects.toThrow(Kind(`calibrate: ${message}`));
  });

  test("what is no model, and blocks that are none", async () => {
    await expect(calibrate({} as Model<string>, { x, y: labels })).rejects.toThrow(
      new TypeError("calibrate: model expected a Model, got an object with no keys"),
    );
    await expect(calibrate(model, { source: streamOf(null) } as unknown as CalibrateOptions<string>)).rejects.toThrow(
      new TypeError(
        "calibrate: source's x expected { data, shape }, got undefined; fromRows(rows) makes it from number[][]",
      ),
    );
    await expect(calibrate(model, undefined as unknown as CalibrateOptions<string>)).rejects.toThrow(
      new TypeError("calibrate: options expected an object, got undefined"),
    );
  });

  test("a model's temperature and its report", () => {
    const parts = { classes: model.classes, features: model.features, scaling: model.scaling, layers: model.layers };
    for (const temperature of [0, -1, Infinity, 1e-50, 1e39]) {
      refuses(
        () => new Model({ ...parts, temperature }),
        RangeError(`Model: temperature expected a finite f32 above 0, got ${temperature}`),
      );
    }
    refuses(
      () => new Model({ ...parts, temperature: "2" as unknown as number }),
      TypeError('Model: temperature expected a finite f32 above 0, got "2"'),
    );
    refuses(
      () => model.reliability({ data: [], shape: [0, 1] }, []),
      RangeError("reliability: x expected at least 1 row, got 0"),
    );
    refuses(
      () => model.reliability(x, ["a", "c", "a", "a"]),
      RangeError('reliability: y expected classes of the model, got "c" at row 1'),
    );
    refuses(
      () => model.reliability(x, labels, { temperature: 2 } as object),
      TypeError("reliability: options expected only bins, strategy, sampleWeight, got temperature"),
    );
  });
});
