"""Members of other archives that a search begins with, beside the seed agents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cambrian.agents.tree import SourceTree
from cambrian.archive import Agent, Archive
from cambrian.errors import CambrianError, InvalidAgent, NotFound, Refused
from cambrian.evolution.runtime.seeding import add_own
from cambrian.takeaway.package import learner_files
from cambrian.text import short

GUESTS = 3
"""How many of an archive: the champion, and the best that are made of other parts."""


@dataclass(frozen=True)
class Guest:
    """A member of another archive.

    Attributes:
        title: what it is called here.
        came_from: its archive.
        reason: why it was not taken; "" for one that was.
    """

    id: str
    title: str
    came_from: str
    reason: str = ""


def choose(archive: Archive, count: int = GUESTS) -> list[Agent]:
    """The champion, and the best members (by their lower bounds) that are made of other parts than
    those taken before them."""
    ranked = sorted(archive.members(), key=lambda one: (-(one.lower or one.score), one.number))
    champion = archive.champion()
    order = [champion.id] if champion is not None else []
    order += [one.agent_id for one in ranked if one.agent_id not in order]
    found: list[Agent] = []
    known: set[frozenset[str]] = set()
    for agent_id in order:
        try:
            made_of = frozenset(learner_files(archive.agents.files(agent_id)))
        except InvalidAgent:  # of an archive of old
            continue
        if made_of not in known:
            known.add(made_of)
            found.append(archive.agents.get(agent_id))
        if len(found) == count:
            break
    return found


def invite(home: Path, source: Path, count: int = GUESTS) -> list[Guest]:
    """Add the chosen members of the archive `source` to the one in `home` as seed agents; each
    that was chosen, with the reason where it was not taken.

    Raises:
        NotFound: `source` is no archive, or has no member yet. Refused: another process holds
        `home`, or `source` was written by another Cambrian.
    """
    with Archive.open(source, read_only=True) as other:
        chosen = [(one, other.agents.files(one.id)) for one in choose(other, count)]
    if not chosen:
        raise NotFound(f"{source}: expected an archive with agents that have a score; it has none")
    guests = []
    with Archive.open(home) as archive, archive.lock():
        for agent, files in chosen:
            title = f"{short(agent.id)} of {source.name}: {agent.title}"[:120]
            reason = ""
            try:
                add_own(archive, SourceTree(files), title)
            except Refused:
                reason = "this archive begins with the same code"
            except CambrianError as error:
                reason = str(error)
            guests.append(Guest(agent.id, title, source.name, reason))
    return guests
