"""Wrong input of every kind: one clear line, the exit code of its kind, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cambrian.archive import Archive
from cambrian.cli.context import Shared
from cambrian.cli.main import PIPE_CLOSED

from .conftest import Cli, Command, EvolvedArchive


def _said(result: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error."""
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("cambrian: ")
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("agent", "show", "ffffffff"), 3, "no agent's id starts so"),
        (("agent", "show", "#99"), 3, "cambrian agent list"),
        (("agent", "show", "@root^"), 3, "parents"),
        (("agent", "show", "what?"), 2, "4 or more hex digits"),
        (("agent", "diff", "@root"), 3, "seed agent"),
        (("agent", "code", "@best", "no.py"), 3, "learner.py"),
        (("agent", "why"), 2, "ID or --proposal"),
        (("agent", "why", "@best", "--proposal", "1"), 2, "ID or --proposal"),
        (("agent", "why", "--proposal", "7"), 3, "from 0 to 6"),
        (("agent", "replay", "@best", "--benchmark", "nope"), 3, "split-mnist"),
        (("agent", "replay", "@best", "--seed", "9"), 3, "split-mnist seed 0"),
        (("bench", "show", "nope"), 3, "split-mnist"),
        (("plot", "progress", "--output", "x.jpeg"), 2, ".svg"),
        (("plot", "progress", "--output", "no/such/folder/x.png"), 1, "cannot write"),
        (("run", "--benchmarks", "nope"), 3, "split-mnist"),
        (("run", "--benchmarks", "blurry-digits"), 2, "sealed"),
        (("run", "--benchmarks", "split-mnist,split-mnist"), 2, "different benchmarks"),
        (("run", "--rewriter", "model"), 2, "CAMBRIAN_MODEL"),
        (("run", "--hours", "nan"), 2, "hours"),
        (("init",), 5, "archive already"),
    ],
)
def test_an_error_is_one_line_with_the_exit_code_of_its_kind(
    command: Command, arguments: tuple[str, ...], code: int, says: str, tmp_path: Path
) -> None:
    result = command(*arguments, cwd=tmp_path)
    assert result.returncode == code, result.stderr
    assert says in _said(result)


@pytest.mark.parametrize("arguments", [("status",), ("tree",), ("db", "check"), ("db", "lineage")])
def test_what_is_no_archive_is_not_found(
    command: Command, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("hello")
    for name in ("missing", "folder", "file"):
        result = command("--archive", str(tmp_path / name), *arguments)
        assert result.returncode == 3, result.stderr
        assert "cambrian init" in _said(result)
    assert not (tmp_path / "missing").exists()


def test_nothing_is_made_in_a_folder_that_holds_something_else(
    command: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    result = command("init", "--archive", str(folder))
    assert result.returncode == 2
    assert "thesis.tex" in _said(result)
    assert [path.name for path in folder.iterdir()] == ["thesis.tex"]


def test_a_damaged_archive_is_named_in_one_line(command: Command, grown: EvolvedArchive) -> None:
    for name in ("archive.db-wal", "archive.db-shm"):
        (grown.path / name).unlink(missing_ok=True)
    (grown.path / "archive.db").write_bytes(b"not a database at all, " * 100)
    result = command("status")
    assert result.returncode in (1, 2)
    assert str(grown.path) in _said(result)


def test_an_ambiguous_prefix_lists_candidates(
    run_cli: Cli, grown: EvolvedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ids that share four digits cannot be made from code, so they are put in as the archive
    # takes them: any 64 digits.
    with Archive.open(grown.path) as archive:
        for last in "01":
            archive.agents.add_seed("abcd" + last * 60, {"learner.py": last}, f"seed {last}")
    result = run_cli("agent", "show", "abcd")
    assert result.exit_code == 2
    assert "ambiguous" in result.stderr
    assert "seed 0" in result.stderr
    assert "seed 1" in result.stderr


def test_a_held_archive_is_refused_by_who_would_write(
    command: Command, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive, archive.lock():
        results = [command("db", "lineage"), command("run", "--sandbox", "none")]
    for result in results:
        assert result.returncode == 5
        assert str(os.getpid()) in _said(result)
        assert "plan:" not in result.stderr


def test_an_engine_that_does_not_answer_is_not_reachable(command: Command) -> None:
    nobody = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    result = command("image", "show", env=nobody)
    assert result.returncode == 4, result.stderr
    assert "nonexistent" in _said(result)


def test_an_accelerator_that_is_not_there_is_refused(command: Command) -> None:
    result = command("run", "--device", "cuda", env={"CUDA_VISIBLE_DEVICES": ""})
    assert result.returncode == 5, result.stderr
    assert "--device cpu" in _said(result)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run", "--workers", "0"),
        ("run", "--proposals", "-1"),
        ("run", "--sandbox", "chroot"),
        ("agent", "list", "--limit", "many"),
        ("agent", "show"),
        ("tree", "a", "b"),
    ],
)
def test_wrong_usage_ends_with_two(command: Command, arguments: tuple[str, ...]) -> None:
    result = command(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Usage: cambrian" in result.stderr


def test_a_defect_is_one_line_and_a_traceback_only_when_asked_for(
    run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(_: Shared) -> None:
        raise RuntimeError("off by one")

    monkeypatch.setattr(Shared, "reading", defect)
    result = run_cli("status")
    assert result.exit_code == 1
    [said] = result.stderr.splitlines()
    assert "off by one" in said
    assert "-vv" in said
    for arguments in (("-vv", "status"), ("status", "-vv"), ("-v", "status", "-v")):
        assert "Traceback" in run_cli(*arguments).stderr


def test_an_expected_error_has_a_traceback_only_when_asked_for(run_cli: Cli) -> None:
    assert "Traceback" not in run_cli("agent", "show", "#99", "-v").stderr
    assert "Traceback" in run_cli("agent", "show", "#99", "-vv").stderr


def test_ctrl_c_ends_with_130(run_cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Shared) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Shared, "reading", interrupted)
    result = run_cli("status")
    assert result.exit_code == 130
    assert result.stderr == "cambrian: interrupted\n"


def test_a_reader_that_goes_away_is_no_complaint(grown: EvolvedArchive) -> None:
    from .conftest import SOURCE

    environment = {"PYTHONPATH": str(SOURCE), "CAMBRIAN_ARCHIVE": str(grown.path)}
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "cambrian", "tree"],
        env={**os.environ, **environment},
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert process.stderr == b""
    assert process.returncode == PIPE_CLOSED


def test_a_full_disk_behind_stdout_is_one_line(command: Command) -> None:
    with Path("/dev/full").open("w") as full:
        result = command("tree", capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert result.stderr.splitlines() == ["cambrian: [Errno 28] No space left on device"]


def test_a_closed_stdout_is_no_traceback(grown: EvolvedArchive) -> None:
    from .conftest import SOURCE

    environment = {"PYTHONPATH": str(SOURCE), "CAMBRIAN_ARCHIVE": str(grown.path)}
    process = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m cambrian tree >&-"],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in process.stderr
