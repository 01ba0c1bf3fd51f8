"""Source files, content-addressed: each distinct text is kept once, compressed.

An agent's row has its files as a JSON object from path to the number of a text; `agent_files` is a
view with the hashes, through which a row may also be inserted.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath

from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database, decode, encode
from cambrian.errors import CambrianError, InvalidAgent

KEPT, NUMBERS = 128, 4096
"""Trees (128 KiB each at most) and numbers of texts kept at most, by the only writer."""


class Sources:
    """The texts of agents, by the sha256 of their UTF-8 bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: RowCache[str, dict[str, str]] = RowCache(database, KEPT)
        self._numbers: RowCache[str, int] = RowCache(database, NUMBERS)

    def add(self, agent_id: str, files: Mapping[str, str]) -> str:
        """Store an agent's files, byte for byte; call inside a transaction.

        Returns:
            What its row says of them.

        Raises:
            InvalidAgent: no file, a path that could leave the tree, or text that is not Unicode.
        """
        check_paths(files)
        ordered = dict(sorted(files.items()))
        numbers = {path: self._put(path, text) for path, text in ordered.items()}
        self._known.keep(agent_id, ordered)
        return encode(numbers)

    def _put(self, path: str, text: str) -> int:
        try:
            content = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidAgent(f"{path}: expected Unicode text, got {error}") from error
        source_hash = hashlib.sha256(content).hexdigest()
        return self._numbers.get(source_hash, lambda: self._numbered(source_hash, content))

    def _numbered(self, source_hash: str, content: bytes) -> int:
        known = self._database.value("SELECT id FROM sources WHERE hash = ?", (source_hash,))
        if known is not None:
            return int(known)
        return self._database.insert(
            "sources",
            {"hash": source_hash, "size": len(content), "content": zlib.compress(content)},
        )

    def files(self, agent_id: str) -> dict[str, str]:
        """An agent's files by path, in path order; empty for an unknown agent.

        Raises:
            CambrianError: a stored text is damaged.
        """
        return dict(self._known.get(agent_id, lambda: self._read(agent_id)))

    def _read(self, agent_id: str) -> dict[str, str]:
        rows = self._database.rows(
            "SELECT f.key AS path, s.hash, s.content FROM agents a, json_each(a.files) f "
            "LEFT JOIN sources s ON s.id = f.value WHERE a.id = ? ORDER BY f.key",
            (agent_id,),
        )
        return {row["path"]: read(row["hash"], row["content"]).decode("utf-8") for row in rows}

    def between(self, first: int, last: int) -> dict[str, dict[str, int]]:
        """The number of each file's text, by path in order, by agent, of the agents with numbers in
        a range: one query for a batch."""
        rows = self._database.rows(
            "SELECT id, files FROM agents WHERE number BETWEEN ? AND ? ORDER BY number",
            (first, last),
        )
        return {row["id"]: dict(sorted(decode(row["files"]).items())) for row in rows}

    def texts(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Number and bytes of each text, one at a time.

        Raises:
            CambrianError: one is missing or damaged.
        """
        for number in numbers:
            row = self._database.row("SELECT hash, content FROM sources WHERE id = ?", (number,))
            found = row or {"hash": None, "content": None}
            yield number, read(found["hash"], found["content"])


def read(source_hash: str | None, content: bytes | None) -> bytes:
    """The bytes of a stored text.

    Raises:
        CambrianError: it is not there, does not decompress, or is not what its hash says.
    """
    if source_hash is None or content is None:
        raise CambrianError("the text of a file is missing: `cambrian db check` says whose")
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
        raise InvalidAgent("expected at least one file, got none")
    for path in files:
        parts = path.split("/")
        plain = path.isprintable() and not set(path) & set('"\\')
        if not plain or any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
            raise InvalidAgent(
                f"expected a plain relative path such as parts/replay.py, got {path!r}"
            )
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    if both := folders & set(files):
        raise InvalidAgent(f"{sorted(both)[0]!r} is both a file and a folder")
