"""Runs: stretches of evolution with a seed, settings and a target. One is unfinished at most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cambrian._version import __version__
from cambrian.archive.records import Run, RunState
from cambrian.archive.sqlite.database import Database, encode
from cambrian.errors import NotFound, Refused, UsageError

JUDGED_BEFORE, AGENTS_BEFORE = "judged_before", "agents_before"
"""Meters of a run: what the archive held when it began."""


class Runs:
    """The verbs on runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(
        self,
        seed: int,
        settings: Mapping[str, Any],
        target_proposals: int,
        *,
        version: str = __version__,
    ) -> Run:
        """Begin a run in the current suite, whose first proposal is the archive's next.

        Raises:
            Refused: a run is unfinished.
        """
        database = self._database
        with database.transaction():
            if unfinished := self.current():
                raise Refused(
                    f"run {unfinished.id} is {unfinished.state}: resume it, or end it before "
                    f"another is started"
                )
            first = database.value("SELECT ifnull(max(idx), -1) + 1 FROM proposals")
            run_id = database.insert(
                "runs",
                {
                    "seed": seed,
                    "settings": encode(dict(settings)),
                    "state": "running",
                    "target_proposals": target_proposals,
                    "first_proposal": first,
                    "started_at": database.now(),
                    "version": version,
                    "suite_id": database.value("SELECT id FROM suites WHERE current = 1"),
                },
            )
            self._count_before(run_id)
            database.event("run.started", run_id=run_id, seed=seed, target=target_proposals)
        return self.get(run_id)

    def _count_before(self, run_id: int) -> None:
        """What there was before the run, so that its budget counts what it did itself."""
        tallies = self._database.rows("SELECT name, n FROM tallies WHERE name LIKE 'proposals.%'")
        counted = {row["name"].removeprefix("proposals."): row["n"] for row in tallies}
        admitted = counted.get("admitted", 0)
        for name, amount in (
            (JUDGED_BEFORE, admitted + counted.get("rejected", 0)),
            (AGENTS_BEFORE, admitted),
        ):
            if amount:
                self._database.execute(
                    "INSERT INTO meters (run_id, name, amount) VALUES (?, ?, ?)",
                    (run_id, name, amount),
                )

    def get(self, run_id: int) -> Run:
        """A run by its id.

        Raises:
            NotFound: no such run.
        """
        row = self._database.row("SELECT * FROM runs WHERE id = ?", (run_id,))
        if row is None:
            raise NotFound(f"expected the id of a run in this archive, got {run_id}")
        return Run.of(row)

    def current(self) -> Run | None:
        """The unfinished run (running or stopped), if there is one."""
        row = self._database.row("SELECT * FROM runs WHERE state IN ('running', 'stopped')")
        return None if row is None else Run.of(row)

    def last(self) -> Run | None:
        """The latest run, finished or not."""
        row = self._database.row("SELECT * FROM runs ORDER BY id DESC LIMIT 1")
        return None if row is None else Run.of(row)

    def add_wall(self, run_id: int, seconds: float) -> None:
        """Add wall time spent in this run since the last call; no event, it is a meter."""
        with self._database.transaction():
            self.get(run_id)
            self._database.execute(
                "UPDATE runs SET wall_s = wall_s + ? WHERE id = ?", (seconds, run_id)
            )

    def note(self, run_id: int, what: str, **data: Any) -> None:
        """Append an event `run.WHAT` that changes nothing else (a pause, its end)."""
        with self._database.transaction():
            self._database.event(f"run.{what}", run_id=run_id, **data)

    def end(self, run_id: int, state: RunState) -> Run:
        """Leave a run as finished, stopped (it may be resumed) or abandoned.

        Raises:
            UsageError: `state` is not one of the three.
            Refused: the run has already finished or been abandoned.
        """
        if state not in ("finished", "stopped", "abandoned"):
            raise UsageError(f"expected finished, stopped or abandoned, got {state!r}")
        with self._database.transaction():
            self._unfinished(run_id)
            self._database.execute(
                "UPDATE runs SET state = ?, ended_at = ? WHERE id = ?",
                (state, self._database.now(), run_id),
            )
            self._database.event(f"run.{state}", run_id=run_id)
        return self.get(run_id)

    def resume(self, run_id: int, target_proposals: int | None = None) -> Run:
        """Go on with an unfinished run, with a new target if one is given.

        Raises:
            Refused: the run has finished or been abandoned.
        """
        with self._database.transaction():
            run = self._unfinished(run_id)
            target = run.target_proposals if target_proposals is None else target_proposals
            self._database.execute(
                "UPDATE runs SET state = 'running', ended_at = NULL, target_proposals = ? "
                "WHERE id = ?",
                (target, run_id),
            )
            self._database.event("run.resumed", run_id=run_id, was=run.state, target=target)
        return self.get(run_id)

    def settle(self, run_id: int, settings: Mapping[str, Any], changed: Sequence[str]) -> None:
        """Its settings from now on: those that may change were changed, as `changed` says."""
        with self._database.transaction():
            self._unfinished(run_id)
            self._database.execute(
                "UPDATE runs SET settings = ? WHERE id = ?", (encode(dict(settings)), run_id)
            )
            self._database.event("run.settings", run_id=run_id, changed=list(changed))

    def _unfinished(self, run_id: int) -> Run:
        run = self.get(run_id)
        if run.state not in ("running", "stopped"):
            raise Refused(f"run {run_id} is {run.state}; start another")
        return run
