"""The search of a solution, for some minutes: its archive begins with seed agents and guests."""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cambrian.archive import Agent, Archive
from cambrian.archive.store import DATABASE
from cambrian.daemon import killswitch, socket, supervisor
from cambrian.daemon.service import Options
from cambrian.errors import CambrianError
from cambrian.evolution import sealing
from cambrian.evolution.runtime.process_worker import ProcessWorker
from cambrian.evolution.runtime.workers import WorkerFactory
from cambrian.evolution.settings import SandboxName, Settings
from cambrian.solving.guests import Guest, invite

DRAIN_S = 20.0
"""After Ctrl-C, how long what is being judged may still take."""

Tell = Callable[[str], None]


def begin(path: Path, sources: Sequence[Path]) -> list[Guest]:
    """Make the archive where there is none, and add the guests of other archives."""
    if not (path / DATABASE).is_file():
        supervisor.init(path)
    return [guest for source in sources for guest in invite(path, source)]


def search(
    path: Path,
    benchmark: str,
    seconds: float,
    tell: Tell,
    *,
    grace_s: float = math.inf,
    workers: int = 2,
    sandbox: SandboxName = "auto",
    options: Options | None = None,
) -> bool:
    """Search for so many seconds in all, the earlier stretches included; False if it was stopped.

    Args:
        grace_s: how long what is under way then may still take; what is not done is given up.
        options: how it is served; for tests.
    """
    if is_over(path, seconds):
        return True
    left = seconds - finished_s(path)
    settings = Settings(
        hours=left / 3600, benchmarks=(benchmark,), workers=workers, sandbox=sandbox
    )
    served = options or Options(drain_s=DRAIN_S)
    until = left - _stretches_s(path) + grace_s
    with _deadline(path, max(until, 1.0)) as was_told:
        ending = supervisor.run(path, settings, tell, options=served)
    if ending.state == "stopped" and was_told():
        tell("out of time: what was under way is given up")
        _give_up(path, ending.run_id)
        return True
    return ending.state == "finished"


@contextmanager
def _deadline(path: Path, seconds: float) -> Iterator[Callable[[], bool]]:
    """Have what runs in the archive stop at once after so many seconds; yields what says whether
    it was told to."""
    over, passed = threading.Event(), threading.Event()

    def wait() -> None:
        if over.wait(min(seconds, threading.TIMEOUT_MAX)):
            return
        passed.set()
        with suppress(CambrianError, OSError):  # it has ended by itself meanwhile
            socket.ask(path, "stop", {"how": "now"}, dry_run=False)

    thread = threading.Thread(target=wait, name="deadline", daemon=True)
    thread.start()
    try:
        yield passed.is_set
    finally:
        over.set()
        thread.join()


def _give_up(path: Path, run_id: int) -> None:
    """End a run with what it had under way: no search goes on in the archive then."""
    with Archive.open(path) as archive, archive.lock(), archive.transaction():
        archive.runs.end(run_id, "abandoned")
        for proposal in archive.proposals.undecided():
            archive.proposals.close(proposal.id, "invalid", "out of time with its run")


def is_over(path: Path, seconds: float) -> bool:
    """Whether a search of so many seconds has had them."""
    return seconds - finished_s(path) < 1.0


def finished_s(path: Path) -> float:
    """Seconds that the runs of an archive took which are over; one that was stopped goes on, with
    its own."""
    return _sum(path, ("finished", "abandoned"))


def _stretches_s(path: Path) -> float:
    return _sum(path, ("running", "stopped"))


def _sum(path: Path, states: Sequence[str]) -> float:
    with Archive.open(path, read_only=True) as archive:
        rows = archive.database.rows("SELECT state, wall_s FROM runs")
    return float(sum(row["wall_s"] for row in rows if row["state"] in states))


def chosen(archive: Archive) -> list[tuple[str, Agent]]:
    """Who is judged on the sealed rows, by what the search has shown: "champion", and "seed", the
    best of the agents that it began with, where that is another."""
    champion = archive.champion()
    if champion is None:
        return []
    seeds = [one for one in archive.agents.seeds() if one.lower is not None or one.score]
    best = max(seeds, key=lambda one: one.lower or one.score or 0.0, default=champion)
    return [("champion", champion), *([("seed", best)] if best.id != champion.id else [])]


def seal(
    path: Path,
    benchmark: str,
    tell: Tell,
    *,
    workers: int = 2,
    sandbox: SandboxName = "auto",
    make_worker: WorkerFactory | None = None,
) -> None:
    """Judge those chosen on the sealed rows; what is recorded is not run again.

    Raises:
        Refused: the search is unfinished. SandboxBroken: an agent could not be judged here.
    """
    with (
        Archive.open(path) as archive,
        archive.lock(),
        killswitch.watch(archive.path, killswitch.interrupt),
    ):
        sealing.seal(
            archive,
            [agent.id for _, agent in chosen(archive)],
            (benchmark,),
            make_worker or functools.partial(ProcessWorker, sandbox),
            tell,
            workers=workers,
            unseen=False,
        )
