"""What this machine has of what Cambrian needs. Everything is looked at, whatever is missing."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cambrian.cli.render.text import line, quantity
from cambrian.errors import CambrianError

PYTHON = (3, 11)
SQLITE = (3, 37, 0)  # STRICT tables
GIT = (2, 28)  # init --initial-branch
FREE_BYTES = 2 << 30
ANSWER_S = 20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        ok: True, False, or None for what is good to know and no more.
        detail: what was found. advice: what to do about it, where it is not ok.
    """

    name: str
    ok: bool | None
    detail: str
    advice: str = ""


def findings(archive: Path) -> Iterator[Finding]:
    """Python, SQLite, git, packages, engine, image, bubblewrap, disk and archive."""
    yield _python()
    yield _sqlite()
    yield _git()
    yield _packages()
    yield from _engine()
    yield _bubblewrap()
    yield Finding("processors", None, f"{len(os.sched_getaffinity(0))} for this process")
    for place in sorted({_existing(archive), Path(tempfile.gettempdir())}):
        yield _disk(place)
    yield _archive(archive)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, PYTHON))
    return Finding("python", sys.version_info[:2] >= PYTHON, found, f"install Python {wanted}")


def _sqlite() -> Finding:
    found = sqlite3.sqlite_version
    wanted = ".".join(map(str, SQLITE))
    advice = f"use a Python that is built with SQLite {wanted} or later"
    return Finding("sqlite", numbers(found) >= SQLITE, found, advice)


def _git() -> Finding:
    advice = "install git (the lineage is a git repository)"
    try:
        said = subprocess.run(
            ["git", "--version"], capture_output=True, text=True, timeout=ANSWER_S, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("git", False, f"does not run: {error}", advice)
    return Finding("git", numbers(said)[:2] >= GIT, line(said), advice)


def _packages() -> Finding:
    try:
        wanted = importlib.metadata.requires("cambrian") or []
    except importlib.metadata.PackageNotFoundError:
        return Finding("packages", None, "Cambrian runs from a checkout: cannot say what it needs")
    lacking = [problem for entry in wanted if (problem := _lacking(entry))]
    if lacking:
        return Finding("packages", False, "; ".join(lacking), "pip install cambrian")
    return Finding("packages", True, f"all {len(wanted)} are there")


def _lacking(entry: str) -> str | None:
    """What is wrong with one requirement ("torch>=2.6"); None if it is met."""
    match = re.match(r"([A-Za-z0-9._-]+)\s*(?:>=\s*([0-9.]+))?", entry)
    if match is None or ";" in entry:  # a marker: an extra, or for another system
        return None
    name, least = match.groups()
    try:
        found = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if least and numbers(found) < numbers(least):
        return f"{name} {found} is older than {least}"
    return None


def _engine() -> Iterator[Finding]:
    """The Docker engine, and the sandbox image in it."""
    from cambrian.errors import Unreachable

    try:
        from cambrian.sandbox.image.image import show

        info = show()
    except Unreachable as error:
        yield Finding("engine", False, "none answers", str(error))
        return
    except (CambrianError, ImportError) as error:
        yield Finding("engine", False, f"cannot tell: {error}", "mend that first")
        return
    yield Finding("engine", True, "a Docker engine answers")
    if info is None:
        yield Finding("image", False, "not built", "cambrian image build")
    else:
        yield Finding("image", True, f"{info.tag} (torch {info.torch}, {quantity(info.size, 'B')})")


def _bubblewrap() -> Finding:
    def version() -> str:
        from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend

        backend = BubblewrapBackend()
        return f"{backend.version}, isolation {backend.isolation}"

    # Only good to know: Docker does without it.
    return _tried("bubblewrap", version, None)


def _tried(name: str, look: Callable[[], str], ok: bool | None) -> Finding:
    try:
        return Finding(name, ok, look())
    except (CambrianError, ImportError) as error:
        return Finding(name, ok, f"not usable: {error}")


def _disk(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    advice = f"make room: at least {quantity(FREE_BYTES, 'B')} are needed"
    return Finding("disk", free >= FREE_BYTES, f"{quantity(free, 'B')} free at {place}", advice)


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())


def _archive(path: Path) -> Finding:
    from cambrian.errors import NotFound

    try:
        from cambrian.archive import Archive

        with Archive.open(path, read_only=True) as archive:
            counts = archive.counts()
            holder = archive.lock_holder()
    except NotFound:
        return Finding("archive", None, f"none at {path} yet; `cambrian run` makes one")
    except (CambrianError, ImportError, sqlite3.Error) as error:
        return Finding("archive", False, str(error), "cambrian db check looks closer")
    used = "" if holder is None else f", in use by process {holder}"
    return Finding("archive", True, f"{path}: {counts['agents']} agents{used}")


def numbers(text: str) -> tuple[int, ...]:
    """The first dotted number in a text: "git version 2.39.5" is (2, 39, 5)."""
    match = re.search(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match.group().split(".")) if match else ()
