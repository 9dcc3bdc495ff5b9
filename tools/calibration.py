"""Makes packages/napier/test/sklearn/calibration.json: temperatures and calibration metrics of five sets of logits by mpmath, SciPy
and scikit-learn, in f64. python3 tools/calibration.py, where they are."""
import json
from pathlib import Path

import mpmath
import numpy as np
import scipy
import sklearn
from scipy.optimize import root_scalar
from scipy.special import log_softmax, softmax
from sklearn.calibration import _TemperatureScaling, calibration_curve
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

mpmath.mp.dps = 60
BINS = 10


def drawn(rng, rows, classes, temperature, scale):
    """Labels that logits / temperature are the truth for."""
    x = scale * rng.standard_normal((rows, classes))
    y = [rng.choice(classes, p=p) for p in softmax(x / temperature, axis=1)]
    return np.round(x, 6), np.array(y)


def digits():
    """A head trained on 300 images until it is far too sure, and 100 others."""
    x, y = load_digits(return_X_y=True)
    model = LogisticRegression(C=100, max_iter=10000).fit(x[:300] / 16, y[:300])
    return np.float32(model.decision_function(x[900:1000] / 16)).astype(float), y[900:1000]


def scipy_temperature(x, y, w):
    own = x[np.arange(len(y)), y][:, None]
    slope = lambda beta: np.sum(w * (softmax(beta * x, axis=1) * (x - own)).sum(1))
    return 1 / root_scalar(slope, bracket=(1e-5, 1e3), xtol=1e-15, rtol=1e-15, method="brentq").root


def exact_temperature(x, y, w, start):
    """The root of the derivative with 60 digits."""
    rows = [[mpmath.mpf(float(v)) for v in row] for row in x]
    own = [row[j] for row, j in zip(rows, y)]

    def slope(beta):
        total = mpmath.mpf(0)
        for row, z, weight in zip(rows, own, w):
            m = max(row)
            e = [mpmath.exp(beta * (v - m)) for v in row]
            total += mpmath.mpf(float(weight)) * sum(p * (v - z) for p, v in zip(e, row)) / sum(e)
        return total

    return float(1 / mpmath.findroot(slope, (mpmath.mpf(1) / start, mpmath.mpf(1.001) / start), tol=1e-40))


def report(x, y, w, temperature):
    classes = x.shape[1]
    p = softmax(x / temperature, axis=1)
    confidence, hit = p.max(1), p.argmax(1) == y
    # scikit-learn's log_loss, which is of probabilities and clips those near 0
    nll = -np.average(log_softmax(x / temperature, axis=1)[np.arange(len(y)), y], weights=w)
    if p.min() > 1e-12:
        assert abs(nll - log_loss(y, p, labels=range(classes), sample_weight=w)) < 1e-12
    labels = range(classes)
    brier = brier_score_loss(y, p if classes > 2 else p[:, 1], labels=labels, scale_by_half=False, sample_weight=w)
    result = {"temperature": temperature, "nll": nll, "brier": brier, "accuracy": np.average(hit, weights=w)}
    for strategy in ("uniform", "quantile"):
        accuracies, confidences = calibration_curve(hit, confidence, n_bins=BINS, strategy=strategy)
        # calibration_curve takes no weights and gives no counts: ECE by its bins
        edges = np.linspace(0, 1, BINS + 1)
        edges = edges if strategy == "uniform" else np.percentile(confidence, edges * 100)
        index = np.searchsorted(edges[1:-1], confidence)
        weights = np.bincount(index, w, BINS)
        gap = np.abs(np.bincount(index, w * hit, BINS) - np.bincount(index, w * confidence, BINS))
        counts = np.bincount(index, minlength=BINS)
        result[strategy] = {
            "accuracy": list(accuracies),
            "confidence": list(confidences),
            "count": [int(c) for c in counts[counts > 0]],
            "ece": gap.sum() / weights.sum(),
        }
    return result


def case(name, x, y, w=None):
    ones = np.ones(len(y)) if w is None else w
    temperature = scipy_temperature(x, y, ones)
    fitted = _TemperatureScaling().fit(x, y, sample_weight=w)
    return {
        "name": name,
        "classes": x.shape[1],
        "logits": list(x.flatten()),
        "targets": [int(j) for j in y],
        "weights": None if w is None else list(w),
        "exact": exact_temperature(x, y, ones, temperature),
        "scipy": temperature,
        "sklearn": float(1 / fitted.beta_),
        "bins": BINS,
        "before": report(x, y, ones, 1.0),
        "after": report(x, y, ones, temperature),
    }


def cases():
    rng = np.random.default_rng(1614)
    yield case("three classes, too sure", *drawn(rng, 150, 3, 2.5, 4))
    yield case("two classes, not sure enough", *drawn(rng, 120, 2, 0.4, 1))
    yield case("five classes, weights", *drawn(rng, 100, 5, 1.3, 3), np.round(rng.exponential(size=100), 4))
    yield case("logits of another scale", *drawn(rng, 80, 4, 700, 1000))
    yield case("digits", *digits())


by = f"scikit-learn {sklearn.__version__}, SciPy {scipy.__version__}, mpmath {mpmath.__version__}"
lines = ",\n".join("    " + json.dumps(c) for c in cases())
out = Path(__file__).parent.parent / "packages/napier/test/sklearn/calibration.json"
out.write_text(f'{{\n  "made": "by tools/calibration.py with {by}",\n  "cases": [\n{lines}\n  ]\n}}\n')
