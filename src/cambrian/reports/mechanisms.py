"""How often each mechanism was put into a variant, and how often such a variant was admitted."""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.archive import Archive

_USES = """
SELECT json_extract(operation, '$.mechanism') AS name, count(*) AS proposed,
       sum(state = 'admitted') AS admitted
FROM proposals
WHERE json_extract(operation, '$.mechanism') IS NOT NULL
  AND json_extract(operation, '$.kind') <> 'remove'
GROUP BY name
"""


@dataclass(frozen=True)
class Uses:
    """What came of a mechanism in an archive.

    Attributes:
        proposed: variants that recombination put it into (grafts, swaps, transplants).
        admitted: those of them that are members of the tree.
    """

    proposed: int = 0
    admitted: int = 0


def uses(archive: Archive) -> dict[str, Uses]:
    """By the names of those mechanisms that were proposed at all."""
    return {
        row["name"]: Uses(row["proposed"], row["admitted"])
        for row in archive.database.rows(_USES, {})
    }
