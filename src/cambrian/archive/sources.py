"""Source files, content-addressed: each distinct text is kept once, compressed."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from cambrian.archive.database import Database
from cambrian.archive.memory import Memory
from cambrian.errors import CambrianError, InvalidAgent

KEPT = 128
"""Trees kept at most (128 KiB each at most), while nobody else writes."""


class Sources:
    """The texts of agents, by the sha256 of their UTF-8 bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: Memory[str, dict[str, str]] = Memory(database, KEPT)

    def add(self, agent_id: str, files: Mapping[str, str]) -> None:
        """Store an agent's files, byte for byte; call inside a transaction.

        Raises:
            InvalidAgent: no file, a path that could leave the tree, or text that is not Unicode.
        """
        check_paths(files)
        ordered = dict(sorted(files.items()))
        for path, text in ordered.items():
            source_hash = self._put(path, text)
            self._database.insert(
                "agent_files", {"agent_id": agent_id, "path": path, "source_hash": source_hash}
            )
        self._known.keep(agent_id, ordered)

    def _put(self, path: str, text: str) -> str:
        try:
            content = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidAgent(f"{path}: expected Unicode text, came {error}") from error
        source_hash = hashlib.sha256(content).hexdigest()
        known = self._database.value("SELECT 1 FROM sources WHERE hash = ?", (source_hash,))
        if known is None:
            self._database.insert(
                "sources",
                {"hash": source_hash, "size": len(content), "content": zlib.compress(content)},
            )
        return source_hash

    def files(self, agent_id: str) -> dict[str, str]:
        """An agent's files by path, in path order; empty for an unknown agent.

        Raises:
            CambrianError: a stored text is damaged.
        """
        return dict(self._known.get(agent_id, lambda: self._read(agent_id)))

    def _read(self, agent_id: str) -> dict[str, str]:
        rows = self._database.rows(
            "SELECT f.path, s.hash, s.content FROM agent_files f "
            "JOIN sources s ON s.hash = f.source_hash WHERE f.agent_id = ? ORDER BY f.path",
            (agent_id,),
        )
        return {row["path"]: read(row["hash"], row["content"]).decode("utf-8") for row in rows}

    def between(self, first: int, last: int) -> dict[str, dict[str, str]]:
        """Files by path, by agent, of the agents with numbers in a range: one query for a batch.

        Raises:
            CambrianError: a stored text is damaged.
        """
        rows = self._database.rows(
            "SELECT a.id, f.path, s.hash, s.content FROM agents a "
            "JOIN agent_files f ON f.agent_id = a.id JOIN sources s ON s.hash = f.source_hash "
            "WHERE a.number BETWEEN ? AND ? ORDER BY a.number, f.path",
            (first, last),
        )
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            text = read(row["hash"], row["content"]).decode("utf-8")
            found.setdefault(row["id"], {})[row["path"]] = text
        return found


def read(source_hash: str, content: bytes) -> bytes:
    """The bytes of a stored text.

    Raises:
        CambrianError: it does not decompress, or is not what its hash says.
    """
    try:
        plain = zlib.decompress(content)
    except zlib.error as error:
        raise CambrianError(f"source {source_hash} is damaged: {error}") from error
    came = hashlib.sha256(plain).hexdigest()
    if came != source_hash:
        raise CambrianError(f"source {source_hash} is damaged: its content has the hash {came}")
    return plain


def check_paths(files: Mapping[str, str]) -> None:
    """Refuse paths that could not stand in a source tree or a git tree.

    Raises:
        InvalidAgent: no files, or a path that is not plain and relative, or one that is both a
            file and a folder.
    """
    if not files:
        raise InvalidAgent("expected at least one file, came none")
    for path in files:
        parts = path.split("/")
        plain = path.isprintable() and not set(path) & set('"\\')
        if not plain or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
            raise InvalidAgent(
                f"expected a plain relative path such as parts/replay.py, came {path!r}"
            )
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    if both := folders & set(files):
        raise InvalidAgent(f"{sorted(both)[0]!r} is both a file and a folder")
