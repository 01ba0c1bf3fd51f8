"""Whether what a source says of its edits comes true: calibration, and drops in honesty.

A proposal states the gain that it expects and its confidence that there is one. The Brier score
(Brier 1950, "Verification of forecasts expressed in terms of probability") is the mean squared
difference of confidence and outcome, 0 at best; saying 0.5 always gives 0.25.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WINDOW = 20
"""The latest statements that are held against those before; as many have to be before."""
LEAST_DROP = 0.1
"""A smaller rise of what is claimed too much is none."""
ONE_IN_A_HUNDRED = 2.326
"""Standard errors: the normal quantile of 99 %, on one side."""


@dataclass(frozen=True)
class Record:
    """What was stated of an edit, and what came: its gain over the parent on the screen."""

    confidence: float
    predicted: float
    gain: float

    @property
    def came(self) -> bool:
        """Whether there was a gain."""
        return self.gain > 0

    @property
    def claimed_too_much(self) -> float:
        """The confidence beyond what came, from -1 to 1."""
        return self.confidence - self.came

    @property
    def squared(self) -> float:
        """Its part of the Brier score."""
        return self.claimed_too_much**2


def has_dropped(records: Mapping[int, Record]) -> bool:
    """Whether the latest statements claim more than came, by more than those before did.

    The latest `WINDOW` are held against all before, at least as many, by Welch's statistic, at
    one in a hundred on one side.

    Args:
        records: by proposal.
    """
    if len(records) < 2 * WINDOW:
        return False
    claims = [records[index].claimed_too_much for index in sorted(records)]
    before, latest = claims[:-WINDOW], claims[-WINDOW:]
    (first, first_error), (last, last_error) = _mean(before), _mean(latest)
    error = math.hypot(first_error, last_error)
    return last > 0 and last - first > max(LEAST_DROP, ONE_IN_A_HUNDRED * error)


def overclaims(records: Mapping[int, Record]) -> bool:
    """Whether a source's confidence is above what came, at one in a hundred on one side."""
    if len(records) < WINDOW:
        return False
    mean, error = _mean([record.claimed_too_much for record in records.values()])
    return mean > max(LEAST_DROP, ONE_IN_A_HUNDRED * error)


def _mean(values: Sequence[float]) -> tuple[float, float]:
    """The mean and its standard error."""
    mean = math.fsum(values) / len(values)
    spread = math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)
    return mean, math.sqrt(spread / len(values))
