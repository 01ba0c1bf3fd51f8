"""A lineage that was damaged, locked, cut off or left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.archive.conftest import ArchiveFixture
from tests.archive.lineage.repositories import git, loose_refs

from cambrian.archive import Archive
from cambrian.archive.lineage.commits import Commits
from cambrian.archive.lineage.lineage import Lineage
from cambrian.errors import StorageLocked


def _remove(home: Path) -> None:
    shutil.rmtree(home / "lineage.git")


def _forget_the_map(home: Path) -> None:
    (home / "lineage.git/cambrian.db").unlink()


def _damage_the_map(home: Path) -> None:
    (home / "lineage.git/cambrian.db").write_bytes(b"junk" * 1000)


def _lose_objects(home: Path) -> None:
    shutil.rmtree(home / "lineage.git/objects")
    (home / "lineage.git/objects").mkdir()


def _move_main(home: Path) -> None:
    repository = f"--git-dir={home / 'lineage.git'}"
    subprocess.run(["git", repository, "update-ref", "refs/heads/main", "main^"], check=True)


def _lose_head(home: Path) -> None:
    (home / "lineage.git/HEAD").unlink()


def _be_a_file(home: Path) -> None:
    _remove(home)
    (home / "lineage.git").write_text("?")


DAMAGES = [
    *(_remove, _forget_the_map, _damage_the_map, _lose_objects, _move_main),
    *(_lose_head, _be_a_file),
]


def test_a_ref_left_by_a_killed_import_is_cleared_away(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    git(garden.archive, "update-ref", "refs/cambrian/import", "main")
    assert lineage.verify() == [], "it is git's own, and says nothing of the lineage"
    lineage.update()
    assert "refs/cambrian/import" not in git(garden.archive, "for-each-ref")
    assert lineage.verify() == []


def test_refs_that_a_killed_writer_moved_before_the_map_are_no_damage(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    """A kill between the two leaves refs of a moment that the map will know of after an update."""
    lineage = Lineage(garden.archive)
    lineage.update()
    before = (lineage.path / "cambrian.db").read_bytes()
    later = garden.grow("later", tree["leaf"], score=0.1)
    assert lineage.update() == 1
    commit = lineage.commit(later)
    (lineage.path / "cambrian.db").write_bytes(before)
    assert lineage.verify() == []
    git(garden.archive, "update-ref", f"refs/agents/{later[:12]}", "main^")
    assert len(lineage.verify()) == 1, "what points elsewhere is damage all the same"
    lineage.update()
    assert lineage.commit(later) == commit and lineage.verify() == []


def test_refs_that_were_left_locked_or_loose_hold_nothing_up(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    """As a git leaves them that was killed, or a version that let git write them."""
    lineage = Lineage(garden.archive)
    lineage.update()
    later = garden.grow("later", tree["leaf"], score=0.1)
    lock = lineage.path / "packed-refs.lock"
    lock.touch()
    os.utime(lock, (1e9, 1e9))
    assert lineage.update() == 1
    assert not lock.exists()
    (lineage.path / "refs/heads/main").write_text(f"{lineage.commit(later)}\n")
    last = garden.grow("last", later, score=0.1)
    assert lineage.update() == 1
    assert loose_refs(garden.archive) == []
    assert git(garden.archive, "rev-parse", "main").strip() == lineage.commit(last)
    assert lineage.verify() == []


def test_a_lock_that_a_living_git_holds_is_waited_for(
    garden: ArchiveFixture, tree: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where it never ends, the lineage stays behind: that is no reason to make it anew."""
    lineage = Lineage(garden.archive)
    lineage.update()
    garden.grow("later", tree["leaf"], score=0.1)
    lock = lineage.path / "packed-refs.lock"
    lock.touch()
    release = threading.Timer(0.3, lock.unlink)
    release.start()
    assert lineage.update() == 1
    release.join()
    garden.grow("last", tree["leaf"], score=0.1)
    monkeypatch.setattr("cambrian.archive.lineage.git.LOCKED_S", 0.2)
    taken = threading.Event()

    def take_it_again_and_again() -> None:
        while not taken.wait(0.02):
            lock.touch()

    lock.touch()
    holder = threading.Thread(target=take_it_again_and_again)
    holder.start()
    try:
        with pytest.raises(StorageLocked, match=r"packed-refs\.lock"):
            lineage.update()
    finally:
        taken.set()
        holder.join()
    lock.unlink()
    assert lineage.update() == 1
    assert lineage.verify() == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_repository_is_seen_and_repaired(
    garden: ArchiveFixture, tree: dict[str, str], damage: Callable[[Path], None]
) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    refs = git(garden.archive, "show-ref")
    damage(garden.archive.path)
    assert lineage.verify() != []
    garden.grow("later", tree["leaf"], score=0.1)
    lineage.update()
    assert lineage.verify() == []
    assert tree["cross"][:12] in git(garden.archive, "show-ref")
    assert git(garden.archive, "show-ref") != refs


def test_a_missing_blob_is_seen_and_a_rebuild_repairs_it(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    blob = git(garden.archive, "rev-parse", f"{lineage.commit(tree['one'])}:learner.py").strip()
    _loose(lineage.path)
    (lineage.path / "objects" / blob[:2] / blob[2:]).unlink()
    assert "missing blob" in " ".join(lineage.verify())
    lineage.rebuild()
    assert lineage.verify() == []


def test_a_parent_whose_commit_is_missing_is_rebuilt_by_the_next_update(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    commit = str(lineage.commit(tree["two"]))
    _loose(lineage.path)
    (lineage.path / "objects" / commit[:2] / commit[2:]).unlink()
    garden.grow("later", tree["two"], score=0.1)
    assert lineage.update() == 6
    assert lineage.verify() == []


def _loose(repository: Path) -> None:
    """Every object into a file of its own, so that one can be taken away."""
    packs = repository / "objects" / "pack"
    for pack in packs.glob("*.pack"):
        content = pack.read_bytes()
        for part in packs.glob(f"{pack.stem}.*"):
            part.unlink()
        command = ["git", f"--git-dir={repository}", "unpack-objects", "-q"]
        subprocess.run(command, input=content, check=True)


def test_a_lineage_ahead_of_the_database_is_repaired(
    garden: ArchiveFixture, tree: dict[str, str]
) -> None:
    """A power cut may cost the database its last transactions, and git nothing."""
    archive = garden.archive
    archive.close()
    backup = archive.path / "earlier.db"
    shutil.copy(archive.path / "archive.db", backup)
    with Archive.open(archive.path) as opened:
        later = type(garden)(opened)
        later._run = opened.runs.current()
        lost = later.grow("lost", tree["leaf"], score=0.99)
        Lineage(opened).update()
        assert lost[:12] in git(opened, "show-ref")
    shutil.copy(backup, archive.path / "archive.db")
    with Archive.open(archive.path) as opened:
        lineage = Lineage(opened)
        assert lineage.verify() != []
        assert lineage.update() == 5
        assert lineage.verify() == []
        assert lost[:12] not in git(opened, "show-ref")


def test_work_cut_off_between_git_and_the_map_is_done_again(
    garden: ArchiveFixture, tree: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lineage = Lineage(garden.archive)
    lineage.update()
    garden.grow("after", tree["leaf"], score=0.95)

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Commits, "add", cut_off)
        lineage.update()
    lineage.update()
    assert lineage.verify() == []
