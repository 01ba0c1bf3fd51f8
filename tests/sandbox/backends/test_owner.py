"""Whose things are whose, and that the dead leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cambrian
from cambrian.sandbox.attack.trial import LIMITS
from cambrian.sandbox.backends import cgroups, owner
from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend
from cambrian.sandbox.backends.docker import OWNER_LABEL
from cambrian.sandbox.backends.engine import engine
from cambrian.sandbox.backends.owner import Owner
from cambrian.sandbox.session.session import Session

SOURCE = str(Path(cambrian.__file__).parent.parent)

HOLDER = """
import sys, time
from cambrian.sandbox.backends import registry
from cambrian.sandbox.session.session import Session
session = Session(registry.choose(sys.argv[1], lambda _: None))
session.install({"learner.py": "import time\\nwhile True: pass"})
from cambrian.agents.spec import TaskSpec
print(session._folder, flush=True)
with session.job() as channel:
    channel.start(TaskSpec("classification", (2,), 2), 0)
"""


def _eventually(true: Callable[[], bool], within_s: float = 15.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.1)
    return true()


def test_an_owner_is_read_back_from_its_text_and_its_name() -> None:
    mine = owner.me()
    assert Owner.parse(str(mine)) == Owner.parse(mine.slug) == mine
    assert owner.of_name(f"{owner.PREFIX}{mine.slug}-abcd") == mine
    assert not mine.dead()


@pytest.mark.parametrize("text", ["", "1:2", "a:b:c:d", "1:2:boot:x", "1:2:boot:3:4"])
def test_nonsense_is_nobody(text: str) -> None:
    assert Owner.parse(text) is None
    assert owner.of_name("cambrian-" + text) is None
    assert owner.of_name("other-" + owner.me().slug) is None


def test_a_reused_process_id_is_another_owner_and_unsure_means_alive() -> None:
    mine = owner.me()
    assert replace(mine, start=mine.start - 1).dead(), "the id has been used again"
    assert replace(mine, boot="0" * 12).dead(), "the machine has been restarted"
    assert not replace(mine, pid=2**22, namespace=1).dead(), "it may live in another namespace"
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    assert replace(mine, pid=child.pid).dead()


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary directory of one's own, with a path that is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        monkeypatch.setattr(tempfile, "tempdir", place)
        monkeypatch.setattr(owner, "SHORT", ())
        yield Path(place)


def test_reaping_takes_the_folders_of_the_dead_only(temporary: Path) -> None:
    mine = owner.folder()
    gone = temporary / f"cambrian-{replace(owner.me(), start=1).slug}-x"
    gone.mkdir()
    (gone / "file").write_text("")
    other = temporary / "cambrian-notes-of-somebody-on-things"
    other.mkdir()
    (temporary / f"cambrian-{replace(owner.me(), start=1).slug}-y").symlink_to(other)
    assert owner.reap_folders() == 1
    assert not gone.exists()
    assert mine.exists()
    assert other.exists()


def _containers(of: str) -> list[str]:
    with engine() as client:
        found = client.containers(all=True, filters={"label": OWNER_LABEL})
    return [each["Id"] for each in found if each["Labels"][OWNER_LABEL].startswith(f"{of}:")]


def _inside(folder: str) -> list[str]:
    """Processes that have a session's sockets or files on their command line or mounts."""
    found = []
    for place in Path("/proc").iterdir():
        try:
            mounts = (place / "mountinfo").read_text()
        except OSError:
            continue
        if f"{folder.removeprefix('/tmp')}/s " in mounts and place.name != str(os.getpid()):
            found.append(place.name)
    return found


def test_a_killed_owner_leaves_no_process_and_no_container(walled: Any) -> None:
    """kill -9 in the middle of a job that never ends by itself."""
    live = walled.session()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, walled.backend.name],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )
    assert holder.stdout is not None
    folder = holder.stdout.readline().strip()
    assert _eventually(lambda: bool(_inside(folder))), "it runs"
    if walled.backend.name == "docker":
        assert _containers(str(holder.pid))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    assert _eventually(lambda: not _inside(folder)), "no process is left"
    assert _eventually(lambda: not _containers(str(holder.pid))), "no container is left"
    walled.backend.reap()  # or somebody else's start, by now
    assert not Path(folder).exists(), "no folder is left"
    assert not _groups(holder.pid), "no control group is left"
    with live.job("improver"):
        pass
    assert not live.spent, "the living lose nothing to the reaper"


def _groups(pid: int) -> list[Path]:
    root = cgroups.ROOT
    return [*root.glob(f"*/cambrian/cambrian-{pid}-*"), *root.glob(f"cambrian/cambrian-{pid}-*")]


def test_a_container_that_was_never_started_is_reaped(walled: Any) -> None:
    if walled.backend.name != "docker":
        assert walled.backend.reap() >= 0
        return
    gone = str(replace(owner.me(), start=1))
    with engine() as client:
        ours = client.create_container(walled.backend.image, labels={OWNER_LABEL: gone})["Id"]
        other = client.create_container(walled.backend.image, labels={"some": "body"})["Id"]
        try:
            walled.backend.reap()  # or somebody else's start, by now
            left = {each["Id"] for each in client.containers(all=True)}
            assert ours not in left
            assert other in left, "what is not labelled ours is not ours to remove"
        finally:
            client.remove_container(other)


@pytest.mark.parametrize("kind", ["long", "relative", "odd"])
def test_any_temporary_directory_will_do(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / {"long": "x" * 120, "relative": "x", "odd": "a b\tc é"}[kind]
    where.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", "x" if kind == "relative" else str(where))
    backend = BubblewrapBackend()
    backend.try_out()
    with Session(backend, LIMITS) as session:
        folder = session._folder
        assert folder.is_absolute()
        with session.job("improver"):
            pass
    gone = owner.Owner.parse(owner.of_name(folder.name).slug)  # type: ignore[union-attr]
    assert gone == owner.me()
    left = folder.with_name(folder.name.replace(gone.slug, replace(gone, start=1).slug))
    left.mkdir()
    assert owner.reap_folders() >= 1
    assert not left.exists(), "what a killed owner leaves there is found"


def test_fewer_descriptors_than_a_sandbox_asks_for_are_enough() -> None:
    package = "cambrian.sandbox.backends.bubblewrap"
    script = f"from {package} import *; BubblewrapBackend().try_out(); print('ok')"
    limited = f'ulimit -n 64; exec {sys.executable} -c "{script}"'
    done = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, timeout=60)
    assert done.stdout == "ok\n", done.stderr


def test_a_closed_session_leaves_nothing(walled: Any) -> None:
    before = _held(walled)
    session = Session(walled.backend, LIMITS)
    folder = session._folder
    assert len(_held(walled) - before) == 1, "an open session is seen"
    session.close()
    assert not folder.exists()
    assert not _inside(str(folder))
    assert not _held(walled) - before


def _held(lender: Any) -> set[str]:
    """This process's containers or control groups, of other sessions too."""
    if lender.backend.name == "docker":
        return set(_containers(str(os.getpid())))
    return {group.name for group in _groups(os.getpid())}
