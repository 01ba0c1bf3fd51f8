"""What a run says on its way: a bar on a terminal, else one line per event."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from cambrian.archive import Archive
from cambrian.cli.context import CONTROL
from cambrian.cli.render.output import note
from cambrian.cli.render.text import duration, line, number
from cambrian.errors import CambrianError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class ProgressReporter:
    """Called with a line for everything that happens. Use as a context manager.

    Args:
        path: the archive, which may not exist yet.
        verbose: on a terminal, too, every line is shown and not only what was admitted.
    """

    def __init__(self, path: Path, *, verbose: bool = False) -> None:
        self._path = path
        self._verbose = verbose
        self._pace: tuple[float, float] | None = None
        self._open: dict[Path, Archive] = {}
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressReporter:
        if sys.stderr.isatty():
            self._start_bar()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        for archive in self._open.values():
            archive.close()

    def __call__(self, text: str) -> None:
        """One event. The text may hold what an agent wrote."""
        if self._bar is None:
            note(line(text))
            return
        if self._verbose or not text.startswith("#") or " admitted " in text:
            from rich.text import Text

            self._bar.console.print(Text(line(text)))
        self._update()

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[said]}", markup=False),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=Console(stderr=True, markup=False, highlight=False, emoji=False),
        )
        self._task = self._bar.add_task("seeds", total=1.0, said="", left="")
        self._bar.start()

    def _update(self) -> None:
        """Bring the bar up to date with the archive."""
        archive = self._watched()
        if archive is None or self._bar is None or self._task is None:
            return
        share = share_done(archive)
        self._bar.update(
            self._task,
            description=self._phase(archive),
            completed=share,
            said=standing(archive),
            left=self._left(share),
        )

    def _left(self, share: float) -> str:
        """The time left at the pace since the first look: a resumed run begins half way."""
        now = time.monotonic()
        if self._pace is None or share < self._pace[0]:  # or the control has begun
            self._pace = (share, now)
        return remaining(share - self._pace[0], 1 - share, now - self._pace[1])

    def _phase(self, archive: Archive) -> str:
        if archive.path != self._path:
            return "control"
        return "evolving" if archive.counts()["proposals"] else "seeds"

    def _watched(self) -> Archive | None:
        """The archive that is being worked in: the control's, once ours has come to its end."""
        ours = self._reading(self._path)
        if ours is None or ours.runs.current() is not None:
            return ours
        return self._reading(self._path / CONTROL) or ours

    def _reading(self, path: Path) -> Archive | None:
        # A second connection: the run writes through its own.
        if path not in self._open:
            try:
                self._open[path] = Archive.open(path, read_only=True)
            except CambrianError:  # not made yet, or not brought up to date yet
                return None
        return self._open[path]


def share_done(archive: Archive) -> float:
    """How much of the last run is done (0 to 1), by whichever of its ends is nearest."""
    run = archive.runs.last()
    if run is None:
        return 0.0
    decided = archive.proposals.decided_through() + 1 - run.first_proposal
    shares = [
        _share(decided, run.settings.get("proposals")),
        _share(archive.counts()["judged"], run.settings.get("judged")),
        _share(run.wall_s / 3600, run.settings.get("hours")),
    ]
    return min(max(shares), 1.0)


def _share(done: float, target: float | None) -> float:
    return done / target if target else 0.0


def standing(archive: Archive) -> str:
    """Judged, admitted, best lower bound."""
    counts, champion = archive.counts(), archive.champion()
    best = number(champion.score) if champion else "-"
    return f"{counts['judged']} judged, {counts['admitted']} admitted, best {best}"


def remaining(done: float, left: float, elapsed_s: float) -> str:
    """How long the share `left` will take if `done` took so long; "" until there is a pace."""
    if done < 0.02:
        return ""
    return f"about {duration(elapsed_s * left / done)} left"
