"""The git lineage: the tree of agents as a bare repository, for people and tools.

`git log --graph --all` is the tree, `git diff A B` a rewrite. The repository is a projection of
the database: it is never read to decide anything, `update` appends what is missing, and
`rebuild` makes it anew, so no crash can cost more than the time of a rebuild.

**Refs.** A ref per agent would be a million files, and `git log --all` needs only what reaches
everything. So there are `refs/heads/champion` (also HEAD: what a clone checks out),
`refs/heads/main` (the newest member) and `refs/agents/<12 digits of the id>` for *leaves* only,
members without a child; an agent's ref goes when it gets its first child. After each batch all
refs are packed into one file, so at most `BATCH + 2` loose ref files exist at any time.

**State.** `cambrian.db` inside the repository maps each agent to its commit. It lives there and
not in the archive so that it is lost with the repository that it describes. The order is:
commits, then refs, then the map; commits are deterministic (see `fastimport`), so a process that
dies in between leaves work that the next `update` does again with the same result.

The caller holds `archive.lock()`: two processes must not write one repository.
"""

from __future__ import annotations

import math
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from cambrian.archive import trouble
from cambrian.archive.commits import Commits
from cambrian.archive.fastimport import IMPORT_REF, write_commit
from cambrian.archive.git import Git, GitError
from cambrian.archive.records import Agent
from cambrian.archive.store import LINEAGE, Archive
from cambrian.failpoints import reach

BATCH = 500
CHAMPION = "refs/heads/champion"
MAIN = "refs/heads/main"
LEAVES = "refs/agents/"


class Lineage:
    """The lineage repository of an archive (`path`; a bare git repository)."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.path = archive.path / LINEAGE

    def update(self) -> int:
        """Append the members that are missing; a missing, torn or foreign repository is rebuilt.

        Returns:
            How many commits were written.

        Raises:
            StorageTrouble: no room, or no leave, to write; the repository is behind, no more.
            CambrianError: git is not installed, or fails on a fresh repository too.
        """
        with trouble.storage():
            if not self._usable():
                return self.rebuild()
            try:
                return self._append(self.path)
            except (GitError, sqlite3.Error):
                return self.rebuild()

    def rebuild(self) -> int:
        """Make the repository anew beside the old one, and swap them. Returns the commits."""
        fresh, old = (self.path.with_name(f"{LINEAGE}.{end}") for end in ("new", "old"))
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            Git.init(fresh, branch=CHAMPION.removeprefix("refs/heads/"))
            written = self._append(fresh)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)  # a full disk needs the room
            raise
        if self.path.is_dir() and not self.path.is_symlink():
            self.path.rename(old)
        else:
            self.path.unlink(missing_ok=True)
        fresh.rename(self.path)
        shutil.rmtree(old, ignore_errors=True)
        return written

    def commit(self, agent_id: str) -> str | None:
        """The commit of a member, or None if it is not in the repository (yet)."""
        if not Commits.exists(self.path):
            return None
        with closing(Commits(self.path, read_only=True)) as commits:
            return commits.get(agent_id)

    def verify(self) -> list[str]:
        """Every difference from the database, in words; empty if there is none.

        Members that are not in the repository yet are no difference: it is written in batches,
        and `update` adds them.

        Builds the lineage once more in a scratch folder and compares: a commit's hash covers its
        files, parents and message, so equal hashes are equal trees. `git fsck` then makes sure
        that the repository really holds what those hashes name.
        """
        if not self.path.exists() and not self._archive.agents.after(0, 1):
            return []
        if not Commits.exists(self.path):
            return [f"{self.path.name}: expected a lineage repository, found none"]
        with tempfile.TemporaryDirectory() as scratch:
            expected = Path(scratch) / LINEAGE
            Git.init(expected, branch=CHAMPION.removeprefix("refs/heads/"))
            try:
                with closing(Commits(self.path, read_only=True)) as commits:
                    held = commits.last_number()
                self._append(expected, through=held)
                behind = bool(self._archive.agents.after(held, 1))
                return list(_differences(expected, self.path, champion=not behind))
            except (GitError, sqlite3.Error) as error:
                return [f"{self.path.name}: {error}"]

    def _usable(self) -> bool:
        """Whether the repository can be appended to: readable, and not ahead of the database."""
        if not Commits.exists(self.path):
            return False
        try:
            with closing(Commits(self.path)) as commits:
                newest = commits.newest()
            git = Git(self.path)
            if newest is None:
                return not git.refs()
            agent = self._archive.agents.find(newest.agent_id)
            # A power cut may cost the database its last transactions; the map then names an
            # agent that the database does not have, or gave another number.
            in_step = agent is not None and agent.number == newest.number
            return in_step and git.refs().get(MAIN) == newest.commit and git.has(newest.commit)
        except (GitError, sqlite3.Error):
            return False

    def _append(self, path: Path, through: float = math.inf) -> int:
        git, written = Git(path), 0
        with closing(Commits(path)) as commits:
            while batch := self._following(commits.last_number(), through):
                self._write(git, commits, batch)
                written += len(batch)
            self._point(git, commits)
        if written:
            git.tidy()
        return written

    def _following(self, number: int, through: float) -> list[Agent]:
        batch = self._archive.agents.after(number, BATCH)
        return [agent for agent in batch if cast(int, agent.number) <= through]

    def _write(self, git: Git, commits: Commits, batch: Sequence[Agent]) -> None:
        with tempfile.TemporaryFile(dir=git.path) as stream:
            known = {agent.id: f":{agent.number}" for agent in batch}
            for agent in batch:
                parents = [known.get(p) or commits.require(p) for p in agent.parents]
                files = self._archive.agents.files(agent.id)
                write_commit(cast(BinaryIO, stream), agent, files, parents)
            stream.seek(0)
            marks = git.fast_import(stream)
        reach("lineage.written")
        made = {agent.id: marks[cast(int, agent.number)] for agent in batch}
        has_child = {parent for agent in batch for parent in agent.parents}
        lines = [f"delete {leaf_ref(parent)}" for parent in sorted(has_child)]
        lines += [
            f"update {leaf_ref(agent_id)} {commit}"
            for agent_id, commit in made.items()
            if agent_id not in has_child
        ]
        newest = batch[-1].id
        git.update_refs([*lines, f"update {MAIN} {made[newest]}", f"delete {IMPORT_REF}"])
        reach("lineage.pointed")
        commits.add([(cast(int, a.number), a.id, made[a.id]) for a in batch])

    def _point(self, git: Git, commits: Commits) -> None:
        champion = self._archive.champion()
        commit = commits.get(champion.id) if champion else None
        refs = git.refs()
        lines = [f"update {CHAMPION} {commit}"] if commit and refs.get(CHAMPION) != commit else []
        if IMPORT_REF in refs:
            # A git that outlived its killed parent wrote it; nothing needs it.
            lines.append(f"delete {IMPORT_REF}")
        if lines:
            git.update_refs(lines)


def leaf_ref(agent_id: str) -> str:
    """The ref of a member without children."""
    return LEAVES + agent_id[:12]


def _differences(expected: Path, found: Path, *, champion: bool) -> Iterator[str]:
    with closing(Commits(expected)) as right, closing(Commits(found, read_only=True)) as ours:
        for entry in right:
            commit = ours.get(entry.agent_id)
            if commit != entry.commit:
                yield (
                    f"#{entry.number} {entry.agent_id[:12]}: expected commit {entry.commit}, "
                    f"found {commit}"
                )
        if ours.count() > right.count():
            yield f"expected {right.count()} commits, found {ours.count()}"
    there, here = Git(expected).refs(), Git(found).refs()
    for ref in sorted({*there, *here} - (set() if champion else {CHAMPION})):
        if there.get(ref) != here.get(ref):
            yield f"{ref}: expected {there.get(ref)}, found {here.get(ref)}"
    Git(found).run("fsck", "--full", "--no-dangling", "--no-progress")
