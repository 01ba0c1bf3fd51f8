"""The durable job table: leases with heartbeats, so that no work is lost with its worker.

::

    queued ──lease──> leased ──complete──> done
      ^                 ├──release──> queued, or parked at the cap of attempts
      └──── expire ─────┘             (cancelled once its proposal is terminal)

An attempt is counted when a job is leased, and given back when the daemon itself was killed or
the whole machine was at fault (its engine down): only work that broke by itself gets closer to
being parked. Between attempts a job is left alone for a while (`delay_s`).
"""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cambrian.archive.records import Job, JobKind, JobState
from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database, Row, encode
from cambrian.errors import NotFound, UsageError

PARK_AFTER = 5
KEPT = 256
"""Jobs kept at most, while this process is the only writer."""
LONGEST_BACK_OFF_S = 300.0
"""A job is left alone for so many seconds at most."""

# A proposal's job is about the proposal's agent: it is not said again.
COLUMNS = """
id, kind, run_id, proposal_id,
coalesce(agent_id, (SELECT p.agent_id FROM proposals p WHERE p.id = proposal_id)) AS agent_id,
stage, payload, priority, state, lease_owner, lease_expires, heartbeat_at, attempts, last_error,
created_at, finished_at, not_before
"""

# Nothing is returned where it is there already (the unique indexes tell).
_QUEUE = f"""
INSERT INTO jobs (kind, stage, proposal_id, agent_id, run_id, payload, priority, state, created_at)
VALUES (:kind, :stage, :proposal_id, :agent_id, :run_id, :payload, :priority, 'queued', :created_at)
ON CONFLICT DO NOTHING RETURNING {COLUMNS}
"""

_SAME = f"""
SELECT {COLUMNS} FROM jobs
WHERE kind = :kind AND ifnull(stage, '') = ifnull(:stage, '')
  AND {{owner}}
"""

_TERMINAL_PROPOSAL = (
    "proposal_id IN (SELECT id FROM proposals WHERE state NOT IN ('open', 'proposed', 'ready'))"
)


class Jobs:
    """The verbs on jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: RowCache[int, Job] = RowCache(database, KEPT)

    def queue(
        self,
        kind: JobKind,
        *,
        run_id: int | None = None,
        proposal_id: int | None = None,
        agent_id: str | None = None,
        stage: str | None = None,
        payload: Any = None,
        priority: int = 0,
    ) -> Job:
        """Queue a job once: the same (kind, proposal or else agent, stage) is returned as it is.

        Raises:
            UsageError: neither a proposal nor an agent is named.
        """
        if proposal_id is None and agent_id is None:
            raise UsageError("expected a proposal_id or an agent_id for a job, got neither")
        key = {"kind": kind, "stage": stage, "proposal_id": proposal_id, "agent_id": agent_id}
        with self._database.step():
            row = self._database.change(
                _QUEUE,
                {
                    **key,
                    "agent_id": agent_id if proposal_id is None else None,
                    "run_id": run_id,
                    "payload": encode(payload),
                    "priority": priority,
                    "created_at": self._database.now(),
                },
            )
            if row is None:
                return self._same(key)
            job = self._changed(row)
            self._event("queued", job)
        return job

    def _same(self, key: dict[str, Any]) -> Job:
        by_agent = "proposal_id IS NULL AND agent_id = :agent_id"
        owner = by_agent if key["proposal_id"] is None else "proposal_id = :proposal_id"
        row = self._database.row(_SAME.format(owner=owner), key)
        assert row is not None
        return Job.of(row)

    def _changed(self, row: Row) -> Job:
        """A job as it is now."""
        job = Job.of(row)
        self._known.keep(job.id, job)
        return job

    def lease(
        self, owner: str, kinds: Sequence[JobKind], *, ttl: float, now: float | None = None
    ) -> Job | None:
        """Take the next queued job (lowest priority number, then oldest) for `ttl` seconds.

        Counts the attempt. None if nothing of these kinds is waiting.
        """
        at = self._database.now() if now is None else now
        with self._database.transaction():
            # One look per kind: each is answered by the head of an index.
            heads = [head for kind in kinds if (head := self._head(kind, at)) is not None]
            if not heads:
                return None
            _, job_id = min(heads)
            row = self._database.change(
                "UPDATE jobs SET state = 'leased', lease_owner = ?, lease_expires = ?, "
                "not_before = NULL, heartbeat_at = ?, attempts = attempts + 1 WHERE id = ? "
                f"RETURNING {COLUMNS}",
                (owner, at + ttl, at, job_id),
            )
            assert row is not None
            job = self._changed(row)
            again = job.attempts if job.attempts > 1 else None
            self._event("leased", job, owner=owner, attempt=again)
        return job

    def _head(self, kind: str, at: float) -> tuple[int, int] | None:
        # A time far ahead is one from before the clock was set back: nothing waits for it.
        row = self._database.row(
            "SELECT priority, id FROM jobs WHERE state = 'queued' AND kind = ? "
            "AND (not_before IS NULL OR not_before <= ? OR not_before > ?) "
            "ORDER BY priority, id LIMIT 1",
            (kind, at, at + LONGEST_BACK_OFF_S),
        )
        return None if row is None else (row["priority"], row["id"])

    def heartbeat(self, job_id: int, owner: str, ttl: float, *, now: float | None = None) -> bool:
        """Extend a lease; False if it is no longer this owner's, who should then stop."""
        at = self._database.now() if now is None else now
        with self._database.transaction():
            changed = self._database.execute(
                "UPDATE jobs SET lease_expires = ?, heartbeat_at = ? "
                "WHERE id = ? AND state = 'leased' AND lease_owner = ?",
                (at + ttl, at, job_id, owner),
            )
            self._known.drop(job_id)
        return changed == 1

    def complete(self, job_id: int) -> bool:
        """The work is done and recorded; False if the job had ended before.

        A job whose lease expired meanwhile is completed all the same: its results are in.
        """
        with self._database.step():
            job = self.get(job_id)
            if job.state not in ("queued", "leased"):
                return False
            self._settle(job, "done", job.last_error)
        return True

    def release(
        self,
        job_id: int,
        error: str,
        *,
        park_after: int = PARK_AFTER,
        delay_s: float = 0.0,
        counts: bool = True,
    ) -> Job:
        """Give up a lease because the work broke: queue it again, or park it at the cap.

        A job that is not leased any more is returned as it is.

        Args:
            delay_s: leave it alone for so long (at most `LONGEST_BACK_OFF_S`).
            counts: False where the work is not to blame: the attempt is given back.
        """
        with self._database.transaction():
            job = self.get(job_id)
            if job.state == "leased":
                if not counts:
                    self._uncount(job)
                self._give_back(job, error, park_after if counts else None, delay_s)
        return self.get(job_id)

    def release_all_leases(self) -> int:
        """Queue every leased job again and give the attempt back: the daemon that held them is
        gone. To be called at start, under the archive's lock. Returns how many there were."""
        with self._database.transaction():
            jobs = self._leased("")
            for job in jobs:
                self._uncount(job)
                self._give_back(job, "the daemon ended", None)
        return len(jobs)

    def expire(self, now: float | None = None, *, park_after: int = PARK_AFTER) -> int:
        """Release every lease that ran out before `now`. Returns how many there were."""
        at = self._database.now() if now is None else now
        with self._database.transaction():
            jobs = self._leased("AND lease_expires < ?", at)
            for job in jobs:
                self._give_back(job, f"no heartbeat from {job.lease_owner}", park_after)
        return len(jobs)

    def revive(self, job_id: int) -> bool:
        """Queue a parked job again with no attempts counted; False if it is not parked."""
        with self._database.transaction():
            job = self.get(job_id)
            if job.state != "parked" or self._is_over(job):
                return False
            self._start_over(job, "revived", job.last_error)
        return True

    def renew(self, job_id: int) -> Job:
        """A job that has ended, however that was, and is there to be done for another suite: queue
        it again as if it never was."""
        with self._database.transaction():
            job = self.get(job_id)
            if job.state in ("done", "parked", "cancelled"):
                self._start_over(job, "queued", None)
        return self.get(job_id)

    def _start_over(self, job: Job, event: str, error: str | None) -> None:
        """Queue a job again, with no attempts counted."""
        self._database.execute(
            "UPDATE jobs SET state = 'queued', attempts = 0, not_before = NULL, "
            "last_error = ?, finished_at = NULL WHERE id = ?",
            (error, job.id),
        )
        self._known.drop(job.id)
        self._event(event, job)

    def repeat(self, job_id: int, error: str, *, park_after: int, delay_s: float) -> Job:
        """A job that was carried out and left something undone: queue it again, to be left alone
        for a while, or park it at the cap of attempts. One that has not ended stays as it is."""
        with self._database.transaction():
            job = self.get(job_id)
            if job.state == "done":
                self._database.execute("UPDATE jobs SET finished_at = NULL WHERE id = ?", (job_id,))
                self._give_back(job, error, park_after, delay_s)
        return self.get(job_id)

    def revive_unowned(self) -> int:
        """Revive parked jobs that belong to no proposal (seeds, sealed runs): without them a run
        cannot end. To be called at start, under the archive's lock. Returns how many."""
        rows = self._database.rows(
            "SELECT id FROM jobs WHERE state = 'parked' AND proposal_id IS NULL"
        )
        return sum(self.revive(row["id"]) for row in rows)

    def cancel(self, job_id: int, reason: str) -> bool:
        """End a job that is not carried out and need not be; False if it had ended before."""
        with self._database.transaction():
            job = self.get(job_id)
            if job.state not in ("queued", "leased", "parked"):
                return False
            self._settle(job, "cancelled", reason)
        return True

    def cancel_queued(self, proposal_id: int) -> int:
        """Cancel what waits for a proposal that has ended; called by the verbs that end one."""
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE proposal_id = ? AND state = 'queued'", (proposal_id,)
        )
        for row in rows:
            self._settle(Job.of(row), "cancelled", row["last_error"])
        return len(rows)

    def get(self, job_id: int) -> Job:
        """A job by its id.

        Raises:
            NotFound: no such job.
        """
        if (known := self._known.known(job_id)) is not None:
            return known
        row = self._database.row(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (job_id,))
        if row is None:
            raise NotFound(f"expected the id of a job in this archive, got {job_id}")
        return self._changed(row)

    def of(self, *, proposal_id: int | None = None, agent_id: str | None = None) -> list[Job]:
        """The jobs of a proposal, or of an agent without one (a seed), oldest first."""
        by_agent = "proposal_id IS NULL AND agent_id = :agent"
        where = by_agent if proposal_id is None else "proposal_id = :proposal"
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE {where} ORDER BY id",
            {"proposal": proposal_id, "agent": agent_id},
        )
        return [Job.of(row) for row in rows]

    def in_state(self, state: JobState, limit: int = 100) -> list[Job]:
        """Up to `limit` jobs in a state, the next to be taken first."""
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE state = ? ORDER BY priority, id LIMIT ?",
            (state, limit),
        )
        return [Job.of(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many are queued, leased or parked: those that have not ended well."""
        rows = self._database.rows(
            "SELECT state, count(*) AS n FROM jobs WHERE state IN ('queued', 'leased', 'parked') "
            "GROUP BY state"
        )
        return {"queued": 0, "leased": 0, "parked": 0} | {row["state"]: row["n"] for row in rows}

    def _leased(self, condition: str, *values: float) -> list[Job]:
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM jobs WHERE state = 'leased' {condition} ORDER BY id", values
        )
        return [Job.of(row) for row in rows]

    def _is_over(self, job: Job) -> bool:
        found = self._database.value(
            f"SELECT 1 FROM jobs WHERE id = ? AND {_TERMINAL_PROPOSAL}", (job.id,)
        )
        return found is not None

    def _uncount(self, job: Job) -> None:
        self._database.execute(
            "UPDATE jobs SET attempts = max(attempts - 1, 0) WHERE id = ?", (job.id,)
        )
        self._known.drop(job.id)

    def _give_back(
        self, job: Job, error: str, park_after: int | None, delay_s: float = 0.0
    ) -> None:
        if self._is_over(job):
            self._settle(job, "cancelled", error)
        elif park_after is not None and job.attempts >= park_after:
            self._settle(job, "parked", error)
        else:
            wait_s = min(delay_s, LONGEST_BACK_OFF_S)
            self._database.execute(
                "UPDATE jobs SET state = 'queued', lease_owner = NULL, lease_expires = NULL, "
                "not_before = ?, last_error = ? WHERE id = ?",
                (self._database.now() + wait_s if wait_s else None, error, job.id),
            )
            self._known.drop(job.id)
            self._event("released", job, error=error)

    def _settle(self, job: Job, state: str, error: str | None) -> None:
        row = self._database.change(
            "UPDATE jobs SET state = ?, lease_owner = NULL, lease_expires = NULL, "
            f"last_error = ?, finished_at = ? WHERE id = ? RETURNING {COLUMNS}",
            (state, error, self._database.now(), job.id),
        )
        assert row is not None
        self._changed(row)
        self._event(state, job, error=error)

    def _event(self, what: str, job: Job, **data: Any) -> None:
        """Run, proposal and agent are the job's: see `event_log`."""
        told = {name: value for name, value in data.items() if value is not None}
        self._database.event(f"job.{what}", job_id=job.id, **told)
