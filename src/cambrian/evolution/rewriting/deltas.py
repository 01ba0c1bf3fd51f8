"""What was tried, as a ledger of semantic deltas: what changed, why, and the measured paired gain.

Others report a third fewer tokens and better results with such lines than with whole programs. All
of it is as decided through a proposal, and of the search's streams alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Row
from cambrian.archive.tables.clades import RUNS_OF_SUITE
from cambrian.evolution.siblings import Changes, changes_of, only_in

LOOKED_AT = 400
"""Decided proposals that are looked at, the latest ones."""
SIBLINGS = 12
"""Children of one parent that are held against each other, the latest ones."""
MAX_WHY, MAX_WHAT = 240, 200

_TRIED = f"""
SELECT p.idx, p.title, p.hypothesis, p.state, p.operation, p.agent_id, a.kind,
       json_extract(p.parents, '$[0]') AS parent,
       ifnull(g.value, s.value) AS gain, g.lower, g.upper
FROM proposals p
LEFT JOIN agents a ON a.id = p.agent_id AND a.proposal_id = p.id
LEFT JOIN gate_rows g ON g.proposal_id = p.id AND g.gate = 'not_worse'
LEFT JOIN gate_rows s ON s.proposal_id = p.id AND s.gate = 'screen'
WHERE p.idx <= :through AND p.run_id IN ({RUNS_OF_SUITE})
  AND p.state IN ('admitted', 'rejected', 'failed_smoke')
ORDER BY p.idx DESC LIMIT :last
"""  # noqa: S608 -- of constants; values are parameters


class Ledger:
    """The latest decided proposals, as one of them sees them."""

    def __init__(self, archive: Archive, through: int) -> None:
        given = {"through": through, "last": LOOKED_AT}
        self._archive = archive
        self._rows = archive.database.rows(_TRIED, given)

    def of(self, parents: Sequence[str], last: int) -> list[dict[str, Any]]:
        """What was tried on these agents, the latest first."""
        rows = [row for row in self._rows if row["parent"] in parents]
        return [_line(row) for row in rows[:last]]

    def elsewhere(self, parents: Sequence[str], last: int) -> list[dict[str, Any]]:
        """What was tried on others, that which moved the score most first."""
        rows = [row for row in self._rows if row["parent"] not in parents and row["gain"]]
        rows.sort(key=lambda row: (-abs(row["gain"]), row["idx"]))
        return [_line(row) for row in rows[:last]]

    def contributions(self, code: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        """What each part of some code was measured to be worth: the paired gains of putting it in,
        and of taking it out with the other sign, where nothing else was changed; and how much more
        one of two siblings gained that differ in this part alone (`evolution.siblings`)."""
        found: dict[str, list[float]] = {}
        for name, gain in self._ablations():
            if f"parts/{name}.py" in code:
                found.setdefault(name, []).append(gain)
        for row in self._rows:
            kind, name = _single(row["operation"])
            if row["gain"] is not None and f"parts/{name}.py" in code:
                found.setdefault(name, []).append(row["gain"] * (-1 if kind == "remove" else 1))
        means = {
            name: {"worth": round(float(np.mean(gains)), 4), "pairs": len(gains)}
            for name, gains in found.items()
        }
        return dict(sorted(means.items(), key=lambda item: (-abs(item[1]["worth"]), item[0])))

    def _ablations(self) -> Iterator[tuple[str, float]]:
        """Parts by name, and how much more the sibling that has it gained."""
        groups: dict[str, list[tuple[Row, Changes]]] = {}
        for row in self._rows:
            group = groups.setdefault(row["parent"], [])
            if row["gain"] is not None and len(group) < SIBLINGS:
                files = {} if row["operation"] else self._archive.agents.files(row["agent_id"])
                group.append((row, changes_of(row["operation"], files)))
        for group in groups.values():
            for (one, with_it), (other, without) in permutations(group, 2):
                if name := only_in(with_it, without):
                    yield name, one["gain"] - other["gain"]


def _line(row: Row) -> dict[str, Any]:
    """One try; the gain is over its parent on the same streams, with its interval where it got as
    far as the full stage."""
    numbers = {name: row[name] for name in ("gain", "lower", "upper")}
    return {
        "what": (row["title"] or "?")[:MAX_WHAT],
        "why": " ".join((row["hypothesis"] or "").split())[:MAX_WHY],
        **{name: None if one is None else round(one, 4) for name, one in numbers.items()},
        "outcome": row["kind"] or row["state"],
    }


def _single(operation: str | None) -> tuple[str, str]:
    """The kind and mechanism of an operation that put in or took out one part and did no more."""
    given = json.loads(operation) if operation else None
    if not isinstance(given, dict):
        return "", ""
    chain = given.get("chain", [given])
    if len(chain) != 1 or not isinstance(chain[0], dict) or chain[0].get("removed"):
        return "", ""
    kind = chain[0].get("kind")
    return (kind, str(chain[0].get("mechanism"))) if kind in ("graft", "remove") else ("", "")
