"""Null controls: twins of members that must not win, judged in every run.

Two kinds, both due with every 32nd proposal (the 17th first), of a member that is drawn evenly from
those that this proposal sees:

- an *identical* twin is the member once more, on the streams of the screen, judged anew: it has to
  come out the same to the last bit, and what does not betrays the host;
- a twin with another *random stream* is the same code, started with another seed of the learner's
  own, on all streams and seeds of the search: how often it passes the rule for an improvement is
  held against the rule's α.

They are scheduled by the proposal's number and drawn from the run's seed, become no members or
parents, and are counted apart. They change nothing that is decided.
"""

from __future__ import annotations

import numpy as np

from cambrian.archive import Archive, Job
from cambrian.archive.nulls import Null
from cambrian.evolution.admission.records import units
from cambrian.evolution.selection.selection import Selection
from cambrian.evolution.settings import Settings
from cambrian.measurement import Measurement, Unit

EVERY, FIRST = 32, 16
STAGE = "null-"
"""A job's stage is this and the id of the twin."""


def is_null(job: Job) -> bool:
    """Whether a job judges a twin."""
    return str(job.stage).startswith(STAGE)


class NullControls:
    """Opens the twins of a run, and keeps what comes of them."""

    def __init__(self, archive: Archive, run_id: int, settings: Settings) -> None:
        self._archive = archive
        self._run_id = run_id
        self._settings = settings
        self._selection = Selection(archive, "uniform")

    def cost(self) -> int:
        """How many evaluations a pair takes."""
        names = self._settings.benchmarks
        return 2 * len(units(self._archive, "screen", names)) + len(
            units(self._archive, "full", names)
        )

    @staticmethod
    def due(index: int) -> bool:
        """Whether a pair is due with a proposal."""
        return index % EVERY == FIRST

    def open(self, index: int, seen_through: int) -> None:
        """Queue a pair of twins with a proposal. Idempotent."""
        through = seen_through if self._settings.order == "fixed" else None
        rng = np.random.default_rng([self._settings.seed, index, 2])
        (member,) = self._selection.draw(through, 1, rng)
        self._queue("identical", index, member.agent_id)
        self._queue("random-stream", index, member.agent_id)

    def _queue(self, kind: str, index: int, agent_id: str) -> None:
        same = kind == "identical"
        names = self._settings.benchmarks
        wanted = units(self._archive, "screen", names) + (
            [] if same else units(self._archive, "full", names)
        )
        with self._archive.transaction():
            null = self._archive.nulls.open(
                "identical" if same else "random-stream",
                run_id=self._run_id,
                idx=index,
                agent_id=agent_id,
                offset=0 if same else index + 1,
                units=len(wanted),
            )
            self._archive.jobs.queue(
                "evaluate",
                run_id=self._run_id,
                agent_id=agent_id,
                stage=f"{STAGE}{null.id}",
                priority=index,
            )

    def of(self, job: Job) -> Null:
        """The twin that a job judges."""
        return self._archive.nulls.get(int(str(job.stage).removeprefix(STAGE)))

    def left(self, null: Null) -> list[Unit]:
        """What a twin has not been judged on yet, with its learner's seed."""
        names = self._settings.benchmarks
        wanted = units(self._archive, "screen", names)
        wanted += [] if null.kind == "identical" else units(self._archive, "full", names)
        done = {
            (row.benchmark, row.stage, row.seed) for row in self._archive.nulls.evaluations(null.id)
        }
        return [
            Unit(one.benchmark, one.stage, one.seed, null.offset)
            for one in wanted
            if (one.benchmark, one.stage, one.seed) not in done
        ]

    def record(self, null: Null, measured: Measurement) -> None:
        """Keep what was measured, and count what it used."""
        with self._archive.transaction():
            if self._archive.nulls.record(null.id, measured):
                used = {"evaluations": 1.0, "cpu_s": measured.cpu_s or 0.0}
                self._archive.steering.count(self._run_id, **used)

    def close(self, null: Null) -> None:
        """A twin's job was carried out."""
        rows = self._archive.nulls.evaluations(null.id)
        failed = any(row.verdict == "failed" for row in rows)
        self._archive.nulls.close(null.id, "failed" if failed else "judged")

    def give_up(self, job: Job) -> None:
        """Our machine broke on a twin too often."""
        self._archive.nulls.close(self.of(job).id, "broken")
