"""State shared by the tasks of one process lifetime of a run.

Nothing here decides anything. It says whether to stop or pause, wakes who waits for something to
change, and counts the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import anyio

from cambrian.archive import Archive, Run
from cambrian.errors import CambrianError
from cambrian.evolution.admission.approval import Policy
from cambrian.evolution.admission.stages import StageMachine
from cambrian.evolution.budget import Budget
from cambrian.evolution.nulls import NullControls
from cambrian.evolution.runtime.pauses import Pauses, Reason
from cambrian.evolution.settings import Settings
from cambrian.evolution.timing import USUAL, Timing
from cambrian.failpoints import reach

Stop = Literal["", "drain", "now"]
Listener = Callable[[str], None]
"""Told a line of text whenever something happened that a person wants to know."""


class RunContext:
    """What the tasks of a run share.

    Attributes:
        stop: "drain" to finish what is being carried out, "now" to drop it.
        pauses: why it pauses; empty while it runs.
        failure: why it was given up.
        nulls: the twins that must not win.
        timing: how long it waits for what, and by which clock.
        making: what is being made or carried out for a proposal; cancelled if it is given up.
    """

    def __init__(
        self,
        archive: Archive,
        run: Run,
        settings: Settings,
        tell: Listener,
        timing: Timing = USUAL,
    ) -> None:
        self.archive = archive
        self.run_id = run.id
        self.settings = settings
        self.tell = tell
        self.timing = timing
        self.stop: Stop = ""
        self.failure: CambrianError | None = None
        self.budget = Budget(archive, run, settings.to_json())
        self.pauses = Pauses(self._pause_changed, timing.clock)
        self.pipeline = StageMachine(
            archive,
            settings.benchmarks,
            settings.rules,
            Policy.of(settings.approve),
            timing.jobs,
            settings.admission,
        )
        self.nulls = NullControls(archive, run.id, settings)
        self.making: dict[int | None, set[anyio.CancelScope]] = {}
        self._spent_s = run.wall_s
        self._began = self.timing.clock()
        self._news = anyio.Event()

    # -- waking ------------------------------------------------------------------------

    def notify(self) -> None:
        """Wake every task that waits for something to change."""
        self._news.set()
        self._news = anyio.Event()

    async def changed(self) -> None:
        """Wait until something changes; look again afterwards."""
        await self._news.wait()

    async def tick(self) -> None:
        """What only time changes (a job that was left alone for a while) is looked for too."""
        while True:
            await anyio.sleep(self.timing.tick_s)
            self.notify()

    # -- time --------------------------------------------------------------------------

    @property
    def wall_s(self) -> float:
        """Seconds this run has taken, its earlier stretches included and its pauses not."""
        running = 0.0 if self.pauses else self.timing.clock() - self._began
        return self._spent_s + running

    def count_wall(self) -> None:
        """Add the time since the last call to the run's, unless it is paused."""
        now = self.timing.clock()
        passed, self._began = now - self._began, now
        if self.pauses:
            return
        self._spent_s += passed
        self.archive.runs.add_wall(self.run_id, passed)
        reach("wall.counted")

    # -- pausing and ending ------------------------------------------------------------

    def pause(self, reason: Reason, text: str) -> None:
        """Begin nothing new until the reason is lifted."""
        self.count_wall()  # up to now; what follows does not count
        self.pauses.set(reason, text)

    def _pause_changed(self, reason: Reason, text: str) -> None:
        if text:
            self.tell(f"paused: {text}")
            self.archive.runs.note(self.run_id, "paused", reason=reason, text=text)
        else:
            self._began = self.timing.clock()
            self.tell(f"no longer paused ({reason})")
            self.archive.runs.note(self.run_id, "went_on", reason=reason)
        self.notify()

    def out_of_patience(self, reason: Reason) -> bool:
        """Whether it has paused for this reason for as long as it may."""
        patience_s = self.settings.patience * 60
        return reason in self.pauses and self.pauses.lasted_s(reason) >= patience_s

    def give_up(self, error: CambrianError) -> None:
        """Finish what is under way, and end with this error; the run may be resumed."""
        self.failure = self.failure or error
        self.stop = self.stop or "drain"
        self.notify()
