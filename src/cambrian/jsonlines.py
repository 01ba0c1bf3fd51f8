"""Files of JSON lines that a measurement adds to, and that a kill at any moment leaves whole.

A line is on the disk before `append` returns. A last line that a kill cut off does not count.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cambrian.errors import CambrianError

T = TypeVar("T")


def append(path: Path, record: Any) -> None:
    """Add a line, and have it on the disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
        file.flush()
        os.fsync(file.fileno())


def mend(path: Path) -> None:
    """Take away a last line that a kill cut off, where there is such a file."""
    if path.is_file():
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)


def read(path: Path, make: Callable[[Any], T], expected: str, advice: str) -> list[T]:
    """What the whole lines of a file hold; it may be compressed (.gz).

    Args:
        make: makes one of a line's JSON; ValueError, TypeError, KeyError and AttributeError say
            that it is none.
        expected, advice: for the message: "an evaluation", "remove the line, and it is run again".

    Raises:
        CambrianError: a line is not what was expected.
    """
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    found = []
    for at, line in enumerate(data[: data.rfind(b"\n") + 1].decode().splitlines(), start=1):
        try:
            found.append(make(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise CambrianError(
                f"expected {expected} in line {at} of {path}, got {line[:60]!r}: {advice}"
            ) from error
    return found
