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
import time
from pathlib import Path
from typing import Any

import pytest

from cambrian.sandbox import attack

from .conftest import MAKERS, Lender, Traces

FOLDER = attack.PROGRAMS
PROGRAMS = sorted(
    (path for path in FOLDER.glob("*.py") if "\n# UNIT: " not in path.read_text("utf-8")),
    key=lambda path: int(path.stem.split("_")[0]),
)
"""Those for a unit of a benchmark are tried in test_cheating.py."""
MEMORY = 64 << 20
LONGEST_S = 30.0
QUICK = {1, 3, 11, 15, 23, 27, 29, 39, 47, 63, 66, 81, 90}
"""One or two of each kind: resources, network, host, cheating, channel, state."""

pytestmark = pytest.mark.slow


def _number(program: Path) -> int:
    return int(program.stem.split("_")[0])


def _expected(source: str, backend: str) -> set[str]:
    found = re.search(rf"^# EXPECT {backend}: ([\w|]+)$", source, re.MULTILINE)
    found = found or re.search(r"^# EXPECT: ([\w|]+)$", source, re.MULTILINE)
    assert found, "a hostile program's header says which verdicts are right"
    return set(found.group(1).split("|"))


def _inside(source: str, backend: str) -> bool:
    """Whether a breach would be one of the sandbox's own kernel."""
    return f"# INSIDE {backend}: " in source


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


_honest: dict[str, float] = {}


def _honest_score(lender: Lender, honest: str) -> float:
    name = lender.backend.name + lender.backend.isolation
    if name not in _honest:
        outcome = lender.run(honest)
        assert outcome.verdict == "scored", outcome
        assert outcome.score > 0.7, "the stream can be learned"
        _honest[name] = float(outcome.score)
    return _honest[name]


def _try(program: Path, lender: Lender, honest: str, canaries: Any) -> None:
    """Run one program and look at everything that it must not have done."""
    source = program.read_text("utf-8")
    filled = source.replace("@CANARY@", str(canaries.file)).replace("@ABSTRACT@", canaries.abstract)
    honest_score = _honest_score(lender, honest)
    session = lender.session()
    before, began = _resident(), time.monotonic()
    outcome = lender.run(filled)
    name = lender.backend.name
    assert time.monotonic() - began < LONGEST_S
    assert "BREACH" not in outcome.said or _inside(source, name), outcome.said
    assert outcome.verdict in _expected(source, name), outcome
    assert outcome.score <= honest_score + 1e-9, "cheating pays nothing"
    assert _resident() - before < MEMORY
    assert canaries.file.read_text() == "HOST-CANARY"
    assert [entry.name for entry in canaries.file.parent.iterdir()] == ["canary"]
    if outcome.verdict != "scored":
        assert session.spent
    elif not session.spent:
        again = lender.run(honest)
        assert (again.verdict, again.score) == ("scored", honest_score), "no job inherits"


def test_every_hostile_program_of_the_study_is_here() -> None:
    numbers = {_number(path) for path in PROGRAMS}
    assert set(range(1, 64, 2)) - numbers == set()
    assert len(PROGRAMS) >= 32 + 15
    assert numbers >= QUICK


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_hostile_learner_gets_the_verdict_it_deserves(
    program: Path, walled: Any, honest: str, canaries: Any
) -> None:
    _try(program, walled, honest, canaries)


REDUCED = [
    pytest.param(
        path, id=path.stem, marks=() if _number(path) in QUICK else (pytest.mark.exhaustive,)
    )
    for path in PROGRAMS
]


@pytest.mark.docker
@pytest.mark.gvisor
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's engine is tried as root")
@pytest.mark.parametrize("program", REDUCED)
def test_gvisor_holds_a_hostile_learner_too(
    program: Path, gvisor: Any, honest: str, canaries: Any
) -> None:
    _try(program, gvisor, honest, canaries)


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
