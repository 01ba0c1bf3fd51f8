"""Short names for agents, in the manner of git.

::

    reference = base suffix*
    base      = 4 or more leading hex digits of an id | "#12" (its number)
              | "@best" (the champion) | "@root" (the first seed)
    suffix    = "^"  the primary parent     "^2" the second parent     "^0" itself
              | "~3" three times "^"        "~"  the same as "~1"

Suffixes apply from left to right: `@best^2~3` is the third primary ancestor of the champion's
second parent.
"""

from __future__ import annotations

import re

from cambrian.archive.sqlite.database import Database
from cambrian.archive.tables.agents import Agents
from cambrian.errors import NotFound, UsageError

_REFERENCE = re.compile(
    r"(?P<base>@best|@root|#\d{1,15}|[0-9a-fA-F]{4,64})(?P<path>(?:[~^]\d{0,9})*)"
)
_SUFFIX = re.compile(r"([~^])(\d*)")
_SHOWN = 5


def resolve(database: Database, agents: Agents, reference: str) -> str:
    """The full id that a reference stands for.

    Raises:
        UsageError: it does not follow the grammar, or several agents match.
        NotFound: no agent matches, or one has no such parent.
    """
    match = _REFERENCE.fullmatch(reference.strip())
    if match is None:
        raise UsageError(
            f"expected an agent as 4 or more hex digits of its id, #NUMBER, @best or @root, "
            f"with ^, ^2 or ~3 after it; got {reference!r}"
        )
    agent_id = _base(database, agents, match["base"])
    for sign, digits in _SUFFIX.findall(match["path"]):
        count = int(digits) if digits else 1
        if sign == "^":
            agent_id = _parent(agents, agent_id, count, reference)
        else:
            for _ in range(count):
                agent_id = _parent(agents, agent_id, 1, reference)
    return agent_id


def _base(database: Database, agents: Agents, base: str) -> str:
    if base == "@best":
        champion = agents.champion()
        if champion is None:
            raise NotFound("@best: no agent has a score yet; `cambrian run` evaluates the seeds")
        return champion.id
    if base == "@root":
        found = database.value(
            "SELECT id FROM agents WHERE status = 'seed' ORDER BY number LIMIT 1"
        )
    elif base.startswith("#"):
        found = database.value("SELECT id FROM agents WHERE number = ?", (int(base[1:]),))
    else:
        return _prefix(database, base.lower())
    if found is None:
        raise NotFound(
            f"{base}: expected an agent of this archive; `cambrian agent list` shows them"
        )
    return str(found)


def _prefix(database: Database, prefix: str) -> str:
    # "g" sorts right after the last hex digit, so the range is exactly the ids with the prefix.
    rows = database.rows(
        "SELECT id, number, title FROM agents WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (prefix, prefix + "g", _SHOWN + 1),
    )
    if not rows:
        raise NotFound(f"{prefix}: no agent's id starts so; `cambrian agent list --all` shows them")
    if len(rows) > 1:
        shown = "; ".join(f"{row['id'][:16]} {row['title']}" for row in rows[:_SHOWN])
        more = "; ..." if len(rows) > _SHOWN else ""
        raise UsageError(f"{prefix} is ambiguous: give more digits. Candidates: {shown}{more}")
    return str(rows[0]["id"])


def _parent(agents: Agents, agent_id: str, position: int, reference: str) -> str:
    if position == 0:
        return agent_id
    parents = agents.get(agent_id).parents
    if position > len(parents):
        raise NotFound(
            f"{reference}: {agent_id[:12]} has {len(parents)} parents, expected at least {position}"
        )
    return parents[position - 1]
