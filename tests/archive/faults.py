"""What happens to an archive when its disk gives storage_errors, as a process in mounts of its own.

python faults.py full|read-only FOLDER [SIZE]

Prints one JSON object. Run it under `unshare -m` (see test_faults.py): the mounts go with it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.archive.conftest import ArchiveFixture, identity

from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.sqlite import storage_errors
from cambrian.archive.transfer.check import check
from cambrian.errors import CambrianError, StorageTrouble


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def full(folder: Path) -> dict[str, object]:
    """Write evaluations onto a small disk until it is full, then free space and go on."""
    mount("-t", "tmpfs", "-o", "size=3m", "none", str(folder))
    ballast = folder / "ballast"
    ballast.write_bytes(b"x" * (1 << 20))
    with Archive.create(folder / "home") as archive:
        garden = ArchiveFixture(archive)
        seed = garden.seed()
        Lineage(archive).update()
        recorded, said, reason = 0, "", ""
        try:
            while True:
                record = garden.evaluation(seed=recorded, reason="because " * 100)
                archive.evaluations.record(seed, record)
                recorded += 1
        except StorageTrouble as error:
            said, reason = str(error), error.reason
        kept = archive.counts()["evaluations_scored"]
        ballast.unlink()
        went_on = archive.evaluations.record(seed, record)
        after = archive.counts()["evaluations_scored"]
        problems = [str(problem) for problem in check(archive, identity=identity)]
    return {
        "recorded": recorded,
        "kept": kept,
        "said": said,
        "reason": reason,
        "went_on": went_on,
        "after": after,
        "problems": problems,
    }


def lineage_full(folder: Path) -> dict[str, object]:
    """The disk is full when the lineage is brought up to date: the archive does not mind."""
    mount("-t", "tmpfs", "-o", "size=8m", "none", str(folder))
    with Archive.create(folder / "home") as archive:
        garden = ArchiveFixture(archive)
        seed = garden.seed()
        Lineage(archive).update()
        child = garden.grow("child", seed)
        ballast = folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        said = ""
        try:
            Lineage(archive).update()
        except CambrianError as error:
            said = str(error)
        ballast.unlink(missing_ok=True)
        written = Lineage(archive).update()
        commit = Lineage(archive).commit(child)
        problems = [str(problem) for problem in check(archive, identity=identity)]
    return {"said": said, "written": written, "commit": commit, "problems": problems}


def read_only(folder: Path) -> dict[str, object]:
    """The same archive on a file system that was remounted read-only."""
    with Archive.create(folder / "home") as archive:
        seed = ArchiveFixture(archive).seed()
    mount("--bind", str(folder), str(folder))
    mount("-o", "remount,ro,bind", str(folder))
    said, code = "", 0
    try:
        with Archive.open(folder / "home") as archive:
            archive.agents.set_score(seed, 0.9, 0.8, 1.0)
    except CambrianError as error:
        said, code = str(error), error.exit_code
    with Archive.open(folder / "home", read_only=True) as reader:
        score = reader.agents.get(seed).score
    # What SQLite says of a log that became read-only under its open file.
    found = storage_errors.explained(
        storage_errors.of("failing", "disk I/O error"), folder / "home"
    )
    return {"said": said, "code": code, "score": score, "explained": found.reason}


CASES = {"full": full, "lineage-full": lineage_full, "read-only": read_only}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(CASES[sys.argv[1]](Path(sys.argv[2]))))
