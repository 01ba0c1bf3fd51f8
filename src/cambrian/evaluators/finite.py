"""What a benchmark makes of a learner's answers is numbers, or the learner has failed.

Answers are finite when they come; their squares and sums need not be. A score of NaN or a metric
without end would be believed, compared and stored by everybody after this place.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from cambrian.evaluators.benchmarks.base import Array, Outcome

MAX_NUMBER = float(np.finfo(np.float32).max)


class NotFinite(ArithmeticError):
    """A figure that is no finite number; the message names it."""


def finite(outcome: Outcome) -> Outcome:
    """The outcome, its figures plain floats, if all of them are finite.

    Entries of a matrix may be NaN: that was not measured. Curves and matrices are kept as float32,
    so they have to fit into that.

    Raises:
        NotFinite: one is not; TypeError, ValueError: one is no number.
    """
    _all_finite("curve", outcome.curves, missing=False)
    _all_finite("matrix", outcome.matrices, missing=True)
    return dataclasses.replace(
        outcome,
        raw=_number("the raw score", outcome.raw),
        metrics={str(name): _number(name, value) for name, value in outcome.metrics.items()},
    )


def _number(name: str, value: float) -> float:
    number = float(value)  # OverflowError for a whole number that is too big
    if not math.isfinite(number):
        raise NotFinite(f"{name} is {number}")
    return number


def _all_finite(sort: str, arrays: Mapping[str, Array], *, missing: bool) -> None:
    for name, array in arrays.items():
        values = np.asarray(array, dtype=np.float64)
        good = np.abs(values) <= MAX_NUMBER
        if missing:
            good |= np.isnan(values)
        if not good.all():
            raise NotFinite(f"the {sort} {name} holds {values[~good].flat[0]}")
