"""What the archive has learned about mechanisms: which grafts paid, which were never tried.

Adaptive operator selection (Fialho et al. 2010, "Analyzing bandit-based adaptive operator
selection mechanisms"): a mechanism is picked with probability proportional to exp(u / T), where
u = mean gain + c/√(1 + tries) is an optimistic bound in the manner of UCB1 (Auer et al. 2002).
"""

from __future__ import annotations

import json
import math
from collections import defaultdict

from cambrian.archive import Archive

TEMPERATURE = 0.05
OPTIMISM = 0.1
FAILED = -0.1
"""The gain of a graft whose learner did not get through the screen's first run."""

_TRIED = """
SELECT p.operation, p.state, g.value FROM proposals p
LEFT JOIN gates g ON g.proposal_id = p.id AND g.gate = 'screen'
WHERE p.idx <= ? AND p.operation IS NOT NULL
  AND p.state IN ('admitted', 'rejected', 'failed_smoke')
"""


def gains(archive: Archive, through: int) -> dict[str, list[float]]:
    """For each mechanism that was grafted, the gains over the parent on the screen's seed,
    as decided through proposal `through`."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in archive.database.rows(_TRIED, (through,)):
        operation = json.loads(row["operation"])
        name = operation.get("mechanism") if isinstance(operation, dict) else None
        if name and operation.get("kind") != "remove":
            found[name].append(FAILED if row["value"] is None else float(row["value"]))
    return dict(found)


def weights(archive: Archive, through: int) -> dict[str, float]:
    """How likely each mechanism should be picked next; one never tried has that of no gain."""
    found = gains(archive, through)
    untried = math.exp(OPTIMISM / TEMPERATURE)
    return {name: _weight(values) / untried for name, values in sorted(found.items())}


def _weight(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.exp((mean + OPTIMISM / math.sqrt(1 + len(values))) / TEMPERATURE)
