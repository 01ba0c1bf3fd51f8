"""Arrays that are slow to make, kept in the user's cache folder.

A file appears under its name when it is whole; one that is damaged is made again. Nothing is ever
unpickled from it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian import places
from cambrian.errors import UsageError

Arrays = dict[str, NDArray[Any]]

_DAMAGED = (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, OSError)


def folder() -> Path:
    """Where the arrays are kept. Raises UsageError: no home directory is known."""
    return places.cache() / "data"


def cached(name: str, names: tuple[str, ...], make: Callable[[], Mapping[str, Any]]) -> Arrays:
    """The arrays `names` of the file `name`.npz, made once by `make`.

    No home directory, or a folder that cannot be written to, costs time at each start and
    nothing else.
    """
    with contextlib.suppress(UsageError, *_DAMAGED):
        return _read(folder() / f"{name}.npz", names)
    made = {key: np.asarray(value) for key, value in make().items()}
    with contextlib.suppress(UsageError, OSError):
        _write(folder() / f"{name}.npz", made)
    return {key: made[key] for key in names}


def _read(path: Path, names: tuple[str, ...]) -> Arrays:
    with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        return {name: file[name] for name in names}


def _write(path: Path, arrays: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        Path(part).replace(path)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise
