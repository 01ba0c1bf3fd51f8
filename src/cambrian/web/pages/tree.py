"""The tree: its members in columns, a page of a big one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.reports.scores.pairs import card
from cambrian.text import line

if TYPE_CHECKING:
    from cambrian.archive import Archive

MOST = 3000
"""Agents on the first view: the oldest, which are one connected tree, and the champion's line."""
BELOW = 500
"""Agents that come when a branch is opened."""
BEST = 12
TITLE = 70

COLUMNS = (
    *("number", "parent", "kind", "score", "lower", "upper", "used", "children", "proposal"),
    *("id", "title"),
)
KINDS = ("seed", "improvement", "stepping_stone", "rejected")

_NODES = """
SELECT n.number, n.parent, a.kind, a.score, a.lower, a.upper,
       (SELECT count(*) FROM nodes c WHERE c.parent = n.number AND (c.member OR :ghosts)),
       n.proposal_index,
       substr(a.id, 1, 10), substr(a.title, 1, 200)
FROM nodes n JOIN agents a ON a.number = n.number WHERE n.number IN ({which}) ORDER BY n.number
"""
_OLDEST = "SELECT number FROM nodes WHERE member OR :ghosts ORDER BY number LIMIT :limit"
_LINE = """
WITH RECURSIVE up (number) AS (
    SELECT :number UNION ALL
    SELECT n.parent FROM up JOIN nodes n ON n.number = up.number WHERE n.parent IS NOT NULL)
SELECT number FROM up
"""
_BELOW = """
WITH RECURSIVE below (number) AS (
    SELECT number FROM nodes WHERE parent = :number AND (member OR :ghosts)
    UNION ALL
    SELECT n.number FROM below JOIN nodes n ON n.parent = below.number
    WHERE n.member OR :ghosts LIMIT :limit)
SELECT number FROM below
"""


def read(archive: Archive, ask: Mapping[str, str]) -> dict[str, Any]:
    """The first view, the champion's line, and the best by lower bound.

    `nodes` are rows of `columns`: `kind` is the place in `kinds`, `used` says of a stepping stone
    that the champion descends from it, `children` counts those right below (rejected ones with
    `ghosts` only).
    """
    ghosts = ask.get("ghosts") == "1"
    champion = archive.champion()
    line_of = _numbers(archive, _LINE, {"number": champion.number}) if champion else []
    keys = {"ghosts": ghosts, "limit": MOST}
    wanted = {*_numbers(archive, _OLDEST, keys), *line_of}
    counts = archive.counts()
    if ask.get("as") == "html":
        wanted = set()  # the page itself asks for them, as JSON
    return {
        **_rows(archive, wanted, ghosts=ghosts),
        "champion": champion and champion.number,
        "line": line_of,
        "members": counts["members"],
        "rejected": counts["agents"] - counts["members"],
        "best": [card(a) for a in _best(archive)],
        "ghosts": ghosts,
    }


def branch(archive: Archive, ask: Mapping[str, str]) -> dict[str, Any]:
    """What lies below agent number `of`, the nearest first, or the line from a seed to agent `to`
    (any reference to it).

    Raises:
        UsageError: neither is given, or `of` is no number.
        NotFound: there is no such agent.
    """
    ghosts = ask.get("ghosts") == "1"
    if "to" in ask:
        found = archive.agents.get(archive.resolve(ask["to"]))
        numbers = [] if found.number is None else [found.number]
        wanted = _numbers(archive, _LINE, {"number": found.number}) if numbers else []
    else:
        given = ask.get("of", "")
        if not (given.isascii() and given.isdigit() and len(given) < 12):
            raise UsageError(f"expected the number of an agent as `of`, got {given[:40]!r}")
        keys = {"number": int(given), "ghosts": ghosts, "limit": BELOW}
        wanted = _numbers(archive, _BELOW, keys)
    champion = archive.champion()
    return {
        **_rows(archive, wanted, ghosts=ghosts),
        "champion": champion and champion.number,
        "line": [],
        "members": archive.counts()["members"],
        "rejected": 0,
        "best": [],
        "ghosts": ghosts,
    }


def _numbers(archive: Archive, query: str, keys: Mapping[str, Any]) -> list[int]:
    return [row["number"] for row in archive.database.rows(query, dict(keys))]


def _rows(archive: Archive, wanted: Sequence[int] | set[int], *, ghosts: bool) -> dict[str, Any]:
    """The agents of these numbers in columns, by number."""
    which = ", ".join(str(int(number)) for number in wanted)
    rows = archive.database.connection.execute(
        _NODES.format(which=which), {"ghosts": ghosts}
    ).fetchall()
    used = set(_numbers(archive, "SELECT number FROM stepping_stones WHERE used", {}))
    return {
        "columns": list(COLUMNS),
        "kinds": list(KINDS),
        "nodes": [_node(tuple(row), used) for row in rows],
    }


def _node(row: tuple[Any, ...], used: set[int]) -> list[Any]:
    number, parent, kind, score, lower, upper, children, proposal, agent_id, title = row
    place = KINDS.index(kind) if kind in KINDS else KINDS.index("rejected")
    scores = [None if value is None else round(value, 4) for value in (score, lower, upper)]
    shown = line(title)[:TITLE]
    return [number, parent, place, *scores, number in used, children, proposal, agent_id, shown]


def _best(archive: Archive) -> list[Any]:
    rows = archive.database.rows("SELECT id FROM leaderboard LIMIT ?", (BEST,))
    return [archive.agents.get(row["id"]) for row in rows]
