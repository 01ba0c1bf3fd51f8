"""How often each mechanism was put into a variant, and how often such a variant was admitted."""

from __future__ import annotations

from dataclasses import dataclass

from cambrian.archive import Archive

_USES = """
SELECT json_extract(s.value, '$.mechanism') AS name, count(DISTINCT p.id) AS proposed,
       count(DISTINCT CASE p.state WHEN 'admitted' THEN p.id END) AS admitted
FROM proposals p, json_each(ifnull(json_extract(p.operation, '$.chain'),
                                   json_array(json(p.operation)))) s
WHERE p.operation IS NOT NULL AND json_extract(s.value, '$.mechanism') IS NOT NULL
  AND json_extract(s.value, '$.kind') <> 'remove'
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
