"""Backups: a consistent pair while a run writes, put back whole; compacting; migrating."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cambrian.archive import Archive, Database
from cambrian.archive.lineage import lineage as lineage_module
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.schema import schema
from cambrian.archive.transfer.backup import backup, compact, restore
from cambrian.archive.transfer.check import check
from cambrian.errors import NotFound, Refused, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Identity

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
def tree(garden: ArchiveFixture, monkeypatch: pytest.MonkeyPatch) -> Archive:
    monkeypatch.setattr(lineage_module, "SHEAF", 3)
    seed = garden.seed()
    for step in range(9):
        garden.grow(f"agent {step}", seed, score=0.1 * step)
        if step % 4 == 0:
            Lineage(garden.archive).update()
    return garden.archive


def test_a_backup_is_an_archive_with_its_lineage(
    tree: Archive, tmp_path: Path, code_id: Identity
) -> None:
    made = backup(tree, tmp_path / "copy")
    assert (made.agents, made.commits) == (10, 10)
    with Archive.open(tmp_path / "copy", read_only=True) as copy:
        assert check(copy, identity=code_id) == []
        assert copy.counts() == tree.counts()
    with Archive.open(tmp_path / "copy") as copy:
        assert Lineage(copy).update() == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "home"]


def test_a_backup_taken_while_a_run_writes_is_consistent(tmp_path: Path, code_id: Identity) -> None:
    home = tmp_path / "home"
    with subprocess.Popen([sys.executable, str(WRITER), str(home)]) as writer:
        try:
            deadline = time.monotonic() + 120
            while not (home / "ready").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            sizes: list[int] = []
            while not sizes or sizes[-1] < sizes[0] + 5:
                assert time.monotonic() < deadline
                with Archive.open(home, read_only=True) as archive:
                    sizes.append(backup(archive, tmp_path / f"copy{len(sizes)}").agents)
            assert writer.poll() is None
        finally:
            writer.kill()
    assert sizes == sorted(sizes)
    for number in range(len(sizes)):
        with Archive.open(tmp_path / f"copy{number}", read_only=True) as copy:
            assert check(copy, identity=code_id) == []


def test_a_backup_goes_nowhere_else_and_leaves_nothing_half_made(
    tree: Archive, tmp_path: Path
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(UsageError, match="not empty"):
        backup(tree, tmp_path / "full")
    with pytest.raises(UsageError, match="is a file"):
        backup(tree, tmp_path / "full" / "thesis.tex")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "home"]


def test_a_backup_is_put_back_and_nothing_is_deleted(
    tree: Archive, garden: ArchiveFixture, tmp_path: Path
) -> None:
    backup(tree, tmp_path / "copy")
    before = tree.counts()
    garden.grow("later", garden.seed(), score=0.95)
    tree.close()
    with pytest.raises(Refused, match="--force"):
        restore(tmp_path / "copy", tree.path)
    with Archive.open(tree.path) as held, held.lock(), pytest.raises(Refused, match="held by"):
        restore(tmp_path / "copy", tree.path, force=True)
    aside = restore(tmp_path / "copy", tree.path, force=True)
    assert aside is not None
    with Archive.open(tree.path) as restored:
        assert restored.counts() == before
        assert Lineage(restored).verify() == []
    with Archive.open(aside, read_only=True) as old:
        assert old.counts()["agents"] == before["agents"] + 1
    assert restore(tmp_path / "copy", tmp_path / "elsewhere") is None


def test_a_backup_that_is_damaged_newer_or_none_is_refused(tree: Archive, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="not a backup"):
        restore(tree.path, tmp_path / "new")
    backup(tree, tmp_path / "copy")
    manifest = tmp_path / "copy" / "backup.json"
    kept = manifest.read_text()
    manifest.write_text(json.dumps({**json.loads(kept), "format": 99, "cambrian": "9.9"}))
    with pytest.raises(Refused, match="newer"):
        restore(tmp_path / "copy", tmp_path / "new")
    manifest.write_text(kept)
    with (tmp_path / "copy" / "archive.db").open("r+b") as file:
        file.seek(5000)
        file.write(b"\xff" * 8)
    with pytest.raises(Refused, match="damaged"):
        restore(tmp_path / "copy", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_compacting_changes_nothing_but_the_size(
    tree: Archive, garden: ArchiveFixture, code_id: Identity
) -> None:
    for step in range(40):
        garden.reject(garden.propose(f"rejected {step} {'x' * 5000}", tree.agents.seeds()[0].id))
    rows = tree.database.rows("SELECT * FROM agents ORDER BY id")
    done = compact(tree)
    assert done.after < done.before
    assert tree.database.rows("SELECT * FROM agents ORDER BY id") == rows
    assert check(tree, identity=code_id) == []


def test_an_archive_is_backed_up_before_it_is_migrated(tree: Archive) -> None:
    def m900_torn(database: Database) -> None:
        database.execute("CREATE TABLE torn (a INTEGER) STRICT")
        raise RuntimeError("the power went")

    before = tree.counts()
    tree.close()
    with pytest.raises(RuntimeError):
        Archive.open(tree.path, migrations=(*schema.MIGRATIONS, m900_torn))
    kept = tree.path / "archive.db.before-m900_torn"
    assert kept.is_file()
    with Archive.open(tree.path) as again:
        assert again.counts() == before
    kept.rename(tree.path / "archive.db")
    with Archive.open(tree.path) as restored:
        assert restored.counts() == before


def test_an_archive_that_an_older_daemon_holds_is_not_migrated_under_it(tree: Archive) -> None:
    def m900_more(database: Database) -> None:
        database.execute("CREATE TABLE more (a INTEGER) STRICT")

    newer = (*schema.MIGRATIONS, m900_more)
    with tree.lock(), pytest.raises(Refused, match="still holds it"):
        Archive.open(tree.path, migrations=newer)
