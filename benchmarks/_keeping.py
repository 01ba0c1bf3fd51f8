"""What keeping an archive costs: each command in a process of its own, for its time and memory.

    python benchmarks/_keeping.py COMMAND FOLDER      prints one JSON object

FOLDER has the archive in `home`; what a command makes is beside it.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from _made import SEEDS, identity, identity_of

from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.transfer.backup import backup, compact, restore
from cambrian.archive.transfer.bundle import export
from cambrian.archive.transfer.check import check
from cambrian.archive.transfer.merging import merge

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "archive.md"


def project(folder: Path) -> None:
    """All of the tree into a new git repository."""
    with Archive.open(folder / "home") as archive, archive.lock():
        Lineage(archive).rebuild()


def check_all(folder: Path) -> None:
    with Archive.open(folder / "home", read_only=True) as archive:
        if found := check(archive, identity=identity_of):
            raise SystemExit(f"db check: {found[:3]}")


def back_up(folder: Path) -> None:
    shutil.rmtree(folder / "backup", ignore_errors=True)
    with Archive.open(folder / "home", read_only=True) as archive:
        backup(archive, folder / "backup")


def put_back(folder: Path) -> None:
    shutil.rmtree(folder / "restored", ignore_errors=True)
    restore(folder / "backup", folder / "restored")


def compact_all(folder: Path) -> None:
    """Of the restored copy: as big, and nobody's loss."""
    with Archive.open(folder / "restored") as archive, archive.lock():
        compact(archive)


def write_bundle(folder: Path) -> None:
    (folder / "bundle").unlink(missing_ok=True)
    with Archive.open(folder / "home", read_only=True) as archive:
        export(archive, folder / "bundle")


def read_bundle(folder: Path) -> None:
    """Into an archive that is new."""
    shutil.rmtree(folder / "imported", ignore_errors=True)
    with Archive.create(folder / "imported") as archive, archive.lock():
        merge(archive, folder / "bundle", identity_of)


def merge_again(folder: Path) -> None:
    """Into an archive that has all of it."""
    with Archive.open(folder / "imported") as archive, archive.lock():
        merge(archive, folder / "bundle", identity_of)


COMMANDS: dict[str, Callable[[Path], None]] = {
    "db lineage": project,
    "db check": check_all,
    "db backup": back_up,
    "db restore": put_back,
    "db compact": compact_all,
    "archive export": write_bundle,
    "archive import": read_bundle,
    "archive merge, all known": merge_again,
}
IMPORTS = ("archive import", "archive merge, all known")


def kept(folder: Path, imports: bool) -> dict[str, dict[str, float]]:
    """Seconds, CPU seconds and peak memory (MB) of each command but `db lineage`, in order."""
    names = [name for name in COMMANDS if name != "db lineage" and (imports or name not in IMPORTS)]
    found = {name: command(name, folder) for name in names}
    for left in ("backup", "restored", "imported"):
        shutil.rmtree(folder / left, ignore_errors=True)
    (folder / "bundle").unlink(missing_ok=True)
    return found


def command(name: str, folder: Path) -> dict[str, float]:
    """One of them, in its own process."""
    asked = [sys.executable, __file__, name, str(folder)]
    done = subprocess.run(asked, stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    said = f"{name}: {found['s']:.1f} s, of it CPU {found['CPU s']:.1f} s, {found['MB']:.0f} MB"
    print(said, file=sys.stderr, flush=True)
    return found


def questions(home: Path, count: int) -> dict[str, float]:
    """Milliseconds for each question that docs/archive.md shows, asked without anything of ours."""
    agent = count - SEEDS
    given = {"agent": identity(agent), "number": agent}
    found = {}
    location = f"{(home / 'archive.db').absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(location, uri=True)) as plain:
        for block in re.findall(r"```sql\n-- (.*?)```", DOCUMENT.read_text(), re.S):
            for question in block.split("\n\n-- "):
                name, sql = question.split("\n", 1)
                began = time.perf_counter()
                plain.execute(sql, given).fetchall()
                found[name] = 1000 * (time.perf_counter() - began)
    return found


if __name__ == "__main__":
    began = time.perf_counter()
    COMMANDS[sys.argv[1]](Path(sys.argv[2]))
    took = time.perf_counter() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    spent = sum(each.ru_utime + each.ru_stime for each in used)
    peak = max(each.ru_maxrss for each in used) / 1024
    print(json.dumps({"s": took, "CPU s": spent, "MB": peak}))
