"""What came of each mechanism, and how many proposals could not tell anything new.

The latter are tunes that moved no score, and changes that led to a structure made before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cambrian.archive import Archive
from cambrian.evolution.rewriting.knob_credit import NOTHING_MOVED

_USES = """
SELECT json_extract(s.value, '$.mechanism') AS name, count(DISTINCT p.id) AS proposed,
       count(DISTINCT CASE p.state WHEN 'admitted' THEN p.id END) AS admitted
FROM proposals p, json_each(ifnull(json_extract(p.operation, '$.chain'),
                                   json_array(json(p.operation)))) s
WHERE p.operation IS NOT NULL AND json_extract(s.value, '$.mechanism') IS NOT NULL
  AND json_extract(s.value, '$.kind') <> 'remove'
GROUP BY name
"""

_DECIDED = """
SELECT p.operation, p.state, json_extract(p.parents, '$[0]') AS parent, g.value,
       a.detail AS answers
FROM proposals p
LEFT JOIN gate_rows g ON g.proposal_id = p.id AND g.gate = 'screen'
LEFT JOIN gate_rows a ON a.proposal_id = p.id AND a.gate = 'answers' AND a.verdict = 'fail'
WHERE p.operation IS NOT NULL AND p.state IN ('admitted', 'rejected', 'failed_smoke', 'duplicate')
ORDER BY p.idx
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


@dataclass(frozen=True)
class Idle:
    """What proposals came to nothing, of those that recombination made and that were decided.

    Attributes:
        tunes: proposals that only tuned knobs and whose score is known.
        neutral_tunes: those of them whose learner scored on the screen as its parent did.
        changes: proposals that changed a structure.
        regrafts: those of them that led to a structure which an earlier proposal had made, or its
            parent had.
    """

    tunes: int
    neutral_tunes: int
    changes: int
    regrafts: int

    def to_json(self) -> dict[str, int]:
        """The counts by their names."""
        return dict(vars(self))

    def __str__(self) -> str:
        return (
            f"{_share(self.neutral_tunes, self.tunes)} tunes moved no score; "
            f"{_share(self.regrafts, self.changes)} changes of structure led to one made before"
        )


def idle(archive: Archive) -> Idle:
    """Counted over the whole archive; proposals of an older Cambrian, which kept no structures,
    count as tunes only."""
    tunes = neutral = changes = again = 0
    made: set[str] = set()
    for row in archive.database.rows(_DECIDED, {}):
        operation = json.loads(row["operation"])
        if not isinstance(operation, dict):
            continue
        before, after = _structure(operation.get("of")), _structure(operation.get("made"))
        if operation.get("kind") == "tune":
            same = row["answers"] is not None and row["parent"] in row["answers"]
            if same or row["value"] is not None:
                tunes += 1
                neutral += same or abs(row["value"]) <= NOTHING_MOVED
        elif before and after and before != after:
            changes += 1
            again += after in made
        made.update(name for name in (before, after) if name)
    return Idle(tunes, neutral, changes, again)


def _structure(told: object) -> str:
    name = told.get("structure") if isinstance(told, dict) else None
    return name if isinstance(name, str) else ""


def _share(count: int, of: int) -> str:
    return f"{count:,} of {of:,}" + (f" ({count / of:.0%})" if of else "")
