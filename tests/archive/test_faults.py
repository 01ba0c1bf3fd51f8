"""Trouble with the disk: a clear error, nothing recorded is damaged, and the same step goes on."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cambrian.archive import Archive
from cambrian.archive.sqlite import database as database_module
from cambrian.archive.sqlite import storage_errors
from cambrian.errors import Refused, StorageTrouble

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture

ROOT = Path(__file__).parents[2]


def in_own_mounts(case: str, folder: Path) -> dict[str, Any]:
    """Run a case of faults.py where its mounts are its own, and go with it."""
    folder.mkdir()
    namespaces = "-m" if os.geteuid() == 0 else "-Urm"
    script = [sys.executable, "-m", "tests.archive.faults", case, str(folder)]
    command = ["unshare", namespaces, *script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_full_disk_stops_one_step_and_damages_nothing(tmp_path: Path) -> None:
    found = in_own_mounts("full", tmp_path / "disk")
    assert found["reason"] == "full"
    assert "free some space" in found["said"]
    assert found["recorded"] > 10
    assert found["kept"] == found["recorded"]
    assert found["went_on"]
    assert found["after"] == found["recorded"] + 1
    assert found["problems"] == []


def test_a_lineage_that_finds_no_room_is_behind_and_catches_up(tmp_path: Path) -> None:
    found = in_own_mounts("lineage-full", tmp_path / "disk")
    assert found["said"]
    assert found["written"] >= 1
    assert found["commit"]
    assert found["problems"] == []


def test_a_read_only_file_system_is_said_so_and_can_still_be_read(tmp_path: Path) -> None:
    found = in_own_mounts("read-only", tmp_path / "disk")
    assert "read-only" in found["said"]
    assert found["code"] == 1
    assert found["score"] == 0.2
    assert found["explained"] == "read-only"


def test_a_database_that_another_writer_holds_is_refused_in_words(
    garden: ArchiveFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = garden.seed()
    other = sqlite3.connect(garden.archive.path / "archive.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    garden.archive.database.execute("PRAGMA busy_timeout = 50")
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    try:
        with pytest.raises(StorageTrouble, match="only writer") as caught:
            garden.archive.agents.set_score(seed, 0.5, 0.4, 0.6)
        assert isinstance(caught.value, Refused)
        assert (caught.value.reason, caught.value.exit_code) == ("locked", 5)
        assert caught.value.passing
        # Readers are not in anybody's way.
        with Archive.open(garden.archive.path, read_only=True) as reader:
            assert reader.agents.get(seed).score == 0.2
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert garden.archive.agents.set_score(seed, 0.5, 0.4, 0.6).score == 0.5


def test_a_damaged_page_is_said_so_when_it_is_read_and_the_rest_stays_readable(
    garden: ArchiveFixture,
) -> None:
    archive = garden.archive
    seed = garden.seed()
    for number in range(200):
        archive.evaluations.record(seed, garden.evaluation(seed=number, reason="r" * 300))
    page = archive.database.value("SELECT rootpage FROM sqlite_master WHERE name = 'evaluations'")
    archive.close()
    with (archive.path / "archive.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 256)
    with Archive.open(archive.path, read_only=True) as damaged:
        with pytest.raises(StorageTrouble, match="db restore") as caught:
            damaged.evaluations.of(seed)
        assert (caught.value.reason, caught.value.passing) == ("damaged", False)
        assert damaged.agents.get(seed).score == 0.2


def test_what_is_not_the_disks_fault_is_left_as_it_is() -> None:
    with pytest.raises(sqlite3.OperationalError, match="syntax"), storage_errors.storage():
        sqlite3.connect(":memory:").execute("SELEKT")
    with pytest.raises(FileNotFoundError), storage_errors.storage():
        Path("/nowhere/at/all").read_bytes()
