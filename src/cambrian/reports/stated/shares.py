"""Shares with their intervals."""

from __future__ import annotations

import math

Z = 1.959963984540054
"""The normal quantile of 97.5 %."""


def share_of(made: int, count: int) -> dict[str, float]:
    """A share with its 95 % interval, Wilson's (1927, "Probable inference, the law of succession,
    and statistical inference")."""
    share, square = made / count, Z * Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    half /= 1 + square / count
    lower, upper = max(0.0, middle - half), min(1.0, middle + half)
    return {"share": share, "lower": lower, "upper": upper}
