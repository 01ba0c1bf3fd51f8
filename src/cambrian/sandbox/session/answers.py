"""Whether the values that a learner gave back are such as it was asked for.

Shape and type are known before an answer is read (`sandbox.runner.verbs`); this is the rest.
"""

from __future__ import annotations

import numpy as np

from cambrian.agents.spec import TaskSpec
from cambrian.sandbox.runner.frames import Array
from cambrian.sandbox.session.failures import LearnerFailed


def check(what: str, array: Array, spec: TaskSpec, rows: int = 0) -> None:
    """Look at an answer's values.

    Args:
        what: "scores", "actions", "indices" or "points".
        array: the answer, of the right shape and type.
        spec: of the stream.
        rows: how many inputs a query could choose among.

    Raises:
        LearnerFailed: "nonfinite", or "protocol" for actions or positions that do not exist.
    """
    said = "predictions" if what == "scores" else what
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise LearnerFailed("nonfinite", f"the {said} hold NaN or infinity")
    if what == "actions" and not spec.actions and np.abs(array).max(initial=0.0) > 1.0:
        worst = float(np.abs(array).max())
        raise LearnerFailed("protocol", f"expected actions from -1 to 1, got one of size {worst:g}")
    if what == "actions" and spec.actions:
        _within(array, spec.actions, "actions")
    if what == "indices":
        _within(array, rows, "positions in the pool")
        if len(np.unique(array)) < len(array):
            raise LearnerFailed("protocol", "expected different positions, got one twice")


def _within(array: Array, end: int, what: str) -> None:
    if len(array) and not 0 <= int(array.min()) <= int(array.max()) < end:
        got = f"{array.min()} to {array.max()}"
        raise LearnerFailed("protocol", f"expected {what} from 0 to {end - 1}, got {got}")
