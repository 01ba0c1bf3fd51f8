"""Making, opening and refusing archives; the lock; transactions."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cambrian.archive import Archive
from cambrian.errors import NotFound, Refused, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture


def test_a_directory_without_an_archive_is_not_found_and_stays_empty(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"not a Cambrian archive.*cambrian init"):
        Archive.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_is_not_made_over_an_archive_nor_among_other_files(tmp_path: Path) -> None:
    Archive.create(tmp_path / "one").close()
    with pytest.raises(Refused, match="already"):
        Archive.create(tmp_path / "one")
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "thesis.tex").touch()
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        Archive.create(tmp_path / "two")
    with pytest.raises(UsageError, match="is a file"):
        Archive.create(tmp_path / "two" / "thesis.tex")


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "archive.db").write_bytes(b"This is not a database at all, really not." * 100)
    with pytest.raises(UsageError, match="restore it from a backup"):
        Archive.open(tmp_path)


def test_another_programs_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "archive.db"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    before = file.read_bytes()
    with pytest.raises(UsageError, match="another program"):
        Archive.open(tmp_path)
    assert file.read_bytes() == before


def test_a_creation_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "archive.db.draft").write_bytes(b"half")
    (tmp_path / "archive.db.draft-wal").write_bytes(b"half")
    with Archive.open_or_create(tmp_path) as archive:
        assert archive.counts()["agents"] == 0
    assert not list(tmp_path.glob("*.draft*"))


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _halved(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _cut_in_its_header(file: Path) -> None:
    os.truncate(file, 60)


def _zeroed(file: Path) -> None:
    file.write_bytes(bytes(4096))


def _removed(file: Path) -> None:
    file.unlink()


@pytest.mark.parametrize("harm", [_emptied, _halved, _cut_in_its_header, _zeroed, _removed])
@pytest.mark.parametrize("lineage", [True, False])
def test_a_database_that_lost_something_is_never_begun_again(
    harm: Callable[[Path], None], lineage: bool, tmp_path: Path
) -> None:
    Archive.create(tmp_path).close()
    if lineage:
        (tmp_path / "lineage.git").mkdir()
    elif harm is _removed:
        (tmp_path / "archive.db-wal").write_bytes(b"log")
    harm(tmp_path / "archive.db")
    before = _sizes(tmp_path)
    for make in (Archive.open_or_create, Archive.open, partial(Archive.open, read_only=True)):
        with pytest.raises((UsageError, NotFound)) as caught:
            make(tmp_path)
        if make is Archive.open_or_create:
            assert "restore it from a backup" in str(caught.value)
    assert _sizes(tmp_path) == before


def _sizes(folder: Path) -> dict[str, int]:
    """But for SQLite's own, which it makes to look."""
    return {
        entry.name: entry.stat().st_size
        for entry in folder.iterdir()
        if not entry.name.endswith(("-shm", "-wal"))
    }


def test_a_database_whose_end_is_still_in_the_log_is_whole(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    archive.database.execute("CREATE TABLE filler (text TEXT)")
    archive.database.execute("INSERT INTO filler VALUES (zeroblob(100000))")
    for name in ("archive.db", "archive.db-wal"):  # as a kill would leave them
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    archive.close()
    with Archive.open(copy) as found:
        assert found.database.value("SELECT length(text) FROM filler") == 100_000


def test_what_was_written_is_there_when_opened_again(garden: ArchiveFixture) -> None:
    seed = garden.seed()
    garden.archive.close()
    with Archive.open_or_create(garden.archive.path) as again:
        assert again.agents.get(seed).score == 0.2


def test_a_reader_sees_the_writers_commits_and_cannot_write(garden: ArchiveFixture) -> None:
    seed = garden.seed()
    with Archive.open(garden.archive.path, read_only=True) as reader:
        assert reader.agents.get(seed).status == "seed"
        child = garden.grow("child", seed)
        assert reader.agents.get(child).status == "admitted"
        with pytest.raises(Refused, match="reading only"):
            reader.agents.set_score(seed, 1.0, 1.0, 1.0)


def test_the_database_is_set_up_as_promised(archive: Archive) -> None:
    def pragma(name: str) -> object:
        return archive.database.value(f"PRAGMA {name}")

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 1
    assert pragma("foreign_keys") == 1
    assert pragma("busy_timeout") == 30_000
    with pytest.raises(sqlite3.IntegrityError):
        archive.database.insert(
            "parents", {"child_id": "a" * 64, "parent_id": "b" * 64, "position": 0}
        )


def test_full_durability_is_a_setting(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "home", durability="full") as archive:
        assert archive.database.value("PRAGMA synchronous") == 2
    with pytest.raises(UsageError, match="durability"):
        Archive.open(tmp_path / "home", durability="some")  # type: ignore[arg-type]


def test_several_verbs_in_a_transaction_are_one(garden: ArchiveFixture) -> None:
    archive = garden.archive
    with pytest.raises(RuntimeError), archive.transaction():
        garden.seed("lost")
        raise RuntimeError("the power went")
    assert archive.counts()["agents"] == 0
    assert archive.events() == []


def test_a_verb_refused_inside_a_transaction_undoes_only_itself(garden: ArchiveFixture) -> None:
    archive = garden.archive
    with archive.transaction():
        seed = garden.seed()
        with pytest.raises(UsageError):
            archive.agents.add_seed("short", {"learner.py": ""}, "no")
    assert [agent.id for agent in archive.agents.select()] == [seed]


def test_the_lock_has_one_holder_and_names_it(archive: Archive) -> None:
    assert archive.lock_holder() is None
    with archive.lock():
        assert archive.lock_holder() == os.getpid()
        with pytest.raises(Refused, match=f"held by process {os.getpid()}"), archive.lock():
            pass
    assert archive.lock_holder() is None
    with archive.lock():
        assert archive.lock_holder() == os.getpid()


def test_a_killed_holder_leaves_no_lock(archive: Archive) -> None:
    script = (
        "import sys, time\n"
        "from cambrian.archive import Archive\n"
        "with Archive.open(sys.argv[1]) as archive, archive.lock():\n"
        "    sys.stdout.write('held\\n'); sys.stdout.flush(); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", script, str(archive.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with pytest.raises(Refused, match=f"process {child.pid}"), archive.lock():
            pass
        child.kill()
        child.wait()
    with archive.lock():
        assert archive.lock_holder() == os.getpid()


def test_importing_the_archive_loads_neither_torch_nor_git_nor_sqlite_utils() -> None:
    script = (
        "import sys, cambrian.archive\n"
        "sys.exit(' '.join({'torch', 'git', 'sqlite_utils', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.strip() == ""
