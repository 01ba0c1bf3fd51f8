"""`cambrian doctor --attack`: hostile learners for real, and an exit code that can be believed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def _doctor(*words: str) -> subprocess.CompletedProcess[str]:
    call = [sys.executable, "-m", "cambrian", "doctor", *words]
    return subprocess.run(call, capture_output=True, text=True, timeout=200)


@pytest.mark.slow
def test_what_held_is_said_program_by_program() -> None:
    done = _doctor(
        "--attack", "--sandbox", "bubblewrap", "--allow-unbounded-memory", "--only", "27,43,140"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 hostile learners against bubblewrap: about" in done.stderr
    for number, name in ((27, "read_host_files"), (43, "patch_metrics"), (140, "400_digits")):
        assert any(
            line.startswith("held") and f"{number} " in line and name in line
            for line in done.stdout.splitlines()
        ), done.stdout
    assert "3 of 3" in done.stdout


@pytest.mark.slow
def test_it_can_be_read_by_a_program() -> None:
    done = _doctor(
        "--attack", "--json", "--sandbox", "bubblewrap", "--allow-unbounded-memory", "--only", "43"
    )
    (attempt,) = json.loads(done.stdout)["attempts"]
    assert (attempt["number"], attempt["held"], attempt["faults"]) == (43, True, [])
    assert attempt["backend"] == "bubblewrap"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--attack", "--only", "9999"], "got 9999; there are 1, 3"),
        (["--attack", "--only", "x"], "expected numbers with commas"),
        (["--only", "43"], "--only is for --attack"),
        (["--attack", "--sandbox", "none"], "expected a sandbox to attack"),
    ],
)
def test_what_cannot_be_tried_is_refused(words: list[str], said: str) -> None:
    done = _doctor(*words)
    assert done.returncode == 2
    assert said in done.stderr
