"""The refs of the lineage, all at once, in git's `packed-refs` file (gitrepository-layout(5)).

A batch moves tens of refs. `git update-ref` writes a file for each, looks every name up among the
packed ones and leaves the rest to `git pack-refs`: that took twice as long as writing the commits.
So they are written as packing them would write them, under git's own lock and by an atomic rename.
The lineage's are `heads/main`, `heads/champion`, and all under `agents` and `cambrian`; others are
people's (a tag, a branch, notes), and stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from cambrian.archive.lineage.git import take_lock

CHAMPION = "refs/heads/champion"
MAIN = "refs/heads/main"
BRANCH = CHAMPION.removeprefix("refs/heads/")
"""What a clone checks out."""
LEAVES = "refs/agents/"
_OWN = (LEAVES, "refs/cambrian/")

_HEADER = b"# pack-refs with: peeled fully-peeled sorted \n"


def owned(ref: str) -> bool:
    """Whether the lineage says where this one points."""
    return ref in (MAIN, CHAMPION) or ref.startswith(_OWN)


def write(repository: Path, refs: Mapping[str, str]) -> None:
    """Make these (name and commit) the lineage's refs, and no others.

    Raises:
        StorageLocked: git's lock on them is taken again and again.
        OSError: they cannot be written; those of before stand.
    """
    packed, lock = repository / "packed-refs", repository / "packed-refs.lock"
    take_lock(lock)
    try:
        lines = {ref.encode(): f"{commit} {ref}\n".encode() for ref, commit in refs.items()}
        lines |= _others(packed)
        text = _HEADER + b"".join(lines[ref] for ref in sorted(lines))
        if packed.is_file() and packed.read_bytes() == text:
            lock.unlink()
        else:
            with lock.open("wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            lock.replace(packed)
    except BaseException:
        lock.unlink(missing_ok=True)
        raise
    for path in _loose(repository):  # one of before would count for more
        path.unlink(missing_ok=True)


def _others(packed: Path) -> dict[bytes, bytes]:
    """People's refs as they stand there: a line each, and another with what a tag is a tag of."""
    found: dict[bytes, bytes] = {}
    ref = b""
    for line in packed.read_bytes().splitlines(keepends=True) if packed.is_file() else ():
        if line.startswith(b"^"):
            if ref in found:
                found[ref] += line
            continue
        ref = line.rstrip(b"\n").partition(b" ")[2]
        if not line.startswith(b"#") and not owned(ref.decode("utf-8", "replace")):
            found[ref] = line
    return found


def _loose(repository: Path) -> Iterator[Path]:
    yield from (repository / ref for ref in (MAIN, CHAMPION))
    for folder in _OWN:
        with suppress(FileNotFoundError):
            paths = sorted((repository / folder).iterdir())
            yield from (path for path in paths if path.is_file() and path.suffix != ".lock")
