"""What models were asked, as it was delivered, and what became of the changes that they gave."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cambrian.archive.sqlite.database import Database

MAX_ASKED = 8 << 20
"""Bytes of a question that are read back at most."""


@dataclass(frozen=True)
class Question:
    """One question of a proposal.

    Attributes:
        position: which one, from 0.
        messages: role and content each, as they were delivered; untrusted text.
        cut: what was left out of the evidence, each with its name and why.
    """

    position: int
    messages: Sequence[Mapping[str, str]]
    cut: Sequence[Mapping[str, Any]]


class Questions:
    """Questions, and the changes of the answers to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(
        self,
        proposal_id: int,
        position: int,
        messages: Sequence[Mapping[str, str]],
        cut: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Keep a question; the first one of a position stays, as its answer does."""
        asked = zlib.compress(json.dumps(list(messages)).encode())
        with self._database.step():
            self._database.execute(
                "INSERT OR IGNORE INTO questions (proposal_id, position, asked, cut) "
                "VALUES (?, ?, ?, ?)",
                (proposal_id, position, asked, json.dumps(list(cut))),
            )

    def of(self, proposal_id: int) -> list[Question]:
        """The questions of a proposal that were answered, in order."""
        rows = self._database.rows(
            "SELECT position, asked, cut FROM questions WHERE proposal_id = ? ORDER BY position",
            (proposal_id,),
        )
        return [
            Question(
                row["position"],
                json.loads(zlib.decompressobj().decompress(row["asked"], MAX_ASKED)),
                json.loads(row["cut"]),
            )
            for row in rows
        ]

    def record_changes(
        self,
        proposal_id: int,
        attempt: int,
        model: str,
        format_: str,
        changes: Sequence[tuple[int, bool]],
    ) -> None:
        """Keep what became of each change of an answer (its characters, whether it was made).
        What was recorded of the same attempt before a kill is replaced."""
        with self._database.step():
            self._database.execute(
                "DELETE FROM edit_changes WHERE proposal_id = ? AND attempt = ?",
                (proposal_id, attempt),
            )
            for position, (size, made) in enumerate(changes):
                self._database.insert(
                    "edit_changes",
                    {
                        "proposal_id": proposal_id,
                        "attempt": attempt,
                        "position": position,
                        "model": model,
                        "format": format_,
                        "size": size,
                        "made": int(made),
                    },
                )
