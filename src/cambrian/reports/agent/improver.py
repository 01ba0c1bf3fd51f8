"""What a variant changed in its improver, apart from its learner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.archive.diffs import unified_diff

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.reports.agent.decisions import Decision


@dataclass(frozen=True)
class ImproverChange:
    """An improver that is not its parent's.

    Attributes:
        before, after: what tells the two apart (`SourceTree.improver_hash`).
        files: those that were changed, in one line.
        diff: a unified diff of them, untrusted text.
    """

    before: str
    after: str
    files: str
    diff: str


def improver_change(archive: Archive, found: Decision) -> ImproverChange | None:
    """What the agent of a decision changed in how it asks and reads; None where it is its
    parent's, or a seed's."""
    from cambrian.agents.reach import closure
    from cambrian.agents.tree import IMPROVER, improver_hash

    if found.agent is None or not found.agent.parents:
        return None
    new = archive.agents.files(found.agent.id)
    old = archive.agents.files(found.agent.parents[0])
    before, after = improver_hash(old), improver_hash(new)
    if before == after:
        return None
    paths = {path for tree in (old, new) for path in closure(tree, [IMPROVER]).paths}
    sides = [{path: tree[path] for path in sorted(paths) if path in tree} for tree in (old, new)]
    changed = [path for path in sorted(paths) if old.get(path) != new.get(path)]
    return ImproverChange(before, after, ", ".join(changed), unified_diff(*sides))
