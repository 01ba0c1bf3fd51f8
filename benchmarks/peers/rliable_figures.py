"""rliable's own figures of known scores, as JSON."""

import json
import platform
from importlib.metadata import version

import numpy as np
from rliable import library, metrics

SEED, REPEATS = 11, 20_000


def interval(scores, statistic):
    np.random.seed(SEED)  # rliable draws from numpy's global generator, whatever it is told
    _, found = library.get_interval_estimates({"x": scores}, statistic, reps=REPEATS)
    return np.ravel(found["x"]).tolist()


def main() -> None:
    rng = np.random.default_rng(SEED)
    cases = []
    for runs, others, tasks in ((5, 5, 3), (10, 7, 4), (3, 8, 1)):
        one = rng.normal(0.6, 0.3, (runs, tasks)).round(2)
        other = rng.normal(0.5, 0.3, (others, tasks)).round(2)
        cases.append(
            {
                "one": one.tolist(),
                "other": other.tolist(),
                "interquartile_mean": float(metrics.aggregate_iqm(one)),
                "optimality_gap": float(metrics.aggregate_optimality_gap(one)),
                "probability_of_improvement": float(metrics.probability_of_improvement(one, other)),
                "interquartile_mean_interval": interval(
                    one, lambda x: np.array([metrics.aggregate_iqm(x)])
                ),
                "probability_of_improvement_interval": interval(
                    [one, other], lambda x, y: np.array([metrics.probability_of_improvement(x, y)])
                ),
            }
        )
    source = f"rliable {version('rliable')}, arch {version('arch')}, Python "
    source += platform.python_version()
    print(json.dumps({"source": source, "program": "rliable_figures.py", "cases": cases}))


main()
