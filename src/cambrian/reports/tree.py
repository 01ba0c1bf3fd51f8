"""The tree of agents: all of it, a clade, or a page of a big one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive

Below = Callable[["Agent"], Sequence["Agent"]]
PAGE = 200
"""Agents on a page of a clade, unless another number is asked for."""


@dataclass(frozen=True)
class Placed:
    """An agent and its place.

    Attributes:
        level: 0 for the root of what was asked for.
        hidden: how many members right below it are not among the rows that came with it.
    """

    agent: Agent
    level: int
    hidden: int = 0

    def to_json(self) -> dict[str, Any]:
        """What a page or `cambrian tree --json` shows of it."""
        names = ("id", "number", "status", "kind")
        scores = ("score", "lower", "upper", "title")
        return {
            **{name: getattr(self.agent, name) for name in names},
            "level": self.level,
            "depth": self.agent.depth,
            "parents": list(self.agent.parents),
            **{name: getattr(self.agent, name) for name in scores},
        }


@dataclass(frozen=True)
class Page:
    """A part of a clade, depth first.

    Attributes:
        following: the offset of the next page; None on the last one.
    """

    rows: tuple[Placed, ...]
    following: int | None


def forest(
    archive: Archive, root: str | None = None, *, everyone: bool = False
) -> tuple[list[Agent], Below]:
    """Where to start, and what is below an agent by its primary parent: one query for the whole
    tree, one per agent for the clade of `root` (any reference to an agent).

    Raises:
        NotFound: there is no such agent.
    """
    if root is None:
        return whole(archive, everyone=everyone)
    start = archive.agents.get(archive.resolve(root))

    def below(agent: Agent) -> list[Agent]:
        children = archive.agents.children(agent.id, members_only=not everyone)
        return [child for child in children if child.parents[0] == agent.id]

    return [start], below


def whole(archive: Archive, *, everyone: bool = False) -> tuple[list[Agent], Below]:
    """The seeds, and the children of each agent by its primary parent."""
    agents = archive.agents.select(everyone=everyone)
    children: dict[str, list[Agent]] = {}
    for agent in agents:
        if agent.parents:
            children.setdefault(agent.parents[0], []).append(agent)
    roots = [agent for agent in agents if not agent.parents]
    return roots, lambda agent: children.get(agent.id, [])


def placed(roots: Sequence[Agent], below: Below, depth: int | None = None) -> Iterator[Placed]:
    """Every agent, depth first, down to `depth` levels below the roots; nothing recurses."""
    stack = [(root, 0) for root in reversed(roots)]
    while stack:
        agent, level = stack.pop()
        agents = below(agent)
        shown = agents if depth is None or level < depth else ()
        yield Placed(agent, level, len(agents) - len(shown))
        stack += [(each, level + 1) for each in reversed(shown)]


def clade_page(
    archive: Archive, root: str, *, offset: int = 0, limit: int = PAGE, depth: int | None = None
) -> Page:
    """A page of the members below an agent (any reference to it), itself first, in two queries
    whatever the size of the clade: a page loads one subtree at a time.

    Args:
        offset: how many to leave out, as `Page.following` of the page before says.
        limit: how many to give at most.
        depth: levels below the root; what lies deeper is counted in `hidden` of its parent.

    Raises:
        NotFound: there is no such agent, or it was not decided yet.
    """
    agent_id = archive.resolve(root)
    found = archive.agents.subtree(agent_id, limit=limit + 1, depth=depth, offset=offset)
    shown, more = found[:limit], len(found) > limit
    deepest = [agent.id for agent, level in shown if depth is not None and level == depth]
    cut = archive.agents.count_below(deepest)
    rows = tuple(Placed(agent, level, cut.get(agent.id, 0)) for agent, level in shown)
    return Page(rows, offset + limit if more else None)
