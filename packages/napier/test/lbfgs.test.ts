import { describe, expect, test } from "vitest";
import { rng } from "../src/rng.ts";
import { type Evaluation, Lbfgs, type LbfgsOptions, type LbfgsState, type Objective } from "../src/train/lbfgs.ts";
import { CURVATURE, DECREASE, NOISE, searchLine, TRIALS } from "../src/train/linesearch.ts";

type Plain = (w: Float64Array) => Evaluation;

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, k) => sum + v * b[k], 0);

/** Σ 100·(w[k+1] − w[k]²)² + (1 − w[k])², least at all 1. */
const rosenbrock: Plain = (w) => {
  const gradient = new Float64Array(w.length);
  let value = 0;
  for (let k = 0; k + 1 < w.length; k++) {
    const a = w[k + 1] - w[k] * w[k];
    const b = 1 - w[k];
    value += 100 * a * a + b * b;
    gradient[k] -= 400 * a * w[k] + 2 * b;
    gradient[k + 1] += 200 * a;
  }
  return { value, gradient };
};

/** ½ Σ c[k]·(w[k] − k)² */
const quadratic =
  (curvatures: Float64Array): Plain =>
  (w) => {
    const gradient = w.map((v, k) => curvatures[k] * (v - k));
    return { value: 0.5 * w.reduce((sum, v, k) => sum + gradient[k] * (v - k), 0), gradient };
  };

/** Softmax regression on random rows, mean NLL and ridge/2·‖w‖². */
function logistic(rows: number, inputs: number, classes: number, ridge: number, seed: number): Plain {
  const random = rng(seed);
  const x = Float64Array.from({ length: rows * inputs }, () => 4 * random.uniform() - 2);
  const y = Array.from({ length: rows }, () => random.below(classes));
  return (w) => {
    const gradient = w.map((v) => ridge * v);
    let value = 0.5 * ridge * dot(w, w);
    for (let i = 0; i < rows; i++) {
      const row = x.subarray(i * inputs, (i + 1) * inputs);
      const z = Array.from({ length: classes }, (_, c) => dot(row, w.subarray(c * inputs, (c + 1) * inputs)));
      const m = Math.max(...z);
      const s = z.reduce((sum, v) => sum + Math.exp(v - m), 0);
      value += (Math.log(s) - (z[y[i]] - m)) / rows;
      z.forEach((v, c) => {
        const g = (Math.exp(v - m) / s - (c === y[i] ? 1 : 0)) / rows;
        for (let k = 0; k < inputs; k++) gradient[c * inputs + k] += g * row[k];
      });
    }
    return { value, gradient };
  };
}

/** Steps until the gradient's norm is at most the tolerance, or no step moves; how it ended. */
async function minimise(search: Lbfgs, objective: Objective, tolerance: number, most = 5000): Promise<string> {
  await search.start(objective);
  while (search.gradientNorm > tolerance) {
    if (search.iteration >= most) return "limit";
    const outcome = await search.step(objective);
    if (outcome !== "moved") return outcome;
  }
  return "converged";
}

const start = (length: number, value = 0): Float64Array => new Float64Array(length).fill(value);

describe("minima", () => {
  test.each([2, 3, 5, 10, 30, 100])("Rosenbrock's valley in %i dimensions", async (n) => {
    const search = new Lbfgs(Float64Array.from({ length: n }, (_, k) => (k % 2 === 0 ? -1.2 : 1)));
    expect(await minimise(search, rosenbrock, 1e-9)).toBe("converged");
    // a chain of them has another, local minimum near −1 in the first coordinate
    if (Math.abs(search.w[0] - 1) < 0.5) for (const v of search.w) expect(Math.abs(v - 1)).toBeLessThan(1e-6);
    expect(n > 3 || Math.abs(search.w[0] - 1) < 1e-6).toBe(true);
    expect(search.evaluations).toBeLessThan(20 * n + 60);
  });

  // SciPy's L-BFGS-B takes 646 iterations at 10^4 and 6,327 at 10^6; with 40 pairs 197, and 301 at 10^8
  test.each([
    [1e2, 10, 100],
    [1e4, 10, 700],
    [1e6, 10, 6500],
    [1e6, 40, 230],
    [1e8, 40, 350],
  ])("a quadratic of condition %d, %i pairs", async (condition, memory, most) => {
    const curvatures = Float64Array.from({ length: 20 }, (_, k) => condition ** (k / 19));
    const search = new Lbfgs(start(20, 50), { memory });
    expect(await minimise(search, quadratic(curvatures), 1e-6, most)).toBe("converged");
    search.w.forEach((v, k) => {
      expect(Math.abs(v - k) * curvatures[k]).toBeLessThanOrEqual(1e-6);
    });
  });

  test("a diagonal that is the inverse Hessian's needs a few steps where none needs hundreds", async () => {
    const curvatures = Float64Array.from({ length: 50 }, (_, k) => 10 ** (k / 12));
    const steps = async (options: LbfgsOptions): Promise<number> => {
      const search = new Lbfgs(start(50, 50), options);
      expect(await minimise(search, quadratic(curvatures), 1e-6)).toBe("converged");
      return search.iteration;
    };
    expect(await steps({ scale: curvatures.map((c) => 3 / c) })).toBeLessThanOrEqual(3);
    expect(await steps({})).toBeGreaterThan(200);
  });

  test("the logits of a constant feature are the logarithms of the frequencies", async () => {
    const counts = [1, 10, 100, 1000];
    const total = counts.reduce((a, b) => a + b);
    const objective: Plain = (w) => {
      const s = w.reduce((sum, v) => sum + Math.exp(v), 0);
      return {
        value: Math.log(s) - counts.reduce((sum, n, c) => sum + n * w[c], 0) / total,
        gradient: w.map((v, c) => Math.exp(v) / s - counts[c] / total),
      };
    };
    const search = new Lbfgs(start(4));
    expect(await minimise(search, objective, 1e-13)).toBe("converged");
    counts.forEach((n, c) => {
      expect(search.w[c] - search.w[0]).toBeCloseTo(Math.log(n), 9);
    });
  });

  test("logistic regression: the gradient vanishes, at 1.1 evaluations an iteration", async () => {
    let iterations = 0;
    let evaluations = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const [inputs, classes, ridge] = [2 + seed, 2 + (seed % 4), 10 ** -(1 + (seed % 4))];
      const objective = logistic(100, inputs, classes, ridge, seed);
      const search = new Lbfgs(start(inputs * classes));
      expect(await minimise(search, objective, 1e-11)).toBe("converged");
      // the objective is strongly convex: value − optimum ≤ ‖g‖² / (2·ridge); any nearby point is above
      const random = rng(seed, 4);
      for (let n = 0; n < 5; n++) {
        const other = search.w.map((v) => v + 1e-3 * (random.uniform() - 0.5));
        const rise = objective(other).value - search.value;
        const distance = other.reduce((sum, v, k) => sum + (v - search.w[k]) ** 2, 0);
        expect(rise).toBeGreaterThan(0.4 * ridge * distance);
      }
      iterations += search.iteration;
      evaluations += search.evaluations;
    }
    expect(evaluations / iterations).toBeLessThan(1.12);
  });
});

describe("the line search", () => {
  const cases: [string, Plain, Float64Array][] = [
    ["rosenbrock", rosenbrock, start(10, -1)],
    ["quadratic", quadratic(Float64Array.of(1, 100, 1e4, 1e6)), start(4, -3)],
    ["logistic", logistic(60, 5, 3, 1e-3, 5), start(15)],
    ["logistic, started far away", logistic(60, 5, 3, 1e-3, 5), start(15).map((_, k) => 50 * (k % 7) - 100)],
    [
      "quartic valleys of a cosine",
      (w) => ({
        value: w.reduce((sum, v) => sum + v ** 4 / 50 + Math.cos(5 * v), 0),
        gradient: w.map((v) => (4 * v ** 3) / 50 - 5 * Math.sin(5 * v)),
      }),
      Float64Array.of(3, -2, 1, 0.1),
    ],
  ];

  test.each(cases)("every step meets the strong Wolfe conditions: %s", async (_, objective, from) => {
    const search = new Lbfgs(from);
    await search.start(objective);
    for (let n = 0; n < 30 && search.gradientNorm > 1e-5; n++) {
      const before = search.save();
      expect(await search.step(objective)).toBe("moved");
      const step = search.w.map((v, k) => v - before.w[k]);
      const slope = dot(step, before.gradient);
      const rounding = 1e-15 * Math.abs(before.value);
      expect(slope).toBeLessThan(0);
      expect(search.value - before.value).toBeLessThanOrEqual(DECREASE * slope + rounding);
      expect(Math.abs(dot(step, search.gradient))).toBeLessThanOrEqual(CURVATURE * -slope * (1 + 1e-9));
      expect(search.value).toBe(objective(search.w).value);
      expect(search.gradient).toEqual(objective(search.w).gradient);
    }
  });

  test("a search among valleys ends in the conditions, or finds no end", async () => {
    const random = rng(9);
    const kinds = new Map<string, number>();
    for (let n = 0; n < 3000; n++) {
      const [bend, depth, pace] = [random.uniform() / 10, random.uniform(), 1 + 9 * random.uniform()];
      // −a + bend·a²/2 + depth·(1 − cos pace·a)
      const at = (length: number) => ({
        length,
        value: -length + (bend * length * length) / 2 + depth * (1 - Math.cos(pace * length)),
        slope: -1 + bend * length + depth * pace * Math.sin(pace * length),
      });
      let trials = 0;
      const found = await searchLine(at(0), 10 ** (6 * random.uniform() - 3), async (length) => {
        trials++;
        return at(length);
      });
      expect(trials).toBeLessThanOrEqual(TRIALS);
      kinds.set(found.kind, (kinds.get(found.kind) ?? 0) + 1);
      if (found.kind !== "wolfe") continue;
      expect(found.point.value).toBeLessThanOrEqual(-DECREASE * found.point.length);
      expect(Math.abs(found.point.slope)).toBeLessThanOrEqual(CURVATURE);
    }
    expect([...kinds]).toEqual([["wolfe", 3000]]);
  });

  test("at the rounding noise of the value slopes decide, then the run stalls at a flat point", async () => {
    for (const size of [NOISE / 4, 1e-13, 2 ** -52]) {
      const random = rng(7);
      const plain = logistic(60, 5, 3, 1e-3, 5);
      let calls = 0;
      const noisy: Plain = (w) => {
        calls++;
        const { value, gradient } = plain(w);
        return { value: value * (1 + 2 * size * (random.uniform() - 0.5)), gradient };
      };
      const search = new Lbfgs(start(15));
      expect(await minimise(search, noisy, 0, 1000)).toBe("stalled");
      expect(search.gradientNorm).toBeLessThan(1e-8);
      expect(search.evaluations).toBe(calls);
      expect(calls).toBeLessThan(600);
    }
  });

  test("gradients of nothing but noise end", async () => {
    const random = rng(8);
    const flat: Plain = (w) => ({ value: 1, gradient: w.map(() => random.uniform() - 0.5) });
    const search = new Lbfgs(start(50));
    expect(await minimise(search, flat, 0, 1000)).toBe("stalled");
    expect(search.evaluations).toBeLessThan(500);
  });

  test("NaN and ∞ beyond the end of the domain shorten the step", async () => {
    // Σ −log w − log(1 − w) + w/10, NaN below 0 and above 1, ∞ at the ends
    const barrier: Plain = (w) => ({
      value: w.reduce((sum, v) => sum - Math.log(v) - Math.log(1 - v) + v / 10, 0),
      gradient: w.map((v) => -1 / v + 1 / (1 - v) + 0.1),
    });
    const far = new Lbfgs(Float64Array.of(0.999999, 0.3, 1e-9));
    expect(await minimise(far, barrier, 1e-9)).toBe("converged");
    for (const v of far.w) expect(Math.abs(barrier(Float64Array.of(v)).gradient[0])).toBeLessThan(1e-9);
    expect(far.evaluations).toBeLessThan(120);

    // a domain 10^9 times as narrow as the first step
    const slit: Plain = (w) => {
      const { value, gradient } = barrier(w.map((v) => v * 1e9));
      return { value, gradient: gradient.map((g) => g * 1e9) };
    };
    const narrow = new Lbfgs(Float64Array.of(1e-10));
    expect(await minimise(narrow, slit, 1)).toBe("converged");

    // a finite value beside gradients that are not
    const cliff: Plain = ([v]) => ({ value: (v - 1) ** 2, gradient: Float64Array.of(v > 1.5 ? NaN : 2 * (v - 1)) });
    const near = new Lbfgs(Float64Array.of(-20));
    expect(await minimise(near, cliff, 1e-9)).toBe("converged");
    expect(near.w[0]).toBeCloseTo(1, 9);
  });

  test("a function without end", async () => {
    const line: Plain = (w) => ({ value: w.reduce((sum, v) => sum + v, 0), gradient: start(w.length, 1) });
    const search = new Lbfgs(start(3, 5));
    expect(await minimise(search, line, 1e-6)).toBe("unbounded");
    expect([...search.w]).toEqual([5, 5, 5]);
    expect(search.evaluations).toBe(1 + TRIALS);

    const pit: Plain = ([v]) => ({ value: v > 1 ? -Infinity : -v, gradient: Float64Array.of(-1) });
    const deep = new Lbfgs(start(1));
    expect(await minimise(deep, pit, 1e-6)).toBe("unbounded");
    expect(deep.value).toBe(-0);
  });

  test("a kink: the lowest point is kept, its pair is not, and the run stalls", async () => {
    const kink: Plain = ([v]) => ({ value: Math.abs(v - 0.3), gradient: Float64Array.of(v < 0.3 ? -1 : 1) });
    const search = new Lbfgs(start(1));
    let steps = 0;
    for (; (await search.step(kink)) === "moved"; steps++) {
      const { s, y } = search.save();
      s.forEach((step, n) => {
        expect(step[0] * y[n][0]).toBeGreaterThan(0);
      });
    }
    expect(steps).toBeGreaterThan(0);
    expect(Math.abs(search.w[0] - 0.3)).toBeLessThan(1e-3);
    expect(search.evaluations).toBeLessThan(10 * TRIALS);
  });

  test("nowhere to go", async () => {
    const search = new Lbfgs(start(2, 1));
    expect(await search.step((w) => ({ value: 3, gradient: start(w.length) }))).toBe("stalled");
    expect(search.evaluations).toBe(1);
    for (const value of [NaN, Infinity]) {
      const bad = new Lbfgs(start(2));
      expect(await bad.step(() => ({ value, gradient: start(2, 1) }))).toBe("stalled");
      expect(await bad.step(() => ({ value: 1, gradient: start(2, NaN) }))).toBe("stalled");
    }
    const lost = new Lbfgs(start(2));
    await lost.start(() => ({ value: 1, gradient: Float64Array.of(1, NaN) }));
    expect(lost.gradientNorm).toBe(NaN);
    expect(await lost.step(rosenbrock)).toBe("stalled");
    // a gradient that points the wrong way
    const wrong = new Lbfgs(start(2, 1));
    expect(await wrong.step((w) => ({ value: dot(w, w), gradient: w.map((v) => -v) }))).toBe("stalled");
    expect([...wrong.w]).toEqual([1, 1]);
  });
});

describe("a run", () => {
  test("calls the objective once for each point, and once a point that it accepts", async () => {
    const seen = new Set<string>();
    let calls = 0;
    const search = new Lbfgs(start(15));
    await minimise(
      search,
      (w) => {
        calls++;
        seen.add(w.join());
        return logistic(60, 5, 3, 1e-3, 5)(w);
      },
      1e-8,
    );
    expect(seen.size).toBe(calls);
    expect(search.evaluations).toBe(calls);
  });

  test("goes on from any saved state with the same bits", async () => {
    const scale = Float64Array.from({ length: 15 }, (_, k) => 1 + (k % 3));
    for (const [objective, tolerance] of [
      [logistic(60, 5, 3, 1e-3, 5), 1e-9],
      [rosenbrock, 1e-9],
      [logistic(60, 5, 3, 1e-3, 5), 0],
    ] as const) {
      const whole = new Lbfgs(start(15, -0.5), { memory: 4, scale });
      const states: LbfgsState[] = [whole.save()];
      await whole.start(objective);
      states.push(whole.save());
      while (states.length < 1000 && whole.gradientNorm > tolerance && (await whole.step(objective)) === "moved")
        states.push(whole.save());
      const end = whole.save();
      expect(states.length).toBeGreaterThan(20);
      for (const state of states) {
        const resumed = new Lbfgs(state, { memory: 4, scale });
        await minimise(resumed, objective, tolerance);
        expect(resumed.save()).toEqual(end);
      }
    }
  });

  test("a saved state is a copy, both ways", async () => {
    const search = new Lbfgs(start(4, -1));
    for (let n = 0; n < 3; n++) await search.step(rosenbrock);
    const state = search.save();
    const same = structuredClone(state);
    const other = new Lbfgs(state);
    for (const array of [state.w, state.gradient, ...state.s, ...state.y]) array.fill(7);
    expect(search.save()).toEqual(same);
    expect(other.save()).toEqual(same);
    expect(state.s).toHaveLength(3);
  });

  test("the start, the scale and the objective's gradient may be written to afterwards", async () => {
    const from = start(6, -1);
    const scale = start(6, 2);
    const shared = start(6);
    const search = new Lbfgs(from, { scale });
    const plain = new Lbfgs(from.slice(), { scale: scale.slice() });
    from.fill(9);
    scale.fill(9);
    const reusing: Plain = (w) => {
      const { value, gradient } = rosenbrock(w);
      shared.set(gradient);
      return { value, gradient: shared };
    };
    expect(await minimise(search, reusing, 1e-9)).toBe("converged");
    await minimise(plain, async (w) => rosenbrock(w), 1e-9);
    expect(search.save()).toEqual(plain.save());
  });

  test("an objective that throws leaves the state before the step", async () => {
    const search = new Lbfgs(start(4, -1));
    for (let n = 0; n < 3; n++) await search.step(rosenbrock);
    const before = search.save();
    await expect(search.step(() => Promise.reject(new Error("stop")))).rejects.toThrow("stop");
    expect(search.save()).toEqual(before);
  });

  test("keeps `memory` pairs", async () => {
    const search = new Lbfgs(start(10, -1), { memory: 3 });
    for (let n = 0; n < 7; n++) await search.step(rosenbrock);
    expect(search.save().s).toHaveLength(3);
    expect(search.save().y).toHaveLength(3);
  });

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])("%i parameters", async (n) => {
    const search = new Lbfgs(start(n, 50));
    expect(await minimise(search, quadratic(start(n, 2).map((c, k) => c + k)), 1e-8)).toBe("converged");
    search.w.forEach((v, k) => {
      expect(v).toBeCloseTo(k, 7);
    });
  });
});
