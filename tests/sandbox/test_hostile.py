"""Hostile learners, each against every backend with full isolation.

The programs are data (`hostile/`): `EXPECT` in a header says which verdicts are right, a line with
`BREACH` in what they print is always a failure, and so is a better score than the honest learner's.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = sorted(Path(__file__).with_name("hostile").glob("*.py"))
MEMORY = 64 << 20
LONGEST_S = 20.0

pytestmark = pytest.mark.slow


def _expected(source: str) -> set[str]:
    found = re.search(r"^# EXPECT: ([\w|]+)$", source, re.MULTILINE)
    assert found, "a hostile program's header says which verdicts are right"
    return set(found.group(1).split("|"))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def honest_score(walled: Any, honest: str) -> float:
    outcome = walled.run(honest)
    assert outcome.verdict == "scored"
    assert outcome.score > 0.7, "the stream can be learned"
    return float(outcome.score)


def test_every_hostile_program_of_the_study_is_here() -> None:
    numbers = {int(path.name[:2]) for path in PROGRAMS}
    assert set(range(1, 64, 2)) - numbers == set()
    assert len(PROGRAMS) >= 32 + 15


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_hostile_learner_gets_the_verdict_it_deserves(
    program: Path, walled: Any, honest: str, honest_score: float, canaries: Any
) -> None:
    source = program.read_text("utf-8")
    filled = source.replace("@CANARY@", str(canaries.file)).replace("@ABSTRACT@", canaries.abstract)
    session = walled.session()
    before, began = _resident(), time.monotonic()
    outcome = walled.run(filled)
    assert time.monotonic() - began < LONGEST_S
    assert "BREACH" not in outcome.said, outcome.said
    assert outcome.verdict in _expected(source), outcome
    assert outcome.score <= honest_score + 1e-9, "cheating pays nothing"
    assert _resident() - before < MEMORY
    assert canaries.file.read_text() == "HOST-CANARY"
    assert [entry.name for entry in canaries.file.parent.iterdir()] == ["canary"]
    if outcome.verdict != "scored":
        assert session.spent
    elif not session.spent:
        again = walled.run(honest)
        assert (again.verdict, again.score) == ("scored", honest_score), "no job inherits"


def test_state_does_not_pass_from_one_job_to_the_next(walled: Any) -> None:
    source = Path(PROGRAMS[0]).with_name("66_state_between_jobs.py").read_text("utf-8")
    for _ in range(3):
        outcome = walled.run(source)
        assert outcome.verdict == "scored", outcome
        assert "BREACH" not in outcome.said, outcome.said


def test_text_of_agents_cannot_reach_a_terminal(walled: Any) -> None:
    for name in ("61_terminal_escapes.py", "71_hostile_exception.py"):
        outcome = walled.run(Path(PROGRAMS[0]).with_name(name).read_text("utf-8"))
        text = outcome.said + outcome.message
        assert "x1b" in text, "it is spelt out, not dropped"
        assert all(character.isprintable() or character in "\n\t" for character in text)
        text.encode("utf-8")


def test_a_patched_clock_changes_no_figure(walled: Any) -> None:
    source = Path(PROGRAMS[0]).with_name("79_patched_clocks.py").read_text("utf-8")
    outcome = walled.run(source)
    assert outcome.report.wall_s > 0
    assert outcome.report.cpu_s > 0
