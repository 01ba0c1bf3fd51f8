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
import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.sandbox.conftest import MAKERS, Traces

from cambrian.sandbox.attack.program import FOLDER, Program, programs
from cambrian.sandbox.attack.trial import Canaries, Lender, Trial

PROGRAMS = [program for program in programs() if not program.unit]
"""Those for a unit of a benchmark are tried in test_cheating.py."""
QUICK = {1, 3, 11, 15, 23, 27, 29, 39, 47, 63, 66, 81, 90}
"""One or two of each kind: resources, network, host, cheating, channel, state."""

pytestmark = pytest.mark.slow


def _name(program: Program) -> str:
    return f"{program.number:02}_{program.name}"


@pytest.fixture(scope="module")
def trial(walled: Lender, canaries: Canaries) -> Iterator[Trial]:
    yield Trial(walled, canaries)


@pytest.fixture(scope="module")
def gvisor_trial(gvisor: Lender, canaries: Canaries) -> Iterator[Trial]:
    yield Trial(gvisor, canaries)


def test_every_hostile_program_of_the_study_is_here() -> None:
    numbers = {program.number for program in PROGRAMS}
    assert set(range(1, 64, 2)) - numbers == set()
    assert len(PROGRAMS) >= 32 + 15
    assert numbers >= QUICK


def test_every_header_names_its_verdicts_and_its_wall() -> None:
    for program in programs():
        assert program.expected("docker"), program.name
        assert program.layer, program.name
        assert re.search(rf"^# HOSTILE 0?{program.number} ", program.source, re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS, ids=_name)
def test_a_hostile_learner_gets_the_verdict_it_deserves(program: Program, trial: Trial) -> None:
    assert trial.faults(program) == []


@pytest.mark.parametrize("number", [23, 27, 150, 154])
def test_where_there_is_no_sandbox_the_judging_sees_what_did_not_hold(
    number: int, plain: Lender, canaries: Canaries
) -> None:
    (program,) = (each for each in PROGRAMS if each.number == number)
    assert any("BREACH" in fault for fault in Trial(plain, canaries).faults(program))


REDUCED = [
    pytest.param(
        program,
        id=_name(program),
        marks=() if program.number in QUICK else (pytest.mark.exhaustive,),
    )
    for program in PROGRAMS
]


@pytest.mark.docker
@pytest.mark.gvisor
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's engine is tried as root")
@pytest.mark.parametrize("program", REDUCED)
def test_gvisor_holds_a_hostile_learner_too(program: Program, gvisor_trial: Trial) -> None:
    assert gvisor_trial.faults(program) == []


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
