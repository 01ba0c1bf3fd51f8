"""From settings to a finished run: the lock, the seeds, resuming, serving, the control.

Signals, control and storage trouble are `daemon.service`'s; after any end of the process, kill -9
included, the same command continues where it stopped.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import anyio

from cambrian.archive import Archive, Run
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.sqlite.storage_errors import explained
from cambrian.archive.store import CONTROL
from cambrian.daemon import killswitch
from cambrian.daemon.service import Options, Service
from cambrian.errors import CambrianError, Refused, StorageTrouble, UsageError
from cambrian.evaluators.benchmarks import STAGES, benchmark, search_names
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.suites import suite_of
from cambrian.evolution import sealing
from cambrian.evolution.changing import changes, differences
from cambrian.evolution.models.roster.roster import Roster
from cambrian.evolution.models.roster.specs import key_names
from cambrian.evolution.rewriting import likeness
from cambrian.evolution.runtime.process_worker import ProcessWorker
from cambrian.evolution.runtime.seeding import add_seeds
from cambrian.evolution.settings import LIMITS, SandboxName, Settings
from cambrian.failpoints import reach
from cambrian.sandbox.backends import gpu
from cambrian.sandbox.backends.registry import choose
from cambrian.suite import USUAL_SEEDS

ENDLESS = 2**31 - 1

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Ending:
    """How a run was left: finished, or stopped so that the same command continues it."""

    state: Literal["finished", "stopped"]
    run_id: int


def init(path: Path) -> None:
    """Make an archive and put the seed agents into it.

    Raises:
        Refused: there is one already. UsageError: the directory holds something else.
    """
    with Archive.create(path) as archive, archive.lock():
        prepare(archive)
        Lineage(archive).update()


def prepare(
    archive: Archive,
    benchmarks: Sequence[str] = (),
    tell: Tell = lambda _: None,
    improver: str = "one-shot",
) -> None:
    """Add the seed agents that are not there yet (`seeding.add_seeds`), so that every agent is
    known by what its code does."""
    add_seeds(archive, benchmarks, improver)
    likeness.fill(archive, tell)


def run(
    path: Path,
    settings: Settings,
    tell: Tell,
    *,
    control: bool = False,
    seal: bool = False,
    abandon: bool = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> Ending:
    """Run evolution in the archive at `path` (made if it is not there) until its end.

    Args:
        control: then spend the same budget of judged variants on random recombinations of the
            seed agents without an archive, in `path/control`.
        seal: when a run has finished, do as `cambrian bench seal` does: the seed agents and the
            champion on sealed data, and the control's champion.
        abandon: give an unfinished run with other settings up, instead of refusing.
        options: how it is served.

    Raises:
        Refused: another process holds the archive, its kill switch is set, or an unfinished run
            has other settings.
        UsageError: settings that make no sense.
        SandboxBroken: nothing could be evaluated; the run may be resumed.
    """
    killswitch.require_clear(path)
    settings = _ready(settings, tell, options)
    if options.patient:
        _wait_for_storage(path, settings, tell, options)
    with Archive.open_or_create(path) as archive, archive.lock():
        reach("archive.made")

        def progress(text: str) -> None:
            tell(text)
            options.notifier.starting(text)

        prepare(archive, settings.benchmarks, progress, settings.improver)
        _open_suite(archive, settings, progress, abandon=abandon)
        left = _rest_left(archive, settings, control=control, seal=seal)
        done = archive.runs.last() if left else None
        if done is None:
            ending = _run(archive, settings, tell, options, abandon=abandon)
        else:
            tell(f"run {done.id} is finished; going on with {left}")
            ending = Ending("finished", done.id)
        if seal and ending.state == "finished" and not _seal(archive, settings, tell, options):
            return Ending("stopped", ending.run_id)
        judged = archive.proposals.count_judged()
        if control and ending.state == "finished" and judged:
            tell(f"control: {judged} random recombinations of the seed agents, no archive")
            return _control(archive, settings, tell, options, judged, ending, seal=seal)
    return ending


def _ready(settings: Settings, tell: Tell, options: Options) -> Settings:
    """Check benchmarks and sandbox before anything is touched; clean up after the dead."""
    suite = suite_of(settings.suite, settings.benchmarks)
    names = suite.benchmarks
    if settings.rules.seeds == "raced" and suite.seeds < USUAL_SEEDS:
        raise UsageError(
            f"seeds are raced from {USUAL_SEEDS} on, and the suite {suite.name} has {suite.seeds} "
            "of each family: leave --seeds raced out, or take another suite"
        )
    for name in names:
        for stage in ("screen", "full", *(("race",) if settings.rules.seeds == "raced" else ())):
            for seed in STAGES[stage]:  # of a family, each has a scale of its own
                calibration(benchmark(name), stage, seed)
    gpu.require_enough(settings.device, settings.workers)
    backend = choose(settings.sandbox, announce=tell)
    reaped = backend.reap()
    if reaped:
        tell(f"removed {reaped} sandboxes that an earlier run left behind")
    if options.model is None:
        roster = Roster.of(settings)
        for name in roster.names:
            roster.model(name)  # says now what is missing, not after the seeds were judged
    chosen = cast(SandboxName, backend.name)
    return dataclasses.replace(settings, benchmarks=names, sandbox=chosen)


def _wait_for_storage(path: Path, settings: Settings, tell: Tell, options: Options) -> None:
    """Wait until an archive can be written, as a run does that is under way.

    Raises:
        CambrianError: it never will be by itself (held by another process, damaged, not ours).
    """
    said, clock = False, options.timing.clock
    for wait_s in options.timing.looks.waits():
        try:
            with Archive.open_or_create(path) as archive, archive.lock():
                prepare(archive, settings.benchmarks, tell, settings.improver)
                if (last := archive.runs.last()) is not None:
                    archive.runs.add_wall(last.id, 0.0)
        except StorageTrouble as trouble:
            if not trouble.passing:
                raise
            text = f"paused before the start: {explained(trouble, path)}"
        else:
            break
        if not said:
            tell(text)
            options.notifier.ready(text)  # a service manager would end a start that takes long
            said = True
        end = clock() + wait_s
        while clock() < end:
            killswitch.require_clear(path)
            options.notifier.alive()
            time.sleep(min(wait_s, 1.0))
    if said:
        tell("the archive can be written")


def _open_suite(archive: Archive, settings: Settings, tell: Tell, *, abandon: bool) -> None:
    """Have the archive be about the suite that the settings name. What was scored by another stays
    scored there.

    Raises:
        Refused: an unfinished run was judged by other versions of its benchmarks.
    """
    wanted, now = suite_of(settings.suite, settings.benchmarks), archive.suites.current()
    if now is not None and now.suite.hash == wanted.hash:
        return
    unfinished = archive.runs.current()
    if unfinished is not None and not abandon:
        if differences(unfinished.settings, settings):
            return  # which is refused where the run is taken up
        raise Refused(
            "the benchmarks have changed since the unfinished run's agents were judged by them: "
            "--abandon gives that run up and begins one in a new suite"
        )
    opened = archive.suites.open(wanted)
    if now is not None:
        tell(
            f"suite {opened.label}: agents of {now.label} keep their scores there, and are no "
            "parents here; the seed agents are judged first"
        )


def _rest_left(archive: Archive, settings: Settings, *, control: bool, seal: bool) -> str:
    """What comes after this very run, which is finished, and was stopped or killed there; "" if the
    run itself is what is to be done."""
    last = archive.runs.last()
    if last is None or last.state != "finished" or differences(last.settings, settings):
        return ""
    if not _is_of_suite(archive, last):
        return ""
    if seal and _unsealed(archive, settings):
        return "its sealed runs"
    if not control:
        return ""
    home = archive.path / CONTROL
    if not home.exists():
        return "its control"
    with Archive.open(home, read_only=True) as beside:
        run, suite = beside.runs.last(), archive.suites.current()
        theirs = beside.suites.current()
        same = theirs is None or suite is None or theirs.suite.hash == suite.suite.hash
        if run is None or run.state != "finished" or not (same and _is_of_suite(beside, run)):
            return "its control"
        return "its control's sealed runs" if seal and _unsealed(beside, settings, False) else ""


def _is_of_suite(archive: Archive, run: Run) -> bool:
    """Whether a run was judged by the archive's current suite."""
    now = archive.suites.current()
    return now is None or run.suite_id in (None, now.id)


def benchmarks_of(archive: Archive) -> list[str]:
    """What the archive's last run searched on; the default where there was none."""
    last = archive.runs.last()
    return list((last.settings.get("benchmarks") if last else None) or search_names())


def _unsealed(archive: Archive, settings: Settings, seeds: bool = True) -> bool:
    wanted = sealing.wanted(archive, seeds=seeds)
    return any(sealing.unsealed(archive, one, settings.benchmarks) for one in wanted)


def _seal(
    archive: Archive, settings: Settings, tell: Tell, options: Options, *, seeds: bool = True
) -> bool:
    """What `cambrian bench seal` does; False if it was interrupted."""
    make_worker = options.make_worker or functools.partial(
        ProcessWorker, settings.sandbox, hidden=key_names()
    )
    try:
        with killswitch.watch(archive.path, killswitch.interrupt):
            sealing.seal(
                archive,
                sealing.wanted(archive, seeds=seeds),
                settings.benchmarks,
                make_worker,
                tell,
                workers=settings.workers,
                device=settings.device,
                timing=options.timing,
            )
    except KeyboardInterrupt:
        return False
    return True


def _run(
    archive: Archive, settings: Settings, tell: Tell, options: Options, *, abandon: bool = False
) -> Ending:
    row = _start_or_resume(archive, settings, abandon)
    reach("run.started")
    service = Service(archive, row, settings, tell, options)
    state: Literal["finished", "stopped"] = "stopped"
    try:
        state = anyio.run(service.run)
    except BaseExceptionGroup as group:
        raise _first(group) from group
    finally:
        if not service.storage:  # else it cannot be written: the next start does it
            try:
                archive.runs.end(row.id, state)
            except StorageTrouble as trouble:
                tell(f"that the run has {state} could not be written: {trouble}")
    reach("run.ended")
    return Ending(state, row.id)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What to report of a group: an error of our own if there is one, else its first."""
    flat: list[BaseException] = []
    queue: list[BaseException] = [group]
    while queue:
        error = queue.pop(0)
        if isinstance(error, BaseExceptionGroup):
            queue.extend(error.exceptions)
        else:
            flat.append(error)
    return next((error for error in flat if isinstance(error, CambrianError)), flat[0])


def _start_or_resume(archive: Archive, settings: Settings, abandon: bool) -> Run:
    target = ENDLESS if settings.proposals is None else settings.proposals
    unfinished = archive.runs.current()
    if unfinished is None:
        return archive.runs.start(settings.seed, settings.to_json(), target)
    changed = differences(unfinished.settings, settings)
    suite = archive.suites.current()
    if suite is not None and unfinished.suite_id not in (None, suite.id):
        changed.append("the versions of its benchmarks")
    if not changed:
        with archive.transaction():
            archive.runs.resume(unfinished.id, target)
            if taken := changes(unfinished.settings, settings):
                archive.runs.settle(unfinished.id, settings.to_json(), taken)
            if unfinished.settings.get("workers") != settings.workers:  # meant anew
                archive.steering.order(unfinished.id, "workers", settings.workers)
        return archive.runs.get(unfinished.id)
    if not abandon:
        raise Refused(
            f"run {unfinished.id} of this archive is unfinished and had other settings "
            f"({'; '.join(changed)}): repeat its command to go on, or add --abandon to give it up"
        )
    with archive.transaction():  # else a kill would leave its proposals to the next run's rules
        archive.runs.end(unfinished.id, "abandoned")
        for proposal in archive.proposals.undecided():
            archive.proposals.close(proposal.id, "invalid", "abandoned with its run")
        return archive.runs.start(settings.seed, settings.to_json(), target)


def _control(
    archive: Archive,
    settings: Settings,
    tell: Tell,
    options: Options,
    judged: int,
    before: Ending,
    *,
    seal: bool,
) -> Ending:
    """The same budget without an archive: random chains of recombinations of seed agents."""
    nothing: dict[str, Any] = dict.fromkeys(LIMITS)
    settings = dataclasses.replace(
        settings,
        selection="random",
        rewriter="recombine",
        approve="none",
        **nothing | {"judged": judged},
    )
    with Archive.open_or_create(archive.path / CONTROL) as control, control.lock():
        control.suites.open(suite_of(settings.suite, settings.benchmarks))
        _copy_seeds(archive, control)
        last = control.runs.last()
        if last is not None and last.state == "finished" and _is_of_suite(control, last):
            ending = Ending("finished", last.id)
        else:
            ending = _run(control, settings, tell, options, abandon=True)
        if seal and ending.state == "finished":
            sealed = _seal(control, settings, tell, options, seeds=False)
            ending = ending if sealed else Ending("stopped", ending.run_id)
    return before if ending.state == "finished" else ending


def _copy_seeds(archive: Archive, control: Archive) -> None:
    """The same seed agents; and as they are the same code on the same streams, what is known of
    them need not be paid for again."""
    for seed in archive.agents.seeds():
        control.agents.add_seed(seed.id, archive.agents.files(seed.id), seed.title)
        for row in archive.evaluations.of(seed.id):
            control.evaluations.record(seed.id, archive.evaluations.record_of(row))
    likeness.fill(control)
