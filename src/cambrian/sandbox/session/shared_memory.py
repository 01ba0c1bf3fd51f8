"""Big inputs by a mapped file: one copy in and one out, where a socket needs several of each.

The sandbox sees the file read-only. It holds the inputs that were sent last and nothing else, and
is written to only when the answer to them is in, so that nobody reads what is being written. One
that has become too small stays until the next but one is made.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.sandbox.runner.frames import MAX_PAYLOAD, Array

LEAST = 1 << 17
"""Bytes from which on the file is faster than the socket."""


class Bulk:
    """The file of one job, made when it is first needed and rebuilt when it is too small."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made = 0
        self._map: mmap.mmap | None = None

    def place(self, x: Array) -> tuple[Array, dict[str, Any]]:
        """Where x, float32 of any shape, is to be written once it may be seen, and the description
        of that. Nothing is written yet: what lies there stays as it is.

        Raises:
            OSError: the file cannot be made.
            ValueError: x is larger than any frame's tensor may be.
        """
        if x.nbytes > MAX_PAYLOAD:
            raise ValueError(f"no frame carries {x.nbytes} bytes")
        if self._map is None or x.nbytes > len(self._map):
            self._map = self._make(1 << (x.nbytes - 1).bit_length())
        place = np.frombuffer(self._map, x.dtype, x.size).reshape(x.shape)
        return place, {"bulk": f"bulk-{self._made}", "shape": list(x.shape)}

    def _make(self, size: int) -> mmap.mmap:
        # The last one may not have been opened yet by the runner; the one before has.
        (self._folder / f"bulk-{self._made - 1}").unlink(missing_ok=True)
        self._made += 1
        path = self._folder / f"bulk-{self._made}"
        with path.open("xb+") as file:
            path.chmod(0o644)
            file.truncate(size)
            return mmap.mmap(file.fileno(), size)
