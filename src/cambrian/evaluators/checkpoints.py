"""Streams that go on where they were cut: what the evaluator knows, and the learner as bytes.

After each finished task a file holds what was measured so far (ours, plain JSON) and the learner's
state (the learner's, opaque: it is checked for its size, never opened, and given back only to the
same code in the same stream at the same task, so nothing can pass from one run to another). A file
that is damaged, or of something else, is as good as none: the stream begins again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAGIC = b"CBC1"
DIGEST = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Saved:
    """A stream after its first `done` tasks: what was measured, and the learner's bytes."""

    done: int
    record: Mapping[str, Any]
    state: bytes = field(repr=False)


def key_of(files: Mapping[str, str], *parts: object) -> str:
    """Names one stream of one agent: a hash of its code and of what it runs on."""
    digest = hashlib.sha256(json.dumps(parts).encode())
    for path, text in sorted(files.items()):
        for item in (path, text):
            raw = item.encode()
            digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()


class Checkpoints:
    """The file of one stream of one agent in a folder of the host's.

    Attributes:
        resumed: whether the stream goes on from what was saved, so that what is seen of it now is
            not the whole.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.key = key
        self.path = folder / f"{key[:32]}.checkpoint"
        self.resumed = False

    def load(self) -> Saved | None:
        """What was saved last; None where there is nothing whole, or the learner could not be kept
        (the stream then begins again)."""
        try:
            raw = self.path.read_bytes()
        except OSError:
            return None
        body = raw[len(MAGIC) + DIGEST :]
        if raw[: len(MAGIC)] != MAGIC or hashlib.sha256(body).digest() != raw[4 : 4 + DIGEST]:
            return None
        size = int.from_bytes(body[:8], "big")
        known, state = json.loads(body[8 : 8 + size]), body[8 + size :]
        if known["key"] != self.key or not state:
            return None
        self.resumed = True
        return Saved(int(known["done"]), known["record"], state)

    def save(self, saved: Saved) -> None:
        """Keep this in place of what was kept before; the file is whole at every moment."""
        known = {"key": self.key, "done": saved.done, "record": dict(saved.record)}
        text = json.dumps(known, allow_nan=False).encode()
        body = len(text).to_bytes(8, "big") + text + saved.state
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=self.path.parent, suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(MAGIC + hashlib.sha256(body).digest() + body)
            Path(part).replace(self.path)
        except OSError:
            Path(part).unlink(missing_ok=True)
            raise

    def clear(self) -> None:
        """The stream is through."""
        with contextlib.suppress(OSError):
            self.path.unlink()
