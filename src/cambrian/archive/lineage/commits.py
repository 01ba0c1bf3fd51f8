"""Which commit is which agent, and which are leaves: a SQLite file in the lineage repository."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from cambrian.archive.lineage.git import GitError

NAME = "cambrian.db"

LAYOUT = 3
"""Of the file and of the refs it goes with; a repository of another layout is rebuilt."""

_TABLES = """
CREATE TABLE IF NOT EXISTS commits
    (number INTEGER PRIMARY KEY, agent_id BLOB NOT NULL UNIQUE, hash BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS leaves
    (number INTEGER PRIMARY KEY, agent_id BLOB NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS sheaves (number INTEGER PRIMARY KEY, hash TEXT NOT NULL) STRICT;
"""


class Entry(NamedTuple):
    """A member as it was committed."""

    number: int
    agent_id: str
    commit: str


class Commits:
    """The map from agents to commits of one repository.

    Raises:
        sqlite3.Error: the file is damaged; the repository is to be rebuilt.
    """

    def __init__(self, repository: Path, *, read_only: bool = False) -> None:
        mode = "ro" if read_only else "rwc"
        location = f"{(repository / NAME).absolute().as_uri()}?mode={mode}"
        self._connection = sqlite3.connect(location, uri=True, isolation_level=None)
        if not read_only:
            # Lost or torn by a power cut, it is not what the refs say, and all is rebuilt.
            self._connection.execute("PRAGMA synchronous = OFF")
            fresh = not self._connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            self._connection.executescript(_TABLES)
            if fresh:
                self._connection.execute(f"PRAGMA user_version = {LAYOUT}")

    @staticmethod
    def exists(repository: Path) -> bool:
        """Whether the repository has a map."""
        return (repository / NAME).is_file()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def add(
        self,
        entries: Iterable[tuple[int, str, str]],
        leaves: Mapping[int, str],
        sheaves: Mapping[int, str],
    ) -> None:
        """Add (number, agent, commit) rows and new sheaves, and set the leaves: all or none."""
        with self._connection:
            self._connection.execute("BEGIN")
            rows = ((n, _bytes(agent_id), _bytes(commit)) for n, agent_id, commit in entries)
            self._connection.executemany("INSERT INTO commits VALUES (?, ?, ?)", rows)
            before = self.leaves()
            gone = [(number,) for number in before.keys() - leaves.keys()]
            new = [(n, _bytes(leaves[n])) for n in leaves.keys() - before.keys()]
            self._connection.executemany("DELETE FROM leaves WHERE number = ?", gone)
            self._connection.executemany("INSERT INTO leaves VALUES (?, ?)", new)
            self._connection.executemany("INSERT INTO sheaves VALUES (?, ?)", sheaves.items())

    def copy_to(self, repository: Path) -> None:
        """Copy the map, as of one moment, into another repository."""
        with closing(sqlite3.connect(repository / NAME)) as copy:
            self._connection.backup(copy)

    def current(self) -> bool:
        """Whether the repository has the layout of this version."""
        return bool(self._connection.execute("PRAGMA user_version").fetchone()[0] == LAYOUT)

    def leaves(self) -> dict[int, str]:
        """Number and id of the leaves that have a ref, by number."""
        rows = self._connection.execute("SELECT number, agent_id FROM leaves ORDER BY number")
        return {number: agent_id.hex() for number, agent_id in rows}

    def leaf_commits(self) -> dict[str, str]:
        """The commit of each of them, by agent.

        Raises:
            GitError: one is missing; the repository is to be rebuilt.
        """
        rows = self._connection.execute(
            "SELECT leaf.agent_id, hash FROM leaves AS leaf LEFT JOIN commits USING (number)"
        )
        found = {agent_id.hex(): commit for agent_id, commit in rows}
        if None in found.values():
            raise GitError("expected a commit for every leaf")
        return {agent_id: commit.hex() for agent_id, commit in found.items()}

    def sheaf(self) -> str | None:
        """The commit of the newest sheaf."""
        found = self._connection.execute(
            "SELECT hash FROM sheaves ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return None if found is None else str(found[0])

    def get(self, agent_id: str) -> str | None:
        """The commit of an agent."""
        found = self._connection.execute(
            "SELECT hash FROM commits WHERE agent_id = ?", (_bytes(agent_id),)
        ).fetchone()
        return None if found is None else str(found[0].hex())

    def require(self, agent_id: str) -> str:
        """The commit of an agent that must be there.

        Raises:
            GitError: it is not; the repository is to be rebuilt.
        """
        commit = self.get(agent_id)
        if commit is None:
            raise GitError(f"expected a commit for the parent {agent_id}, found none")
        return commit

    def newest(self) -> Entry | None:
        """The entry with the largest number."""
        found = self._connection.execute(
            "SELECT number, agent_id, hash FROM commits ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return None if found is None else _entry(found)

    def __iter__(self) -> Iterator[Entry]:
        rows = self._connection.execute(
            "SELECT number, agent_id, hash FROM commits ORDER BY number"
        )
        return map(_entry, rows)

    def last_number(self) -> int:
        """The largest number; 0 if there is none."""
        newest = self.newest()
        return 0 if newest is None else newest.number

    def count(self, through: int = 1 << 62) -> int:
        """How many agents are in the map, up to a number."""
        sql = "SELECT count(*) FROM commits WHERE number <= ?"
        return int(self._connection.execute(sql, (through,)).fetchone()[0])


def _bytes(text: str) -> bytes:
    """A hash takes half the room of its digits."""
    return bytes.fromhex(text)


def _entry(row: tuple[int, bytes, bytes]) -> Entry:
    number, agent_id, commit = row
    return Entry(number, agent_id.hex(), commit.hex())
