"""What the reference agents score on the families, and the weights that follow from it.

`measured/references.json` is written by `tools/families.py` and ships with the families.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

import numpy as np

from cambrian.evaluators.statistics.weights import capped_weights

LOWEST = -1.0
"""What a reference scores where it fails."""


@functools.cache
def table() -> dict[str, Any]:
    """By family and agent: scores by seed, processor seconds, or why it failed; and what of."""
    file = resources.files(__name__.rpartition(".")[0]).joinpath("measured/references.json")
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return found


def mean_scores(rows: dict[str, Any]) -> dict[str, float]:
    """Of each agent on one family, the mean over seeds; `LOWEST` where it failed."""
    return {
        agent: LOWEST if "failed" in row else float(np.mean(row["scores"]))
        for agent, row in rows.items()
    }


@functools.cache
def weights() -> dict[str, float]:
    """What each family that a search may draw counts for (`statistics.weights.capped_weights`);
    nothing where no reference was measured."""
    found = table().get("search", {})
    if not found:
        return {}
    agents = sorted(set.intersection(*(set(rows) for rows in found.values())))
    scores = [[mean_scores(rows)[agent] for rows in found.values()] for agent in agents]
    return dict(zip(found, np.round(capped_weights(scores), 2).tolist(), strict=True))
