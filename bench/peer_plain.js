// The usual formula in plain JavaScript loops: what somebody without a library writes. Sums are f64, as all numbers are.

function maximum(x, from, to) {
  let m = -Infinity;
  for (let k = from; k < to; k++) if (x[k] > m) m = x[k];
  return m;
}

function logSumExp(x, out, rows, classes) {
  for (let i = 0; i < rows; i++) {
    const m = maximum(x, i * classes, (i + 1) * classes);
    let s = 0;
    for (let k = i * classes; k < (i + 1) * classes; k++) s += Math.exp(x[k] - m);
    out[i] = m + Math.log(s);
  }
  return out;
}

function logSoftmax(x, out, rows, classes) {
  for (let i = 0; i < rows; i++) {
    const m = maximum(x, i * classes, (i + 1) * classes);
    let s = 0;
    for (let k = i * classes; k < (i + 1) * classes; k++) s += Math.exp(x[k] - m);
    const lse = m + Math.log(s);
    for (let k = i * classes; k < (i + 1) * classes; k++) out[k] = x[k] - lse;
  }
  return out;
}

function softmax(x, out, rows, classes, scale = 1) {
  for (let i = 0; i < rows; i++) {
    const m = maximum(x, i * classes, (i + 1) * classes);
    let s = 0;
    for (let k = i * classes; k < (i + 1) * classes; k++) {
      const e = Math.exp(x[k] - m);
      out[k] = e;
      s += e;
    }
    const factor = scale / s;
    for (let k = i * classes; k < (i + 1) * classes; k++) out[k] *= factor;
  }
  return out;
}

function crossEntropyWithGrad(x, y, out, rows, classes) {
  softmax(x, out, rows, classes, 1 / rows);
  let loss = 0;
  for (let i = 0; i < rows; i++) {
    const k = i * classes + y[i];
    loss -= Math.log(out[k] * rows);
    out[k] -= 1 / rows;
  }
  return { loss: loss / rows, dlogits: out };
}

export const plain = {
  name: "plain JS",
  javaScript: true,
  version: "loops",
  prepare: (work, { x, y, out, rows, classes }) => {
    const lse = new Float32Array(rows);
    return {
      logSoftmax: () => logSoftmax(x, out, rows, classes),
      softmax: () => softmax(x, out, rows, classes),
      logSumExp: () => logSumExp(x, lse, rows, classes),
      crossEntropyWithGrad: () => crossEntropyWithGrad(x, y, out, rows, classes).dlogits,
    }[work];
  },
};
