"""The files by which a stream's data is revealed: arrays one after the other, mapped read-only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cambrian.sandbox.runner.frames import Array

ALIGNMENT = 64


def write(path: Path, arrays: Mapping[str, Array]) -> dict[str, tuple[str, list[int], int]]:
    """Write arrays (of any shape) one after the other, aligned; the file appears when it is whole.

    Returns:
        Of each its type, its shape (n, ...) and where in the file it begins.
    """
    layout: dict[str, tuple[str, list[int], int]] = {}
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        for name, array in arrays.items():
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            whole = np.ascontiguousarray(array)
            layout[name] = (whole.dtype.str, list(whole.shape), file.tell())
            file.write(whole.data)
    part.chmod(0o644)
    part.rename(path)
    return layout
