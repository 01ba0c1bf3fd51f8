"""What improvers' edits came to: gain per proposal and per token, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.evolution.selection.improver_credit import Made


def improver_yields(archive: Archive, limit: int = 0) -> list[dict[str, Any]]:
    """The improvers that made something in the current suite, the most used first, as JSON: name
    (of a shipped one, else "" ), hash, whose rewrite it is, proposals, admitted, tokens, and the
    judged gain per proposal and per million tokens, each with its 95 % interval.

    A proposal that was not admitted counts with a gain of 0. The interval per proposal is
    Student's t (`statistics.intervals`); per token it is that of a ratio of means, by its
    linearised variance (Cochran 1977, "Sampling techniques", eq. 6.13). None where one proposal
    tells nothing of its spread.
    """
    from cambrian.evolution.selection.improver_credit import ImproverCredit

    credit = ImproverCredit(archive)
    credit.see(archive.counts()["proposals"])
    names, above = _shipped(), credit.above
    found = [
        {
            "name": names.get(one, ""),
            "hash": one,
            "above": above.get(one, ""),
            **_yield([made for _, made in sorted(proposals.items())]),
        }
        for one, proposals in credit.made.items()
    ]
    found.sort(key=lambda row: (-row["proposals"], row["hash"]))
    return found[: limit or None]


def _shipped() -> dict[str, str]:
    from cambrian.agents.improvers import IMPROVERS, load_improver
    from cambrian.agents.tree import IMPROVER, improver_hash

    return {improver_hash({IMPROVER: load_improver(name)}): name for name in IMPROVERS}


def _yield(made: Sequence[Made]) -> dict[str, Any]:
    from cambrian.evaluators.statistics.intervals import mean_interval

    gains = np.array([one.gain for one in made])
    tokens = np.array([one.tokens / 1e6 for one in made])
    each = mean_interval(gains.tolist())
    found: dict[str, Any] = {
        "proposals": len(made),
        "admitted": sum(one.state == "admitted" for one in made),
        "tokens": sum(one.tokens for one in made),
        "gain": each.mean,
        "lower": _finite(each.lower),
        "upper": _finite(each.upper),
        "per_million": None,
        "per_million_lower": None,
        "per_million_upper": None,
    }
    if tokens.sum() > 0:
        ratio = float(gains.sum() / tokens.sum())
        found["per_million"] = ratio
        if len(made) > 1:
            around = mean_interval((gains - ratio * tokens).tolist())
            reach = (around.upper - around.mean) / float(tokens.mean())
            found["per_million_lower"] = ratio - reach
            found["per_million_upper"] = ratio + reach
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
