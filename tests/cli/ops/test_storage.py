"""Disks that fill up, go read-only, are locked or damaged: said in words, and lived through."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import Cli, EvolvedArchive
from tests.cli.run.daemons import ROOT, daemon

from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.sqlite import database as database_module
from cambrian.daemon import socket
from cambrian.testing import forked_runs


def on_a_disk_of_its_own(case: str, folder: Path) -> dict[str, tuple[int, str]]:
    """What the commands of a case of storage.py said, and their exit codes."""
    folder.mkdir()
    namespaces = "-m" if os.geteuid() == 0 else "-Urm"
    script = [sys.executable, "-m", "tests.cli.ops.storage", case, str(folder)]
    done = subprocess.run(
        ["unshare", namespaces, *script], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, f"this test needs mounts of its own: {done.stderr}"
    found = json.loads(done.stdout)
    return {command: (code, words) for command, (code, words) in found.items()}


def test_on_a_full_disk_nothing_half_is_left_and_the_archive_can_be_read(tmp_path: Path) -> None:
    said = on_a_disk_of_its_own("full", tmp_path / "disk")
    for command in ("db backup", "archive export", "db lineage"):
        code, words = said[command]
        assert code == 1, command
        assert "the disk is full" in words, command
        assert words.count("\n") == 1, command
    assert said["left behind"][1] == "[]"
    assert said["status"][0] == 0
    assert said["db check"] == (0, "nothing is wrong\n")
    assert said["db backup, with room"][0] == 0


def test_a_read_only_archive_can_be_read_and_says_why_it_cannot_be_written(tmp_path: Path) -> None:
    said = on_a_disk_of_its_own("read-only", tmp_path / "disk")
    for command, (code, words) in said.items():
        writes = command.endswith("(writes)")
        assert code == int(writes), f"{command}: {words}"
        assert ("read-only file system" in words) == writes, command


def test_who_is_kept_from_writing_is_refused(
    run_cli: Cli, grown: EvolvedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_MS", 50)
    with writer(grown.path):
        result = run_cli("pause")
        assert result.exit_code == 5
        assert "another process" in result.stderr
        assert run_cli("status").exit_code == 0
    assert run_cli("pause").exit_code == 0


def test_a_missing_git_object_is_found_and_made_anew(run_cli: Cli, grown: EvolvedArchive) -> None:
    assert run_cli("db", "lineage").exit_code == 0
    lineage = Lineage(grown.archive)
    assert run_cli("db", "check").exit_code == 0
    for pack in (lineage.path / "objects" / "pack").glob("*.pack"):
        pack.unlink()
    result = run_cli("db", "check")
    assert result.exit_code == 1
    assert "lineage" in result.stdout
    assert run_cli("db", "lineage").exit_code == 0
    assert run_cli("db", "check").exit_code == 0


@contextmanager
def writer(home: Path) -> Iterator[sqlite3.Connection]:
    """Another program that writes, and does not come to an end."""
    with closing(sqlite3.connect(home / "archive.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        other.execute("ROLLBACK")


def test_a_read_only_archive_pauses_the_run_which_goes_on_when_it_may_write(
    tmp_path: Path,
) -> None:
    home = tmp_path / "run"
    with daemon(home) as running:
        (home / "readonly").touch()
        status = running.until(lambda s: "storage" in s["paused"])
        assert "read-only" in status["paused"]["storage"]
        before = judged(home)
        (home / "readonly").unlink()
        running.until(lambda s: not s["paused"] and s["counts"]["judged"] > before)
    assert forked_runs.sound(home) == []


def test_a_lock_pauses_the_run_which_goes_on_when_it_is_given_back(tmp_path: Path) -> None:
    home = tmp_path / "run"
    with daemon(home, "busy=200") as running:
        with writer(home):
            status = running.until(lambda s: "storage" in s["paused"])
            assert "another process" in status["paused"]["storage"]
        before = judged(home)
        running.until(lambda s: not s["paused"] and s["counts"]["judged"] > before)
    assert forked_runs.sound(home) == []


def test_a_damaged_page_pauses_the_run_which_goes_on_when_it_is_whole(tmp_path: Path) -> None:
    home = tmp_path / "run"
    with daemon(home) as running:
        running.until(lambda s: s["counts"]["judged"] >= 1)
        socket.ask(home, "pause", {"now": True})
        running.until(lambda s: "asked" in s["paused"] and not s["jobs"]["leased"])
        offset, page = damage(home, "evaluations")
        socket.ask(home, "resume", {})
        status = running.until(lambda s: "storage" in s["paused"])
        assert "cambrian db restore" in status["paused"]["storage"]
        before = judged(home)
        write(home, offset, page)
        running.until(lambda s: not s["paused"] and s["counts"]["judged"] > before)
    assert forked_runs.sound(home) == []


def judged(home: Path) -> int:
    with Archive.open(home, read_only=True) as archive:
        return archive.counts()["judged"]


def damage(home: Path, table: str) -> tuple[int, bytes]:
    """Overwrite the first page of a table in the file; where, and what was there."""
    with closing(sqlite3.connect(home / "archive.db", isolation_level=None)) as other:
        root = other.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()[0]
        size = other.execute("PRAGMA page_size").fetchone()[0]
        # Into the file, and then out of everybody's memory: a page is read again after a change.
        busy, log, moved = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert (busy, log) == (0, moved)
        with (home / "archive.db").open("rb") as file:
            file.seek((root - 1) * size)
            page = file.read(size)
        write(home, (root - 1) * size, b"\xff" * size)
        other.execute("UPDATE runs SET wall_s = wall_s")
    return (root - 1) * size, page


def write(home: Path, offset: int, page: bytes) -> None:
    with (home / "archive.db").open("r+b") as file:
        file.seek(offset)
        file.write(page)
