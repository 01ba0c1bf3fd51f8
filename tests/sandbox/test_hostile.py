"""Hostile learners, each against every sandbox of this machine.

The programs are data (`cambrian.sandbox.attack`): `EXPECT` in a header says which verdicts are
right (`EXPECT gvisor` where a backend has its own), a line with `BREACH` in what they print is
always a failure, and so is a better score than the honest learner's. `INSIDE gvisor` marks those
whose breach is one of gVisor's own kernel, which answers for itself; there the host's canaries
alone decide.

The backends with full isolation get all of them. Those with less get `QUICK`; the rest of theirs is
`make test-hostile`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cambrian.errors import UsageError
from cambrian.sandbox import attack
from cambrian.sandbox.attack.program import Program, programs
from cambrian.sandbox.attack.trial import Canaries, Lender, attempt_program

from .conftest import MAKERS, Traces

FOLDER = attack.PROGRAMS
PROGRAMS = programs()
QUICK = {1, 3, 11, 15, 23, 27, 29, 39, 47, 63, 66, 81, 90}
"""One or two of each kind: resources, network, host, cheating, channel, state."""

pytestmark = pytest.mark.slow


def _try(program: Program, lender: Lender, canaries: Canaries) -> None:
    assert attempt_program(program, lender, canaries).faults == []


def test_headers_say_how_a_program_is_run(tmp_path: Path) -> None:
    path = tmp_path / "7_talks.py"
    path.write_text(
        "# EXPECT: scored|crash\n# EXPECT gvisor: timeout\n# INSIDE gvisor: its own\n"
        "# TIMES: 3\n# PAIR: yes\n# REQUEST_S: 8\n# LAYER:  none\n"
    )
    (found,) = programs(tmp_path)
    assert (found.number, found.name, found.layer) == (7, "talks", "none")
    assert (found.times, found.pair, found.request_s) == (3, True, 8.0)
    assert found.expected("docker") == {"scored", "crash"}
    assert found.expected("gvisor") == {"timeout"}
    assert found.inside("gvisor")
    assert not found.inside("docker")
    path.write_text("# a program that says nothing\n")
    with pytest.raises(UsageError, match="EXPECT"):
        programs(tmp_path)


def test_every_hostile_program_of_the_study_is_here() -> None:
    numbers = {each.number for each in PROGRAMS}
    assert set(range(1, 64, 2)) - numbers == set()
    assert len(PROGRAMS) >= 32 + 15
    assert numbers >= QUICK


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: f"{each.number}_{each.name}")
def test_a_hostile_learner_gets_the_verdict_it_deserves(
    program: Program, walled: Any, canaries: Any
) -> None:
    _try(program, walled, canaries)


REDUCED = [
    pytest.param(
        each,
        id=f"{each.number}_{each.name}",
        marks=() if each.number in QUICK else (pytest.mark.exhaustive,),
    )
    for each in PROGRAMS
]


@pytest.mark.docker
@pytest.mark.gvisor
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's engine is tried as root")
@pytest.mark.parametrize("program", REDUCED)
def test_gvisor_holds_a_hostile_learner_too(program: Program, gvisor: Any, canaries: Any) -> None:
    _try(program, gvisor, canaries)


def test_state_does_not_pass_from_one_job_to_the_next(walled: Any) -> None:
    for name in ("66_state_between_jobs.py", "91_state_in_the_scratch_folder.py"):
        source = (FOLDER / name).read_text("utf-8")
        for _ in range(3):
            outcome = walled.run(source)
            assert outcome.verdict == "scored", outcome
            assert "BREACH" not in outcome.said, outcome.said


def test_a_job_that_used_up_counters_is_the_last_of_its_session(walled: Any) -> None:
    session = walled.session()
    outcome = walled.run((FOLDER / "109_counters_as_messages.py").read_text("utf-8"))
    assert outcome.verdict == "scored"
    assert session.spent


def test_text_of_agents_cannot_reach_a_terminal(walled: Any) -> None:
    for name in ("61_terminal_escapes.py", "71_hostile_exception.py"):
        outcome = walled.run((FOLDER / name).read_text("utf-8"))
        text = outcome.said + outcome.message
        assert "x1b" in text, "it is spelt out, not dropped"
        assert all(character.isprintable() or character in "\n\t" for character in text)
        text.encode("utf-8")


def test_a_patched_clock_changes_no_figure(walled: Any) -> None:
    outcome = walled.run((FOLDER / "79_patched_clocks.py").read_text("utf-8"))
    assert outcome.report.wall_s > 0
    assert outcome.report.cpu_s > 0


@pytest.mark.parametrize("name", [name for name in MAKERS if name in ("docker", "bubblewrap")])
@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0, reason="these are root's sandboxes")
def test_after_the_worst_of_them_nothing_is_left(name: str) -> None:
    """No process, container, control group or folder of sessions that hostile jobs broke."""
    lender = Lender(MAKERS[name]())
    before = Traces.now(lender.backend.name)
    for number in (15, 67, 89, 108, 113):
        (program,) = FOLDER.glob(f"{number}_*.py")
        lender.run(program.read_text("utf-8"))
    assert Traces.now(lender.backend.name) != before, "a live session is seen"
    lender.close()
    assert Traces.now(lender.backend.name) - before == Traces()
