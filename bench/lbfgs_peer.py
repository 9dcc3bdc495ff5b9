"""scikit-learn's LogisticRegression by lbfgs, as many threads as the environment allows: when it reached which objective."""
import time
import warnings

import numpy
import peer
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, _logistic

warnings.filterwarnings("ignore", category=ConvergenceWarning)
DATA = {}


def load(job):
    key = (job["x"], job["dtype"])
    if key not in DATA:
        DATA.clear()
        y = numpy.fromfile(job["y"], numpy.int32)
        DATA[key] = (numpy.fromfile(job["x"], numpy.float32).reshape(len(y), -1).astype(job["dtype"]), y)
    return DATA[key]


def fit(job):
    """Seconds from the call of fit to the end of each iteration, and the objectives then; stops at job's target, where it has one."""
    x, y = load(job)
    target = job.get("target", -numpy.inf)
    seconds, objectives = [], []

    def after_iteration(intermediate_result):
        seconds.append(time.perf_counter() - start)
        objectives.append(float(intermediate_result.fun))
        if objectives[-1] <= target:
            raise StopIteration

    minimize = _logistic.optimize.minimize
    _logistic.optimize.minimize = lambda *a, callback=None, **options: minimize(*a, callback=after_iteration, **options)
    try:
        start = time.perf_counter()
        LogisticRegression(max_iter=job["maxIterations"]).fit(x, y)
    finally:
        _logistic.optimize.minimize = minimize
    return {"seconds": seconds, "objectives": objectives}


peer.serve({"version": sklearn.__version__}, fit)
