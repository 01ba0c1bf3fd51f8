"""The code of agents, and what was rewritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.errors import NotFound
from cambrian.text import line, short

if TYPE_CHECKING:
    from cambrian.archive import Archive


@dataclass(frozen=True)
class Rewrite:
    """What tells one agent's code from another's.

    Attributes:
        before, after: the agents' ids.
        text: a unified diff, untrusted text; empty where the code is the same.
    """

    before: str
    after: str
    text: str


def rewrite(archive: Archive, agent_id: str, other: str | None = None) -> Rewrite:
    """From an agent's primary parent to the agent or, with `other`, from the agent to that one.

    Raises:
        NotFound: there is no such agent, or it is a seed and has no parent.
    """
    from cambrian.archive import unified_diff

    before, after = _sides(archive, agent_id, other)
    text = unified_diff(archive.agents.files(before), archive.agents.files(after))
    return Rewrite(before, after, text)


def _sides(archive: Archive, agent_id: str, other: str | None) -> tuple[str, str]:
    chosen = archive.resolve(agent_id)
    if other is not None:
        return chosen, archive.resolve(other)
    parents = archive.agents.get(chosen).parents
    if not parents:
        raise NotFound(
            f"{short(chosen)} is a seed agent and has no parent; name the other agent: "
            f"cambrian agent diff {short(chosen)} OTHER"
        )
    return parents[0], chosen


def files_of(archive: Archive, agent_id: str, path: str | None = None) -> dict[str, str]:
    """The texts of an agent's tree by path, or of the one file `path`.

    Raises:
        NotFound: there is no such agent or file.
    """
    return _chosen(archive.agents.files(agent_id), path)


def _chosen(files: Mapping[str, str], path: str | None) -> dict[str, str]:
    if path is None:
        return dict(files)
    if path not in files:
        raise NotFound(f"expected one of {', '.join(map(line, files))}; got {path!r}")
    return {path: files[path]}
