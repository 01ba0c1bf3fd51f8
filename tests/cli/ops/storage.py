"""The commands on a disk that gives trouble, as a process in mounts of its own.

python -m tests.cli.ops.storage full|read-only FOLDER

Prints one JSON object: what each command said and ended with. Run it under `unshare -m` (see
test_storage.py): the mounts go with it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import SOURCE, EvolvedArchive

Said = dict[str, tuple[int, str]]


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def cambrian(home: Path, *arguments: str) -> tuple[int, str]:
    """Exit code of a command, and what it said to people."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE), "CAMBRIAN_ARCHIVE": str(home)}
    command = [sys.executable, "-m", "cambrian", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode, done.stderr


def full(folder: Path) -> Said:
    mount("-t", "tmpfs", "-o", "size=8m", "none", str(folder))
    home, ballast = folder / "home", folder / "ballast"
    EvolvedArchive(home).archive.close()
    said = {"db lineage, before": cambrian(home, "db", "lineage")}
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    before = sorted(folder.rglob("*"))
    said["db backup"] = cambrian(home, "db", "backup", str(folder / "backup"))
    said["archive export"] = cambrian(home, "archive", "export", str(folder / "bundle"))
    said["db lineage"] = cambrian(home, "db", "lineage")
    said["status"] = cambrian(home, "status")
    ours = {".db-shm", ".db-wal"}
    left = [path for path in folder.rglob("*") if path not in before and path.suffix not in ours]
    said["left behind"] = (len(left), str(left))
    ballast.unlink()
    said["db check"] = cambrian(home, "db", "check")
    said["db backup, with room"] = cambrian(home, "db", "backup", str(folder / "backup"))
    return said


def read_only(folder: Path) -> Said:
    home = folder / "home"
    EvolvedArchive(home).archive.close()
    said = {"db lineage, before": cambrian(home, "db", "lineage")}
    mount("--bind", str(folder), str(folder))
    mount("-o", "remount,ro,bind", str(folder))
    reading = {
        " ".join(command): cambrian(home, *command)
        for command in (
            ("status",),
            ("agent", "list"),
            ("tree",),
            ("sql", "SELECT * FROM agent_tree"),
            ("db", "check"),
        )
    }
    writing = {
        " ".join(command): cambrian(home, *command)
        for command in (
            ("db", "lineage"),
            ("db", "compact"),
            ("db", "migrate"),
            ("pause",),
            ("run", "--proposals", "1", "--sandbox", "none", "--benchmarks", "split-mnist"),
        )
    }
    return said | reading | {f"{name} (writes)": one for name, one in writing.items()}


CASES = {"full": full, "read-only": read_only}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(CASES[sys.argv[1]](Path(sys.argv[2]))))
