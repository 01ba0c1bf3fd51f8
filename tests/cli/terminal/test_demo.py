"""The recorded run is a real one, marked as a replay, and needs nothing."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner
from textual.widgets import Static

from cambrian.cli.main import cli
from cambrian.cli.terminal.app import Top
from cambrian.cli.terminal.recording import FILE, Replay, events
from cambrian.errors import Refused


def test_the_recording_is_small_and_names_no_path_of_a_machine() -> None:
    packed = resources.files("cambrian.cli.terminal").joinpath(FILE).read_bytes()
    assert len(packed) < 500_000
    assert not any("/home/" in str(one.data) or "/tmp/" in str(one.data) for one in events())


def test_the_plain_replay_is_marked_on_every_line_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(cli, ["--archive", "a", "demo", "--plain", "--speed", "100000"])
    assert found.exit_code == 0, found.output
    rows = found.stdout.splitlines()
    assert all(row.lower().startswith("replay") for row in rows)
    assert sum("proposal admitted" in row for row in rows) == 26
    assert any("36 judged: 26 admitted, 10 rejected; 5 not judged" in row for row in rows)
    assert list(tmp_path.iterdir()) == []


def test_the_replay_grows_as_the_run_did() -> None:
    now = 0.0
    replay = Replay(1.0, lambda: now)
    early, _ = replay.look()
    assert (early.judged, replay.ended) == (0, False)
    now = 300.0
    middle, _ = replay.look()
    members = len(replay.find(""))
    now = 10_000.0
    last, _ = replay.look()
    assert 0 < middle.judged < last.judged == 36
    assert members < len(replay.find("")) == 30
    assert last.word == "finished"


def test_the_screen_says_that_it_is_a_replay_and_refuses_to_steer() -> None:
    async def run() -> None:
        replay = Replay(100_000.0)
        app = Top(replay)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            assert str(app.query_one("#head", Static).render()).startswith("REPLAY")
            await pilot.press("down", "w", "c", "p")
            await app.workers.wait_for_complete()

    anyio.run(run)
    with pytest.raises(Refused, match="replay of a recorded run"):
        Replay(1.0).ask("pause", {})
