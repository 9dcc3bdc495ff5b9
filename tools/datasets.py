"""Makes data/{digits,iris,wine,breast_cancer}.parquet and packages/napier/test/sklearn/*.json: scikit-learn's datasets, and the
optimum of its LogisticRegression on each under several options. `python3 tools/datasets.py`, where scikit-learn 1.9.1 and duckdb 1.5.6 are.

An optimum is scikit-learn's own (newton-cholesky, tol 1e-10, f64), then Newton steps with gradients in extended precision until the
largest entry of the gradient is under 1e-12. objective = Σ w·NLL / Σ w + ‖coef‖² / (2·C·Σ w), the intercept free; two classes have one
row, as in scikit-learn. `close` holds the rows whose two largest logits are within 1e-3 of each other, and by how much."""
import json
import pathlib

import duckdb
import numpy as np
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

ROOT = pathlib.Path(__file__).parents[1]
VECTORS = ROOT / "packages/napier/test/sklearn"
CASES = [
    {"scale": scale, "C": C, "classWeight": None, "weighted": False} for scale in ("none", "standard") for C in (1, 0.01)
] + [
    {"scale": "standard", "C": 1, "classWeight": classes, "weighted": weighted}
    for classes, weighted in (("balanced", False), (None, True), ("balanced", True), ("given", True))
]


def load(name):
    """Features as f32, their names, labels."""
    bunch = getattr(datasets, f"load_{name}")()
    y = bunch.target if name == "digits" else bunch.target_names[bunch.target]
    return bunch.data.astype(np.float32), [str(n) for n in bunch.feature_names], y


def write_parquet(path, x, names, y):
    columns = {f"c{j}": np.ascontiguousarray(x[:, j]) for j in range(x.shape[1])}
    columns["y"] = y.astype(np.uint8) if y.dtype.kind == "i" else y.astype(object)
    listed = [f'c{j} AS "{name}"' for j, name in enumerate(names)] + ["y AS label"]
    path.parent.mkdir(exist_ok=True)
    with duckdb.connect() as db:
        db.register("rows", columns)
        db.execute("SET threads = 1")
        db.execute(f"COPY (SELECT {', '.join(listed)} FROM rows) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


def standardised(x):
    """As packages/napier/src/train/scale.ts: sums in row order in f64, centre and factor rounded to f32, then f32 arithmetic."""
    wide = x.astype(np.float64)
    mean = np.cumsum(wide, axis=0)[-1] / len(x)
    deviation = np.sqrt(np.cumsum((wide - mean) ** 2, axis=0)[-1] / len(x))
    factor = np.ones(x.shape[1], np.float32)
    spread = deviation > 0
    factor[spread] = (1 / deviation[spread]).astype(np.float32)
    return (x - mean.astype(np.float32)) * factor


def row_weights(rows):
    """The two highest bits of i·2654435761 mod 2^32: 0 to 3."""
    return (np.arange(rows, dtype=np.uint64) * 2654435761 % 2**32 // 2**30).astype(np.float64)


def derivatives(x, y, weight, C, theta):
    """Objective, gradient (extended precision) and Hessian (f64) at theta, [rows of W, features + 1], the intercepts last."""
    total = weight.sum()
    wide, params = x.astype(np.longdouble), theta.astype(np.longdouble)
    z = wide @ params[:, :-1].T + params[:, -1]
    logits = np.hstack([np.zeros_like(z), z]) if len(theta) == 1 else z
    shifted = logits - logits.max(axis=1, keepdims=True)
    lse = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    p = np.exp(shifted - lse)
    share = weight.astype(np.longdouble) / total
    penalty = 1 / (np.longdouble(C) * total)
    nll = (lse - shifted)[np.arange(len(y)), y]
    objective = (share * nll).sum() + penalty / 2 * (params[:, :-1] ** 2).sum()
    d = p.copy()
    d[np.arange(len(y)), y] -= 1
    d, p = (d[:, 1:], p[:, 1:]) if len(theta) == 1 else (d, p)
    d *= share[:, None]
    gradient = np.hstack([d.T @ wide + penalty * params[:, :-1], d.sum(axis=0)[:, None]])

    augmented = np.hstack([x.astype(np.float64), np.ones((len(x), 1))])
    k, f = theta.shape[0], augmented.shape[1]
    p, share = p.astype(np.float64), share.astype(np.float64)
    hessian = np.zeros((k, f, k, f))
    for a in range(k):
        for b in range(a + 1):
            curve = share * p[:, a] * ((a == b) - p[:, b])
            hessian[a, :, b] = hessian[b, :, a] = augmented.T @ (curve[:, None] * augmented)
        hessian[a, np.arange(f - 1), a, np.arange(f - 1)] += float(penalty)
    if k > 1:
        hessian[:, -1, :, -1] += 1 / k  # intercepts sum to 0: a shift of all of them changes nothing
    return objective, gradient, hessian.reshape(k * f, k * f), logits


def optimum(x, y, weight, C, theta):
    """Newton's steps from theta until the gradient vanishes: theta stays in extended precision, the Hessian need not be exact."""
    objective, gradient, hessian, logits = derivatives(x, y, weight, C, theta)
    for _ in range(50):
        if np.abs(gradient).max() < 1e-15:
            break
        scale = 1 / np.sqrt(np.diag(hessian))  # raw features differ by 10^5
        direction = scale * np.linalg.solve(hessian * np.outer(scale, scale), scale * gradient.ravel().astype(np.float64))
        theta = theta - direction.reshape(theta.shape)
        objective, gradient, hessian, logits = derivatives(x, y, weight, C, theta)
    assert np.abs(gradient).max() < 1e-12, np.abs(gradient).max()
    return objective, theta.astype(np.float64), np.abs(gradient).max(), logits


def solve(x, labels, classes, case):
    y = np.searchsorted(classes, labels)
    weight = row_weights(len(y)) if case["weighted"] else np.ones(len(y))
    class_weight = case["classWeight"]
    if class_weight == "given":
        class_weight = {c.item(): 0.5 + j for j, c in enumerate(classes)}
    model = LogisticRegression(C=case["C"], solver="newton-cholesky", tol=1e-10, max_iter=10_000, class_weight=class_weight)
    features = (standardised(x) if case["scale"] == "standard" else x).astype(np.float64)
    model.fit(features, labels, sample_weight=weight)
    assert list(model.classes_) == list(classes)
    per_class = compute_class_weight(class_weight, classes=classes, y=labels, sample_weight=weight)
    start = np.hstack([model.coef_, model.intercept_[:, None]])
    start[:, -1] -= start[:, -1].mean() if len(start) > 1 else 0
    theirs = derivatives(features, y, weight * per_class[y], case["C"], start)[0]
    objective, theta, gradient, logits = optimum(features, y, weight * per_class[y], case["C"], start)
    assert 0 <= theirs - objective + 1e-17 < 1e-10 * objective, (theirs, objective)
    predicted = logits.argmax(axis=1)
    assert (classes[predicted] == model.predict(features)).all()
    top = np.sort(logits, axis=1)[:, -2:]
    margin = (top[:, 1] - top[:, 0]).astype(np.float64)
    return {
        **case,
        "classWeight": class_weight,
        "objective": float(objective),
        "gradient": float(gradient),
        "coef": theta[:, :-1].tolist(),
        "intercept": theta[:, -1].tolist(),
        "predictions": "".join(map(str, predicted)),
        "close": {str(i): margin[i] for i in np.flatnonzero(margin < 1e-3)},
        "margin": margin.min(),
    }


for name in ("digits", "iris", "wine", "breast_cancer"):
    x, names, labels = load(name)
    classes = np.unique(labels)
    write_parquet(ROOT / f"data/{name}.parquet", x, names, labels)
    lines = [json.dumps(solve(x, labels, classes, case)) for case in CASES]
    head = {"classes": classes.tolist(), "weights": "".join(f"{w:.0f}" for w in row_weights(len(x)))}
    text = f'{json.dumps(head)[:-1]}, "cases": [\n' + ",\n".join(lines) + "\n]}\n"
    VECTORS.mkdir(exist_ok=True)
    (VECTORS / f"{name}.json").write_text(text)
    for case in json.loads(text)["cases"]:
        print(name, *(case[key] for key in ("scale", "C", "weighted", "objective", "gradient", "margin")), len(case["close"]))
