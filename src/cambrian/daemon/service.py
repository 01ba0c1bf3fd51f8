"""One run as a service: the loop, and all that steers and watches it, in one event loop.

Signal handlers only set flags, which this acts on:

=========== =====================================================================================
SIGINT/TERM finish what is being evaluated (for at most `drain_s` seconds), then stop; the second
            one stops at once
SIGHUP      reload the settings, and apply what may change during a run
=========== =====================================================================================

Storage that fails (a full disk, a read-only file system, a lock) does not end the process: the
stretch of the run that met it is given up, as a kill would have done; the service waits until the
archive can be written again, saying why, and begins the next stretch.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import anyio
import anyio.abc
import anyio.from_thread

from cambrian.archive import Archive, Run
from cambrian.archive.sqlite.storage_errors import explained, told
from cambrian.daemon import health, killswitch, socket
from cambrian.daemon.intents import Intents
from cambrian.daemon.logs import EventLog
from cambrian.daemon.notify import Notifier
from cambrian.daemon.status import Status, Work
from cambrian.errors import CambrianError, StorageTrouble
from cambrian.evolution.changing import changes, differences
from cambrian.evolution.loop import Loop
from cambrian.evolution.models.broker import Model
from cambrian.evolution.plateau import plateau
from cambrian.evolution.runtime.context import Listener, Stop
from cambrian.evolution.runtime.workers import WorkerFactory
from cambrian.evolution.settings import MAY_CHANGE, Settings
from cambrian.evolution.timing import USUAL, Timing
from cambrian.sandbox.backends.gpu import require_enough

State = Literal["finished", "stopped"]


@dataclass(frozen=True)
class Options:
    """How a run is served.

    Attributes:
        drain_s: how long a drain may take before what is left is dropped.
        metrics_port: of `/metrics`, `/healthz` and `/readyz` on loopback; 0 takes any free one,
            None serves none.
        reload: the settings, reloaded, and what else has changed and needs a restart, in words;
            None where they cannot be.
        notifier: the service manager.
        make_worker, model: make workers and answer questions; None for real ones.
        log: gets every event; None for none.
        timing: how long the run waits for what, and by which clock.
        grace_s: how long it may take to drop what it does once the kill switch is set.
        patient: whether a start waits for storage that gives trouble, as a run does.
    """

    drain_s: float = 300.0
    metrics_port: int | None = None
    reload: Callable[[], tuple[Settings, Sequence[str]]] | None = None
    notifier: Notifier = field(default_factory=Notifier)
    make_worker: WorkerFactory | None = None
    model: Model | None = None
    log: EventLog | None = None
    patient: bool = False
    timing: Timing = USUAL
    grace_s: float = killswitch.GRACE_S


class Service:
    """Serves one run of an archive that the caller has locked.

    Attributes:
        storage: what is wrong with the storage; "" while nothing is.
    """

    def __init__(
        self, archive: Archive, run: Run, settings: Settings, tell: Listener, options: Options
    ) -> None:
        self.archive = archive
        self.run_id = run.id
        self.settings = settings
        self._listener = tell
        self.options = options
        self._clock = options.timing.clock
        self.storage = ""
        self.stop: Stop = ""
        self.metrics_port: int | None = None
        self.started = self.options.timing.now()
        self.beat = self._clock()
        self.loop = self._loop()
        self._draining_since: float | None = None

    def tell(self, text: str) -> None:
        """Say something to people, on the screen and in the log."""
        self._listener(text)
        if self.options.log is not None:
            with suppress(OSError):  # a full disk: the screen has it
                self.options.log.say(text, run=self.run_id)

    def _follow(self) -> None:
        """Log what was committed. What the storage does not give now is logged when it does."""
        if self.options.log is None or self.storage:
            return
        with suppress(StorageTrouble, sqlite3.Error, OSError):  # the run meets it by itself
            self.options.log.follow(self.archive)

    def _loop(self) -> Loop:
        return Loop(
            self.archive,
            self.archive.runs.get(self.run_id),
            self.settings,
            self.tell,
            self.archive.path / "logs",
            self.options.make_worker,
            self.options.model,
            self.options.timing,
        )

    async def run(self) -> State:
        """Carry the run on until its end or until told to stop.

        Raises:
            CambrianError: the run was abandoned; it may be resumed.
        """
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.enter_context(
                killswitch.watch(self.archive.path, self._kill, self.options.grace_s)
            )
            await tasks.start(self._watch_signals)
            await tasks.start(socket.serve, self.archive.path, self._answer)
            if self.options.metrics_port is not None:
                port = self.options.metrics_port
                self.metrics_port = await tasks.start(health.serve, port, self.status)
            tasks.start_soon(self._tick)
            tasks.start_soon(self.options.notifier.watchdog)
            self.options.notifier.ready(f"run {self.run_id}")
            try:
                return await self._stretches()
            finally:
                self.options.notifier.stopping()
                self._follow()
                tasks.cancel_scope.cancel()

    async def _stretches(self) -> State:
        """One stretch of the run after the other, parted by storage trouble."""
        next_look = self.options.timing.looks.waits()
        while True:
            began = self._clock()
            try:
                for said in self._intents().carry_out_pending():
                    self.tell(said)
                if self.stop:
                    self.loop.halt(self.stop)
                return await self.loop.run()
            except Exception as error:
                trouble = storage_trouble(error)
                if trouble is None:
                    raise
            if self._clock() - began > 300:
                next_look = self.options.timing.looks.waits()
            if not await self._storage_is_back(trouble, next_look):
                return "stopped"

    async def _storage_is_back(self, trouble: StorageTrouble, looks: Any) -> bool:
        """Wait until the archive can be written again; False if told to stop before."""
        self.storage = f"the archive cannot be written: {explained(trouble, self.archive.path)}"
        self.tell(f"paused: {self.storage}")
        for wait_s in looks:
            with anyio.move_on_after(wait_s):
                while not self.stop:
                    await anyio.sleep(0.1)
            if self.stop:
                return False
            try:
                self._open_again(trouble)
                self.loop = self._loop()
            except (CambrianError, sqlite3.Error, OSError) as error:
                self.storage = f"the archive cannot be written: {error}"
                continue
            break
        self.storage = ""
        self.tell("the archive can be written again")
        return True

    def _open_again(self, trouble: StorageTrouble) -> None:
        """Another connection, if everything is well with it."""
        fresh = Archive.open(self.archive.path)
        try:
            if not trouble.passing:
                said = fresh.database.value("PRAGMA quick_check")
                if said != "ok":
                    raise StorageTrouble(f"damaged: {said}", trouble.reason)
            fresh.runs.add_wall(self.run_id, 0.0)
        except BaseException:
            fresh.close()
            raise
        self.archive.database.take_over(fresh.database)

    # -- steering ----------------------------------------------------------------------

    def halt(self, how: str) -> bool:
        """Stop ("drain" or "now"); False if it is stopping like that already."""
        if self.stop in ("now", how):
            return False
        self.stop = "now" if how == "now" else "drain"
        self._draining_since = self._draining_since or self._clock()
        self.tell(
            "stopping now; nothing recorded is lost"
            if self.stop == "now"
            else "finishing what is being evaluated, then stopping (once more: stop now)"
        )
        self.loop.halt(self.stop)
        return True

    def _kill(self) -> None:
        """The kill switch was set; called from its thread, so only a flag is set."""
        self._killed = True

    _killed = False

    async def _watch_signals(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        with anyio.open_signal_receiver(*kinds) as signals:
            task_status.started()
            async for kind in signals:
                if kind == signal.SIGHUP:
                    self.reload()
                else:
                    self.halt("now" if self.stop else "drain")

    async def _tick(self) -> None:
        """The kill switch, the end of a drain's patience, and the beat that health looks at."""
        said = ""
        while True:
            self.beat = self._clock()
            if self._killed and self.stop != "now":
                self.tell(f"the kill switch is set ({killswitch.NAME})")
                self.halt("now")
            drained = self._draining_since
            if self.stop == "drain" and drained and self.beat - drained > self.options.drain_s:
                self.tell(f"the drain took {self.options.drain_s:g} s; what is left is dropped")
                self.halt("now")
            self._follow()
            if (state := self.state()) != said:
                said = state
                self.options.notifier.status(f"run {self.run_id}: {state}")
            await anyio.sleep(self.options.timing.service_beat_s)

    def reload(self) -> None:
        """Reload the settings, apply what may change during a run, and say what was
        taken, what belongs to the run for good and what needs a restart."""
        if self.options.reload is None:
            self.tell("SIGHUP: no settings file to reload")
            return
        self.options.notifier.reloading()
        try:
            given, later = self.options.reload()
            require_enough(self.settings.device, given.workers)
            # As `auto` was understood at the start: sessions do not move to another sandbox.
            may = {name: getattr(given, name) for name in MAY_CHANGE - {"sandbox"}}
            before, settings = self.settings.to_json(), replace(self.settings, **may)
            taken = changes(before, settings)
            if taken:
                self.archive.runs.settle(self.run_id, settings.to_json(), taken)
                self.settings = settings
                self.loop.reload(settings)
            self.tell(f"settings reloaded: {'; '.join(taken) or 'nothing has changed'}")
            if fixed := differences(before, given):
                self.tell(f"not taken, a run keeps them to its end: {'; '.join(fixed)}")
            if later:
                self.tell(f"not taken before a restart: {'; '.join(later)}")
        except (CambrianError, OSError, sqlite3.Error) as error:
            self.tell(f"the settings stay as they are: {error}")
        self.options.notifier.ready(f"run {self.run_id}")

    # -- answers -----------------------------------------------------------------------

    def _intents(self) -> Intents:
        run = self.archive.runs.get(self.run_id)
        return Intents(self.archive, run, self.settings.to_json(), self.loop, self.halt)

    async def _answer(
        self, verb: str, arguments: Mapping[str, Any], dry_run: bool, by: str
    ) -> Mapping[str, Any]:
        if verb == "status":
            return {"answer": self.state(), "data": self._snapshot()}
        if verb == "stop" and self.storage and not dry_run:
            self.halt(str(arguments.get("how", "drain")))  # it cannot be written down
            return {"answer": "stopping", "data": {}}
        try:
            said = self._intents().ask(verb, arguments, by, dry_run=dry_run)
        except sqlite3.Error as error:
            raise CambrianError(f"the archive cannot be written: {error}") from error
        except CambrianError:
            raise
        except Exception as error:
            # Whatever somebody asks for, it must not end a run that has gone on for weeks.
            text = f"{verb} failed unexpectedly: {type(error).__name__}: {error}"
            self.tell(f"{text}; the run continues")
            raise CambrianError(text) from error
        return {"answer": said, "data": {"dry_run": dry_run}}

    def _snapshot(self) -> Mapping[str, Any]:
        try:
            return self.status().to_json()
        except (sqlite3.Error, OSError) as error:
            raise CambrianError(f"the archive cannot be read: {error}") from error

    def status(self, *, whole: bool = True) -> Status:
        """Where it stands, without looking through the archive; see `AskStatus`."""
        now, wall_s = self.options.timing.now(), self.loop.wall_s
        return Status(
            pid=os.getpid(),
            run=self.run_id,
            state=self.state(),
            ready=self.ready,
            idle_s=self._clock() - self.beat,
            paused=self.loop.pauses.texts() | ({"storage": self.storage} if self.storage else {}),
            started_at=self.started,
            uptime_s=now - self.started,
            workers=self.loop.workers,
            metrics_port=self.metrics_port,
            wall_s=wall_s,
            work=self._work(wall_s) if whole and not self.storage else None,
        )

    def _work(self, wall_s: float) -> Work:
        archive, champion = self.archive, self.archive.champion()
        return Work(
            budget=[asdict(one) for one in self.loop.budget.standings(wall_s)],
            ended_by=self.loop.ended_by,
            progress=plateau(archive, archive.runs.get(self.loop.run_id)),
            counts=archive.counts(),
            jobs=archive.jobs.counts(),
            at_work=[
                {
                    "job": job.id,
                    "worker": job.lease_owner,
                    "agent": job.agent_id,
                    "stage": job.stage,
                    "proposal": job.proposal_id,
                    "attempt": job.attempts,
                }
                for job in archive.jobs.in_state("leased")
            ],
            approvals=len(archive.steering.waiting()),
            undecided=archive.proposals.count_undecided(),
            champion=champion.score if champion else None,
        )

    def state(self) -> str:
        """Where it stands, in a word or a line."""
        if self.stop:
            return "stopping" if self.stop == "now" else "draining"
        texts = [*self.loop.pauses.texts().values(), *([self.storage] if self.storage else [])]
        return f"paused: {'; '.join(texts)}" if texts else "running"

    @property
    def ready(self) -> bool:
        """Whether work is being done, or would be if there was any."""
        down = set(self.loop.pauses.texts()) - {"asked"}
        return not (self.stop or self.storage or down)


def storage_trouble(error: BaseException) -> StorageTrouble | None:
    """The storage trouble that an error, or each error of a group, amounts to; None if there is
    anything else among them."""
    if isinstance(error, BaseExceptionGroup):
        found = [storage_trouble(one) for one in error.exceptions]
        return found[0] if all(found) else None
    if isinstance(error, StorageTrouble):
        return error
    return told(error) if isinstance(error, (sqlite3.Error, OSError)) else None
