"""`cambrian doctor --attack`: the shipped hostile learners against this machine's sandboxes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.cli.render.output import heading, note, say, show_json, show_table
from cambrian.cli.render.text import line
from cambrian.errors import CambrianError, Refused, UsageError

if TYPE_CHECKING:
    from cambrian.sandbox.attack.program import Program
    from cambrian.sandbox.attack.trial import Trial
    from cambrian.sandbox.backends.process import Backend

WITHOUT_NAME = ("docker", "bubblewrap")
"""What is tried when no sandbox is named; gVisor takes three times as long, and has to be."""

EACH_S = 3
"""Seconds for a program, about, on a quiet machine."""


@dataclass(frozen=True)
class Attempt:
    """One program against one backend.

    Attributes:
        faults: every way in which the sandbox did not hold; none if it did.
    """

    backend: str
    isolation: str
    number: int
    name: str
    layer: str
    faults: tuple[str, ...]
    seconds: float

    @property
    def held(self) -> bool:
        """Whether the sandbox did all that was expected of it."""
        return not self.faults


def attack(sandbox: str, only: Sequence[int], *, as_json: bool) -> bool:
    """Run the programs, say what held as it is known, and whether all did.

    Args:
        sandbox: one of the backends' names, or "auto" for all of `WITHOUT_NAME` that work.
        only: numbers of programs; none: all of them.

    Raises:
        UsageError: there is no program of a number; or a sandbox that holds nothing is named.
        Refused: no sandbox works here.
    """
    programs = _chosen(only)
    backends = list(_backends(sandbox))
    count = len(programs) * len(backends)
    note(
        f"{len(programs)} hostile learners against {', '.join(b.name for b in backends)}: about "
        f"{max(1, round(count * EACH_S / 60))} min. Ctrl-C stops and leaves nothing behind"
    )
    attempts = []
    for backend in backends:
        for attempt in _against(backend, programs):
            attempts.append(attempt)
            if not as_json:
                _tell(attempt)
    if as_json:
        show_json({"attempts": [vars(a) | {"held": a.held} for a in attempts]})
    else:
        _summarise(attempts)
    return all(attempt.held for attempt in attempts)


def _chosen(only: Sequence[int]) -> list[Program]:
    from cambrian.sandbox.attack.program import programs

    found = programs()
    known = {program.number for program in found}
    missing = sorted(set(only) - known)
    if missing:
        raise UsageError(
            f"expected numbers of hostile programs, got {', '.join(map(str, missing))}; there are "
            f"{', '.join(map(str, sorted(known)))}"
        )
    return [program for program in found if not only or program.number in only]


def _backends(sandbox: str) -> Iterator[Backend]:
    """Those to be tried, as they are made: one after the other."""
    from cambrian.sandbox.backends import registry

    if sandbox == "none":
        raise UsageError("expected a sandbox to attack; `--sandbox none` holds nothing back")
    if sandbox != "auto":
        yield registry.choose(sandbox, announce=note)
        return
    reasons = []
    for name in WITHOUT_NAME:
        try:
            yield registry.choose(name, announce=note)
        except CambrianError as error:
            reasons.append(f"{name}: {error}")
    for reason in reasons:
        note(f"not tried: {reason}")
    if len(reasons) == len(WITHOUT_NAME):
        raise Refused("no sandbox works here; see above, and `cambrian doctor`")


def _against(backend: Backend, programs: Sequence[Program]) -> Iterator[Attempt]:
    from cambrian.sandbox.attack.trial import Lender, Trial, canaries

    with canaries() as traps, closing(Lender(backend)) as lender:
        trial = Trial(lender, traps)
        for program in programs:
            began = time.monotonic()
            faults = _on_a_benchmark(trial, program) if program.unit else trial.faults(program)
            yield Attempt(
                backend.name,
                backend.isolation,
                program.number,
                program.name,
                program.layer,
                tuple(faults),
                round(time.monotonic() - began, 2),
            )


def _on_a_benchmark(trial: Trial, program: Program) -> list[str]:
    """A program for a unit of a real benchmark: its verdict there."""
    from cambrian.evaluators.job import evaluate
    from cambrian.measurement import Unit
    from cambrian.sandbox.attack.trial import HONEST

    name, stage = program.unit.split()
    session = trial.lender.session()
    session.install({"honest.py": HONEST, "learner.py": program.source})
    found = evaluate(session, Unit(name, stage, 0))
    verdict = found.verdict if found.verdict == "scored" else found.cause
    if verdict in program.expected(trial.lender.backend.name):
        return []
    return [f"verdict {verdict}: {found.reason}"]


def _tell(attempt: Attempt) -> None:
    name = line(f"{attempt.number:3} {attempt.name}")
    word = "held" if attempt.held else "NOT HELD"
    say(f"{word:9}{attempt.backend:12}{name:44}{attempt.seconds:5.1f} s")
    for fault in attempt.faults:
        say(f"         {line(fault)[:300]}")


def _summarise(attempts: Sequence[Attempt]) -> None:
    heading("Summary")
    rows: list[list[Any]] = []
    for name in dict.fromkeys(attempt.backend for attempt in attempts):
        of = [attempt for attempt in attempts if attempt.backend == name]
        held = sum(attempt.held for attempt in of)
        took = sum(attempt.seconds for attempt in of)
        rows.append([name, of[0].isolation, f"{held} of {len(of)}", f"{took:.0f} s"])
    show_table(["sandbox", "isolation", "held", "time"], rows)
    for attempt in attempts:
        if not attempt.held:
            say(
                line(
                    f"{attempt.backend} did not hold {attempt.number} {attempt.name}; what should "
                    f"have: {attempt.layer}"
                )
            )
