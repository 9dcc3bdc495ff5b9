// Makes docs/accuracy.md: the largest error in ulps of every core operation, dtype and kind of row, Napier beside its
// peers, on the same inputs in one run. The truth is exact arithmetic (224 bits). PyTorch through $PYTHON or python3.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as napier from "napier";
import { logSumExpForm, softmax as naiveSoftmax } from "napier/naive";
import * as ort from "onnxruntime-node";
import { BOUNDS, CANCELLATION } from "../packages/napier/dist/bounds.js";
import { exact, sub, toF64 } from "../packages/napier/dist/exact.js";
import { crossEntropyGradRow, crossEntropyRow } from "../packages/napier/dist/kernels/crossentropy.ref.js";
import { logSumExpRow } from "../packages/napier/dist/kernels/logsumexp.ref.js";
import {
  logSoftmaxBackwardRow,
  logSoftmaxRow,
  softmaxBackwardRow,
  softmaxRow,
} from "../packages/napier/dist/kernels/softmax.ref.js";
import { ulpError, ulpOf } from "../packages/napier/dist/ulp.js";
import { normals, rounded, rowsByKind, typed } from "../tools/dist/hostile.js";
import { surface } from "./accuracy_surface.js";
import { operatorModel } from "./onnx_operator.js";
import { python } from "./peer_python.js";
import { openTfjs } from "./peer_tfjs.js";
import { transformersMaths } from "./peer_transformers.js";
import { short, show } from "./ulps.js";

const OPERATIONS = ["logSoftmax", "softmax", "logSumExp", "loss", "gradient", "logSoftmaxBackward", "softmaxBackward"];
const TITLES = {
  logSoftmax: "logSoftmax",
  softmax: "softmax",
  logSumExp: "logSumExp",
  loss: "crossEntropy, the target drawn from all classes and the winner in turn",
  gradient: "crossEntropyWithGrad's gradient, the target's entry included",
  logSoftmaxBackward: "logSoftmaxBackward of normal gradients and Napier's logSoftmax, in ulps of the largest term",
  softmaxBackward: "softmaxBackward of normal gradients and Napier's softmax, in ulps of the largest term",
};
const CANCELLING = ["log-probabilities", "cancelling"];
const BOUND_OF = { loss: "crossEntropy", logSoftmaxBackward: "backward", softmaxBackward: "backward" };

const tf = await openTfjs();
const transformers = await transformersMaths();
const sessions = {};
for (const dtype of ["f32", "f64"]) {
  for (const operator of ["LogSoftmax", "Softmax"]) {
    sessions[`${operator} ${dtype}`] = await ort.InferenceSession.create(operatorModel(operator, dtype), {
      intraOpNumThreads: 1,
    });
  }
}

async function onnx(operator, row, dtype) {
  const x = new ort.Tensor(dtype === "f32" ? "float32" : "float64", typed(row, dtype), [1, row.length]);
  return Array.from((await sessions[`${operator} ${dtype}`].run({ x })).y.data);
}

/** What each library answers for a row: arrays for logSoftmax, softmax and gradient, numbers for the rest. */
const LIBRARIES = {
  Napier: (row, y, dtype, g) => {
    const x = typed(row, dtype);
    const upstream = typed(g, dtype);
    const { loss, dlogits } = napier.crossEntropyWithGrad(x, y);
    return {
      logSoftmax: [...napier.logSoftmax(x)],
      softmax: [...napier.softmax(x)],
      logSumExp: napier.logSumExp(x),
      loss,
      gradient: [...dlogits],
      logSoftmaxBackward: [...napier.logSoftmaxBackward(upstream, napier.logSoftmax(x))],
      softmaxBackward: [...napier.softmaxBackward(upstream, napier.softmax(x))],
    };
  },
  "ONNX Runtime": async (row, _, dtype) => ({
    logSoftmax: await onnx("LogSoftmax", row, dtype),
    softmax: await onnx("Softmax", row, dtype),
  }),
  tfjs: (row, y, dtype) => {
    if (dtype === "f64") return {};
    return tf.tidy(() => {
      const x = tf.tensor(row, [1, row.length], "float32");
      const logSoftmax = [...tf.logSoftmax(x).dataSync()];
      return {
        logSoftmax,
        softmax: [...tf.softmax(x).dataSync()],
        logSumExp: tf.logSumExp(x).dataSync()[0],
        loss: -logSoftmax[y],
      };
    });
  },
  // f64 inside; of f32 logits its result is read as f32
  "transformers.js": (row, y, dtype) => {
    const round = dtype === "f32" ? Math.fround : (x) => x;
    const logSoftmax = transformers.log_softmax(row).map(round);
    return { logSoftmax, softmax: transformers.softmax(row).map(round), loss: -logSoftmax[y] };
  },
  "usual formula": (row, y, dtype) => {
    const { max, log, logSoftmax } = logSumExpForm(row, dtype);
    const round = dtype === "f32" ? Math.fround : (x) => x;
    const shifted = naiveSoftmax(
      row.map((x) => round(x - max)),
      dtype,
    ).softmax;
    return {
      logSoftmax,
      softmax: shifted,
      logSumExp: round(max + log),
      loss: -logSoftmax[y],
      gradient: shifted.map((p, j) => (j === y ? round(p - 1) : p)),
    };
  },
};

function pytorch(rows, targets, dtype, backward = []) {
  const { stdout, status } = spawnSync(python, [fileURLToPath(new URL("accuracy_peer.py", import.meta.url))], {
    input: JSON.stringify({ rows, targets, dtype, backward }).replaceAll("null", "-1e999"),
    maxBuffer: 1 << 30,
    encoding: "utf8",
  });
  if (status !== 0) return null;
  return JSON.parse(stdout.replaceAll("NaN", "null").replaceAll("-Infinity", "null").replaceAll("Infinity", "null"));
}

let page = `# Accuracy

Made by bench/accuracy.js (\`npm run build && cd bench && npm ci && node accuracy.js\`). Do not edit.

The largest error in ulps (units of the last place of the exact answer for that very input, in the dtype of the row), over every entry of every row of a kind. The truth is exact arithmetic in BigInt. "lost" means that a result which can be
represented came out as ±∞ or NaN. The kinds of rows are made by tools/hostile.ts, seeded; the bounds of Napier stand in packages/napier/src/bounds.ts.

`;

const versions = [
  `Node ${process.versions.node}`,
  `onnxruntime-node ${ort.env.versions.node ?? ""}`.trim(),
  `tfjs wasm ${tf.version_core}`,
];
const bodies = [];
let torchVersion;
for (const dtype of ["f32", "f64"]) {
  const gradient = normals(5);
  const cases = [...rowsByKind(dtype, 1)].map(({ kind, row }, i) => ({
    kind,
    row,
    y: i % 2 === 0 ? row.indexOf(Math.max(...row)) : i % row.length,
    g: rounded(
      row.map(() => gradient()),
      dtype,
    ),
  }));
  const saved = cases.map(({ row }) => ({
    logSoftmax: [...napier.logSoftmax(typed(row, dtype))],
    softmax: [...napier.softmax(typed(row, dtype))],
  }));
  const torch = pytorch(
    cases.map(({ row }) => row),
    cases.map(({ y }) => y),
    dtype,
    cases.map(({ g }, i) => ({ g, ...saved[i] })),
  );
  torchVersion ??= torch?.version;
  const columns = ["Napier", ...(torch ? ["PyTorch"] : []), ...Object.keys(LIBRARIES).slice(1)];
  const worst = {};
  for (let i = 0; i < cases.length; i++) {
    const { kind, row, y, g } = cases[i];
    const truth = {
      logSoftmax: logSoftmaxRow(row),
      softmax: softmaxRow(row),
      logSumExp: logSumExpRow(row),
      loss: crossEntropyRow(row, y),
      gradient: crossEntropyGradRow(row, y, 1),
      ...(saved[i].logSoftmax.some((v) => v < -3000)
        ? {}
        : { logSoftmaxBackward: logSoftmaxBackwardRow(g, saved[i].logSoftmax) }),
      softmaxBackward: softmaxBackwardRow(g, saved[i].softmax),
    };
    for (const column of columns) {
      const answers =
        column === "PyTorch"
          ? Object.fromEntries(OPERATIONS.map((operation) => [operation, torch[operation][i]]))
          : await LIBRARIES[column](row, y, dtype, g);
      for (const operation of OPERATIONS) {
        if (answers[operation] === undefined || truth[operation] === undefined) continue;
        const values = [answers[operation]].flat();
        const exacts = [truth[operation]].flat();
        worst[operation] ??= {};
        worst[operation][kind] ??= {};
        worst[operation][kind][column] ??= { ulps: 0, row };
        const cell = worst[operation][kind][column];
        values.forEach((value, j) => {
          let error = Infinity;
          if (value !== null && Number.isFinite(value) && operation.endsWith("Backward")) {
            const off = toF64(sub(exact(value), exacts[j].value));
            error = Math.abs(off) / toF64(ulpOf(exacts[j].largest, dtype));
          } else if (value !== null && !Number.isNaN(value)) {
            error = ulpError(value, exacts[j], dtype);
          }
          // where it cancels, log-sum-exp has a second bound, in parts of the maximum: the share of the looser one
          if (operation === "logSumExp" && CANCELLING.includes(kind)) {
            const off = Math.abs(toF64(sub(exact(value), exacts[j])));
            error = Math.min(error / BOUNDS.logSumExp[dtype], off / (CANCELLATION[dtype] * Math.abs(Math.max(...row))));
          }
          if (error > cell.ulps) Object.assign(cell, { ulps: error, row });
        });
      }
    }
  }
  for (const operation of OPERATIONS) {
    const bound = BOUNDS[BOUND_OF[operation] ?? operation][dtype];
    const used = columns.filter((column) => Object.values(worst[operation]).some((cells) => cells[column]));
    bodies.push(
      `## ${TITLES[operation]}, ${dtype} (bound: ${bound} ulp)\n\n| rows | ${used.join(" | ")} | Napier's worst row |\n|${"---|".repeat(used.length + 2)}\n${Object.entries(
        worst[operation],
      )
        .map(
          ([kind, cells]) =>
            `| ${kind}${operation === "logSumExp" && CANCELLING.includes(kind) ? " (share of the bound)" : ""} | ${used.map((column) => show(cells[column]?.ulps)).join(" | ")} | ${short(cells.Napier.row)} |`,
        )
        .join("\n")}\n`,
    );
  }
}

// The headline: the winner of 20,000 rows of 10 logits N(0, 8) in f32.
const normal = normals(8);
const rows = Array.from({ length: 20_000 }, () => Array.from({ length: 10 }, () => Math.fround(8 * normal())));
const winners = rows.map((row) => row.indexOf(Math.max(...row)));
const truths = rows.map((row, i) => logSoftmaxRow(row)[winners[i]]);
const torch = pytorch(rows, winners, "f32");
const answers = {
  Napier: [],
  ...(torch ? { PyTorch: [] } : {}),
  "ONNX Runtime": [],
  tfjs: [],
  "transformers.js": [],
  "usual formula": [],
};
for (let i = 0; i < rows.length; i++) {
  for (const column of Object.keys(answers)) {
    const { logSoftmax } =
      column === "PyTorch"
        ? { logSoftmax: torch.logSoftmax[i] }
        : await LIBRARIES[column](rows[i], winners[i], "f32", rows[i]);
    answers[column].push(logSoftmax[winners[i]]);
  }
}
const percent = (count) => `${((100 * count) / rows.length).toFixed(count > 0 && count < 200 ? 2 : 1)} %`;
const headline = Object.entries(answers).map(([column, values]) => {
  const off = values.filter((value, i) => ulpError(value, truths[i], "f32") > BOUNDS.logSoftmax.f32).length;
  const lost = values.filter((value, i) => value === 0 && Math.fround(toF64(truths[i])) !== 0).length;
  return `| ${column} | ${percent(off)} | ${percent(lost)} |`;
});
if (torchVersion) versions.splice(1, 0, `PyTorch ${torchVersion}`);
page += `Versions: ${versions.join(", ")}.

## The winning class: 20,000 rows of 10 logits N(0, 8), f32

| library | more than 2 ulp off | exactly 0 though representable |
|---|---|---|
${headline.join("\n")}

${bodies.join("\n")}
${surface()}`;
writeFileSync(new URL("../docs/accuracy.md", import.meta.url), page);
console.log(page);
process.exit(0);
