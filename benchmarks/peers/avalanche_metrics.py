"""Avalanche's own BWT, forward transfer and "forgetting" of known matrices, as JSON."""

# ruff: isort: skip_file
# Avalanche cannot be imported before this.
from avalanche_import import avalanche

import json
import platform

import numpy as np
from avalanche.evaluation.metrics.forgetting_bwt import BWT, Forgetting
from avalanche.evaluation.metrics.forward_transfer import ForwardTransfer

TASKS, SEED = (2, 3, 4, 6), 7


def followed(metric, matrix):
    """The metric, told of each evaluation in the order in which a run would make them."""
    for row in range(len(matrix)):
        for task in range(row + 1):
            metric.update(task, matrix[row][task], initial=row == task)
    values = metric.result()
    return float(np.mean([values[task] for task in range(len(matrix) - 1)]))


def forward(matrix, untrained):
    metric = ForwardTransfer()
    for task, value in enumerate(untrained):
        metric.update(task, value, initial=True)
    for task in range(1, len(matrix)):
        metric.update(task, matrix[task - 1][task])
    return float(np.mean(list(metric.result().values())))


def main() -> None:
    rng = np.random.default_rng(SEED)
    cases = []
    for tasks in TASKS:
        matrix = rng.random((tasks, tasks)).round(3).tolist()
        untrained = rng.random(tasks).round(3).tolist()
        cases.append(
            {
                "matrix": matrix,
                "untrained": untrained,
                "backward_transfer": followed(BWT(), matrix),
                "forward_transfer": forward(matrix, untrained),
                "their_forgetting": followed(Forgetting(), matrix),
            }
        )
    source = f"avalanche-lib {avalanche.__version__}, Python {platform.python_version()}"
    print(json.dumps({"source": source, "program": "avalanche_metrics.py", "cases": cases}))


main()
