"""Every ref of a repository at once, in its `packed-refs` file (gitrepository-layout(5)).

A batch moves tens of refs. `git update-ref` writes a file for each, looks every name up among the
packed ones and leaves the rest to `git pack-refs`: that took twice as long as writing the commits.
All refs of the lineage are the map's, so they are written as the one file that packing them would
give, with git's own lock and an atomic rename. What lies loose beside it is then of before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cambrian.archive.git import GitError

_HEADER = "# pack-refs with: peeled fully-peeled sorted \n"


def write(repository: Path, refs: Mapping[str, str]) -> None:
    """Make these (name and commit) the repository's refs, and no others.

    Raises:
        GitError: another process has locked them, or was killed while it had.
        OSError: they cannot be written; those of before stand.
    """
    packed, text = repository / "packed-refs", _packed(refs)
    if not (packed.is_file() and packed.read_bytes() == text):
        _replace(packed, text)
    for path in (repository / "refs").rglob("*"):  # a loose one would count for more
        if not path.is_dir():
            path.unlink(missing_ok=True)


def _packed(refs: Mapping[str, str]) -> bytes:
    # None is an annotated tag, so there is nothing to peel.
    lines = (f"{commit} {name}\n" for name, commit in sorted(refs.items()))
    return (_HEADER + "".join(lines)).encode()


def _replace(packed: Path, text: bytes) -> None:
    lock = packed.with_name("packed-refs.lock")
    try:
        with lock.open("xb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise GitError(f"{lock.name}: the refs are locked") from error
    except BaseException:
        lock.unlink(missing_ok=True)
        raise
    lock.replace(packed)
