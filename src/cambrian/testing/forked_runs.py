"""Runs with instant workers and an instant model, each in a process that is cheap to kill.

Everything is imported once, and every run is a fork. As a command it goes through fail points:

    python -m cambrian.testing.forked_runs FOLDER NAME...

A run for each fail point: killed there, started again, and compared with one that was left alone.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cambrian import failpoints
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive
from cambrian.archive.transfer.check import check
from cambrian.daemon import socket, supervisor
from cambrian.daemon.service import Options
from cambrian.errors import CambrianError, SandboxBroken
from cambrian.evolution import sealing
from cambrian.evolution.models.broker import MAX_ANSWER_TOKENS, Answer
from cambrian.evolution.runtime.workers import Ask
from cambrian.evolution.settings import Settings
from cambrian.measurement import Measurement, Unit
from cambrian.testing.instant_run import BENCHMARKS, picture
from cambrian.testing.workers import InstantWorker, noted, quick

KILLED = -signal.SIGKILL


class InstantModel:
    """Answers every question with a digest of it."""

    name = "instant"

    def answer(
        self, messages: Sequence[dict[str, str]], max_tokens: int = MAX_ANSWER_TOKENS
    ) -> Answer:
        """The digest, for 50 tokens of prompt and 20 of completion."""
        text = hashlib.sha256(json.dumps(list(messages)).encode()).hexdigest()
        return Answer(text, prompt_tokens=50, completion_tokens=20)


class InstantImprover(InstantWorker):
    """An improver that asks once, and writes what it was told into a note.

    Some of its variants fail until it is told so. In each process the sandbox breaks once, for the
    first variant that is screened.
    """

    broke = False

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        screened = units and units[0].stage != "smoke"
        if screened and "NOTES.md" in files and not InstantImprover.broke:
            InstantImprover.broke = True
            raise SandboxBroken("it does so once")
        async for one in super().evaluate(agent_id, files, units, device):
            yield one

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        """An edit whose note is the model's answer to a digest of the evidence."""
        seen = json.dumps([evidence, sorted(files)], sort_keys=True)
        text = await ask([{"role": "user", "content": hashlib.sha256(seen.encode()).hexdigest()}])
        edit = await super().improve(files, evidence, _silent)
        fails = text[0] in "0123" and "error" not in evidence
        note = f"raise {text}" if fails else text
        return edit | {"title": f"Note {text[:8]}", "files": noted(files, note)}


async def _silent(_: list[dict[str, str]]) -> str:
    return ""


def approve_all(home: Path, over: threading.Event) -> None:
    """A person who says yes to everything, over the control socket."""
    while not over.wait(0.02):
        with suppress(CambrianError), Archive.open(home, read_only=True) as archive:
            for asked in archive.steering.waiting():
                index = archive.proposals.get(asked.proposal_id).idx
                socket.ask(home, "approve", {"agent": index, "reason": "looks right"})


def settings(proposals: int | None, **changes: Any) -> Settings:
    """Settings of a run with the `model` rewriter and two workers, with any of them changed."""
    given: dict[str, Any] = {
        "seed": 3,
        "proposals": proposals,
        "workers": 2,
        "benchmarks": BENCHMARKS,
        "sandbox": "none",
        "rewriter": "model",
        "model": InstantModel.name,
        "tokens": 10**9,
    }
    return Settings(**given | changes)


def finished(home: Path, *, seal: bool = False) -> bool:
    """Whether its run has ended, and (`seal`) its sealed runs too."""
    if not (home / "archive.db").exists():
        return False
    with Archive.open(home) as archive:
        run = archive.runs.last()
        if run is None or run.state != "finished":
            return False
        names = run.settings["benchmarks"]
        left = seal and any(sealing.unsealed(archive, a, names) for a in sealing.wanted(archive))
        return not left


def run(home: Path, given: Settings, *, seal: bool = False) -> None:
    """Start or resume a run; every approval it asks for is given."""
    if finished(home, seal=seal):
        return
    options, over = (
        Options(make_worker=InstantImprover, model=InstantModel(), timing=quick(0.02)),
        threading.Event(),
    )
    person = threading.Thread(target=approve_all, args=(home, over), daemon=True)
    person.start()
    try:
        supervisor.run(home, given, lambda _: None, seal=seal, options=options)
    finally:
        over.set()
        person.join()


def forked(work: Callable[[], None], *, fail_point: str = "", seen: Path | None = None) -> int:
    """Do work in a fork and wait for it; its exit code, or minus the signal that ended it."""
    child = start(work, fail_point=fail_point, seen=seen)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def start(work: Callable[[], None], *, fail_point: str = "", seen: Path | None = None) -> int:
    """Begin work in a fork, in a process group of its own; its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setpgid(0, 0)
        failpoints.arm(fail_point, seen)
        work()
        status = 0
    except BaseException as error:  # noqa: BLE001 - the process boundary
        print(f"forked_runs: {type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(status)


def sound(home: Path) -> list[str]:
    """What `cambrian db check` finds wrong."""
    with Archive.open(home) as archive:
        found = check(archive, identity=lambda files: SourceTree(files).identity)
        return [f"{problem.kind}: {problem.detail}" for problem in found]


def through(home: Path, point: str, given: Settings, expected: Mapping[str, Any]) -> str:
    """Kill a run at a fail point, and at the third time that its successor gets there, and let it
    end; what is wrong then, "" if nothing is."""
    work = functools.partial(run, home, given, seal=seals(point))
    if forked(work, fail_point=point) != KILLED:
        return "never reached"
    if forked(work, fail_point=f"{point}:3") not in (0, KILLED):
        return "could not go on"
    if forked(work) != 0:
        return "could not end"
    if problems := sound(home):
        return "; ".join(problems)
    differs = [name for name, value in picture(home).items() if value != expected[name]]
    return f"differs in {', '.join(differs)}" if differs else ""


def seals(point: str) -> bool:
    """Whether a run comes to this point only where it is to seal at its end."""
    return point.startswith("sealing.")


if __name__ == "__main__":
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    usual, alone = settings(4, approve="all"), folder / "undisturbed"
    whole = {}
    for sealed in (False, True):
        assert forked(lambda: run(alone, usual, seal=sealed)) == 0  # noqa: B023 - done by now
        whole[sealed] = picture(alone)
    found = {name: through(folder / name, name, usual, whole[seals(name)]) for name in names}
    print(json.dumps(found))
