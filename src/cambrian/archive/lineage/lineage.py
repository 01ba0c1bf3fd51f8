"""The git lineage: the tree of agents as a bare repository, for people and tools.

`git log --graph --all` is the tree, `git diff A B` a rewrite. The repository is a projection of
the database: it is never read to decide anything, `update` appends what is missing, and
`rebuild` rebuilds it, so no crash can cost more than the time of a rebuild.

**Refs.** A ref per agent would be a million files, and `git log --all` needs only what reaches
everything. So there are `refs/heads/champion` (also HEAD: what a clone checks out),
`refs/heads/main` (the newest member) and `refs/agents/<12 digits of the id>` for *leaves* only,
members without a child; an agent's ref goes when it gets its first child. Once there are
2 · `SHEAF` leaves, the older half is tied into a *sheaf*: one commit with an empty tree whose
parents are those leaves and the sheaf before it, at `refs/agents/older`. So there are never more
than 2 · `SHEAF` + 3 refs of ours, all in one file (see `refs`), and below that number the graph is
the tree and nothing else. All this is a function of the order of members alone, not of the batches
in which they came.

**State.** `cambrian.db` inside the repository maps each agent to its commit, and lists the leaves
that have a ref and the sheaves. It lives there and
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, cast

from cambrian.archive.lineage import refs as all_refs
from cambrian.archive.lineage.commits import Commits, Entry
from cambrian.archive.lineage.fastimport import (
    IMPORT_REF,
    commit_date,
    write_commit,
    write_sheaf,
    write_text,
)
from cambrian.archive.lineage.git import PACKS, Git, GitError
from cambrian.archive.lineage.refs import BRANCH, CHAMPION, LEAVES, MAIN, owned
from cambrian.archive.records import Agent
from cambrian.archive.sqlite import storage_errors
from cambrian.archive.store import LINEAGE, Archive
from cambrian.failpoints import reach

BATCH, REBUILT = 500, 25_000
"""Agents in a batch; where all are written, fewer and larger ones: a pack is synchronised for each,
and every object is looked for in all packs."""
SHEAF = 500
"""Leaves in a sheaf; up to twice as many have a ref."""
OLDER = LEAVES + "older"
COPIES = 5
"""So often a repository is copied again that was repacked meanwhile."""
_SHEAVES, _TEXTS = 1 << 40, 1 << 41
"""Marks of sheaves and of texts are above these, those of agents (their numbers) below."""


class Lineage:
    """The lineage repository of an archive (`path`; a bare git repository).

    An object looks the repository over before its first update. What it wrote itself since then it
    takes as it left it: the lock sees to that, and git says if a parent is missing.

    Args:
        batch: members that are written at a time.
        sheaf: leaves that are tied into one; the same for as long as a repository lives.
        packs: so many packs of git are put together.
    """

    def __init__(
        self, archive: Archive, *, batch: int = BATCH, sheaf: int = SHEAF, packs: int = PACKS
    ) -> None:
        self._archive = archive
        self._batch = batch
        self._sheaf = sheaf
        self._packs = packs
        self._left_at: Entry | None = None
        self.path = archive.path / LINEAGE

    def update(self) -> int:
        """Append the members that are missing; a missing, torn or foreign repository is rebuilt.

        Returns:
            How many commits were written.

        Raises:
            StorageTrouble: no room, or no leave, to write; the repository is behind, no more.
            CambrianError: git is not installed, or fails on a fresh repository too.
        """
        with storage_errors.storage():
            if not self._usable():
                return self.rebuild()
            try:
                return self._append(self.path)
            except (GitError, sqlite3.Error):
                return self.rebuild()
            except BaseException:
                self._left_at = None
                raise

    def rebuild(self) -> int:
        """Make the repository anew beside the old one, and swap them. Returns the commits."""
        self._left_at = None
        fresh, old = (self.path.with_name(f"{LINEAGE}.{end}") for end in ("new", "old"))
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        try:
            Git.init(fresh, branch=BRANCH)
            written = self._append(fresh, fresh=True)
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

    def compact(self) -> None:
        """All objects into one pack. Everything stays as it is, and takes less room."""
        if Commits.exists(self.path):
            with storage_errors.storage():
                Git(self.path).compact()

    def copy_objects(self, target: Path) -> bool:
        """Copy the repository as it is at one moment, but for its refs; see `restore_refs`.

        The map is copied first. Objects are only ever added, so all that it names are among those
        that are copied after it. A pack that is put together with others meanwhile is looked for
        again. False if there is no repository.
        """
        if not Commits.exists(self.path):
            return False
        Git.init(target, branch=BRANCH)
        with closing(Commits(self.path, read_only=True)) as commits:
            commits.copy_to(target)
        for attempt in range(COPIES):
            try:
                shutil.rmtree(target / "objects")
                shutil.copytree(self.path / "objects", target / "objects", symlinks=True)
                return True
            except (shutil.Error, FileNotFoundError):
                if attempt + 1 == COPIES:
                    raise
        return True

    def restore_refs(self) -> int:
        """Make every ref from the map. Returns how many commits it has."""
        with closing(Commits(self.path, read_only=True)) as commits:
            self._point(self.path, commits)
            return commits.count()

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
            expected = Git.init(Path(scratch) / LINEAGE, branch=BRANCH).path
            try:
                with closing(Commits(self.path, read_only=True)) as commits:
                    if not commits.current():
                        return [f"{self.path.name}: of another layout; the next update rebuilds it"]
                    held = commits.last_number()
                self._append(expected, through=held, fresh=True)
                refs = expected
                if (pointed := self._pointed(expected, held)) > held:
                    refs = Git.init(Path(scratch) / "refs", branch=BRANCH).path
                    self._append(refs, through=pointed, fresh=True)
                behind = bool(self._archive.agents.after(pointed, 1))
                return list(_differences(expected, refs, self.path, held, champion=not behind))
            except (GitError, sqlite3.Error) as error:
                return [f"{self.path.name}: {error}"]

    def _pointed(self, expected: Path, held: int) -> int:
        """Up to which number the refs point: to what the map holds, or, where a writer was killed
        between the two, to what it would have held next."""
        tip = Git(self.path).refs().get(MAIN)
        with closing(Commits(expected)) as commits:
            newest = commits.newest()
        if tip is None or newest is None or newest.commit == tip:
            return held
        with tempfile.TemporaryDirectory() as scratch:
            whole = Git.init(Path(scratch) / LINEAGE, branch=BRANCH).path
            self._append(whole, fresh=True)
            with closing(Commits(whole)) as commits:
                found = (entry.number for entry in commits if entry.commit == tip)
                return max(held, next(found, held))

    def _usable(self) -> bool:
        """Whether the repository can be appended to: readable, and not ahead of the database."""
        # Somebody converted it (`git refs migrate`): git would not look at what `refs` writes.
        if not Commits.exists(self.path) or (self.path / "reftable").exists():
            return False
        try:
            with closing(Commits(self.path)) as commits:
                if not commits.current():
                    return False
                newest = commits.newest()
            if newest is not None and newest == self._left_at:
                return True
            git = Git(self.path)
            if newest is None:
                return not any(map(owned, git.refs()))
            agent = self._archive.agents.find(newest.agent_id)
            # A power cut may cost the database its last transactions; the map then names an
            # agent that the database does not have, or gave another number.
            in_step = agent is not None and agent.number == newest.number
            return in_step and git.refs().get(MAIN) == newest.commit and git.has(newest.commit)
        except (GitError, sqlite3.Error):
            return False

    def _append(self, path: Path, through: float = math.inf, *, fresh: bool = False) -> int:
        """Write what is missing. Where all is (`fresh`), refs are set once, at the end: whoever
        dies before has nothing to go on from anyway."""
        git, written = Git(path), 0
        with closing(Commits(path)) as commits:
            size = REBUILT if fresh else self._batch
            while added := self._write(git, commits, through, size, refs=not fresh):
                written += added
            if fresh or not written:
                self._point(path, commits)
            self._left_at = None if fresh else commits.newest()
        if written:
            git.tidy(self._packs)
        return written

    def _following(self, number: int, through: float, size: int) -> list[Agent]:
        batch = self._archive.suites.as_decided(self._archive.agents.after(number, size))
        return [agent for agent in batch if cast(int, agent.number) <= through]

    def _write(self, git: Git, commits: Commits, through: float, size: int, *, refs: bool) -> int:
        """Write the next batch. Returns how many commits that were."""
        growth, batch = _LeafSet(commits, commits.leaves(), self._sheaf), _Batch(self._archive)
        number = commits.last_number()
        with tempfile.TemporaryFile(dir=git.path) as stream:
            while len(batch.numbers) < size and (
                some := self._following(number, through, self._batch)
            ):
                batch.add(some, growth, cast(BinaryIO, stream))
                number = batch.numbers[-1]
            if not batch.numbers:
                return 0
            stream.seek(0)
            marks = git.fast_import(stream)
        reach("lineage.written")
        made = {agent_id: marks[n] for agent_id, n in zip(batch.ids, batch.numbers, strict=True)}
        sheaves = {n - _SHEAVES: c for n, c in marks.items() if _SHEAVES < n < _TEXTS}
        after, newest = growth.leaves, made[batch.ids[-1]]
        if refs:
            known = commits.leaf_commits() | made
            leaves = {agent_id: known[agent_id] for agent_id in after.values()}
            sheaf = sheaves[max(sheaves)] if sheaves else commits.sheaf()
            champion = self._archive.champion()
            best = (made.get(champion.id) or commits.get(champion.id)) if champion else None
            all_refs.write(git.path, _refs(leaves, newest, sheaf, best))
        reach("lineage.pointed")
        entries = zip(batch.numbers, batch.ids, made.values(), strict=True)
        commits.add(entries, after, sheaves)
        return len(made)

    def _point(self, path: Path, commits: Commits) -> None:
        """Make every ref from the map; a git that outlived its killed parent may have left one."""
        champion, newest = self._archive.champion(), commits.newest()
        best = commits.get(champion.id) if champion else None
        named = _refs(commits.leaf_commits(), newest and newest.commit, commits.sheaf(), best)
        all_refs.write(path, named)


class _Batch:
    """Agents that are written into one stream, a few at a time, and each text once.

    Attributes:
        numbers, ids: theirs, in order.
    """

    def __init__(self, archive: Archive) -> None:
        self._agents = archive.agents
        self._texts: set[int] = set()
        self.numbers: list[int] = []
        self.ids: list[str] = []

    def add(self, agents: Sequence[Agent], growth: _LeafSet, stream: BinaryIO) -> None:
        """Write some more."""
        numbers = [cast(int, agent.number) for agent in agents]
        files = self._agents.files_between(numbers[0], numbers[-1])
        new = {text for agent in agents for text in files[agent.id].values()} - self._texts
        for number, content in self._agents.texts(sorted(new)):
            write_text(stream, _TEXTS + number, content)
        self._texts |= new
        for agent in agents:
            parents = [growth.name(parent) for parent in agent.parents]
            marks = {path: _TEXTS + text for path, text in files[agent.id].items()}
            write_commit(stream, agent, marks, parents)
            growth.joined(agent, stream)
        self.numbers += numbers
        self.ids += [agent.id for agent in agents]


class _LeafSet:
    """The leaves while a batch is written, and what its commits are called until they have a hash.

    Attributes:
        leaves: number and id of those that keep a ref.
    """

    def __init__(self, commits: Commits, leaves: Mapping[int, str], most: int) -> None:
        self._commits = commits
        self._most = most
        self._sheaf = commits.sheaf()
        self._marks: dict[str, str] = {}
        self._numbers = {agent_id: number for number, agent_id in leaves.items()}
        self.leaves = dict(leaves)

    def name(self, agent_id: str) -> str:
        """The mark or the commit of an agent that is there."""
        return self._marks.get(agent_id) or self._commits.require(agent_id)

    def joined(self, agent: Agent, stream: BinaryIO) -> None:
        """An agent was written: it is a leaf, its parents are none any more."""
        number = cast(int, agent.number)
        self._marks[agent.id] = f":{number}"
        for parent in agent.parents:
            self.leaves.pop(self._numbers.pop(parent, -1), None)
        self.leaves[number] = agent.id
        self._numbers[agent.id] = number
        if len(self.leaves) >= 2 * self._most:
            tied = [self.leaves.pop(oldest) for oldest in list(self.leaves)[: self._most]]
            for agent_id in tied:
                del self._numbers[agent_id]
            mark, date = _SHEAVES + number, commit_date(agent)
            write_sheaf(stream, mark, [self.name(one) for one in tied], self._sheaf, date)
            self._sheaf = f":{mark}"


def _refs(
    leaves: Mapping[str, str], newest: str | None, sheaf: str | None, champion: str | None
) -> dict[str, str]:
    """Every ref and its commit; `leaves` by agent."""
    named = {leaf_ref(agent_id): commit for agent_id, commit in leaves.items()}
    # Where the champion is not there yet, a clone has something to check out all the same.
    others = {MAIN: newest, OLDER: sheaf, CHAMPION: champion or newest}
    return named | {ref: commit for ref, commit in others.items() if commit is not None}


def leaf_ref(agent_id: str) -> str:
    """The ref of a member without children."""
    return LEAVES + agent_id[:12]


def _differences(
    expected: Path, refs: Path, found: Path, held: int, *, champion: bool
) -> Iterator[str]:
    """Up to the number `held`: a run may add to what is found while it is looked at. `refs`: whose
    are to be found."""
    there, here = Git(refs).refs(), Git(found).refs()
    with closing(Commits(expected)) as right, closing(Commits(found, read_only=True)) as ours:
        for entry in right:
            commit = ours.get(entry.agent_id)
            if commit != entry.commit:
                yield (
                    f"#{entry.number} {entry.agent_id[:12]}: expected commit {entry.commit}, "
                    f"found {commit}"
                )
        if ours.count(held) > right.count(held):
            yield f"expected {right.count(held)} commits, found {ours.count(held)}"
        # Refs are moved before the map is: those that were read may be of a later moment.
        grown = ours.last_number() > held
    # The import ref is git's own while it writes; one that was killed there may leave it, and the
    # next update takes it away. It names nothing of the lineage.
    compared = {*there, *filter(owned, here)} - {IMPORT_REF, *(() if champion else (CHAMPION,))}
    for ref in () if grown else sorted(compared):
        if there.get(ref) != here.get(ref):
            yield f"{ref}: expected {there.get(ref)}, found {here.get(ref)}"
    Git(found).run("fsck", "--full", "--no-dangling", "--no-progress")
