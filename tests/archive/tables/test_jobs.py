"""The job table: leases, heartbeats, expiry, parking."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from cambrian.archive import Archive, Job
from cambrian.archive.tables.jobs import LONGEST_BACK_OFF_S, PARK_AFTER
from cambrian.errors import NotFound, UsageError
from cambrian.evolution.timing import JOBS

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture, Clock


@pytest.fixture
def job(garden: ArchiveFixture) -> Job:
    return garden.archive.jobs.queue("evaluate", agent_id=garden.seed(), stage="full", payload=[1])


def _lease(archive: Archive, owner: str = "w1") -> Job | None:
    return archive.jobs.lease(owner, ["propose", "evaluate"], ttl=30)


def test_the_same_job_is_queued_once(garden: ArchiveFixture, job: Job) -> None:
    jobs = garden.archive.jobs
    assert jobs.queue("evaluate", agent_id=job.agent_id, stage="full", priority=9) == job
    other_stage = jobs.queue("evaluate", agent_id=job.agent_id, stage="smoke")
    other_kind = jobs.queue("seal", agent_id=job.agent_id, stage="full")
    assert len({job.id, other_stage.id, other_kind.id}) == 3
    assert [j.id for j in jobs.of(agent_id=job.agent_id)] == [job.id, other_stage.id, other_kind.id]
    with pytest.raises(UsageError, match="proposal_id or an agent_id"):
        jobs.queue("propose")


def test_the_lowest_priority_number_goes_first_then_the_oldest(garden: ArchiveFixture) -> None:
    jobs, seed = garden.archive.jobs, garden.seed()
    queued = [
        jobs.queue("evaluate", agent_id=seed, stage="a", priority=5),
        jobs.queue("seal", agent_id=seed, stage="b", priority=1),
        jobs.queue("evaluate", agent_id=seed, stage="c", priority=1),
        jobs.queue("propose", proposal_id=garden.open(seed).id, priority=1),
        jobs.queue("evaluate", agent_id=seed, stage="d", priority=5),
    ]
    order = [_lease(garden.archive) for _ in range(5)]
    assert [job.id if job else None for job in order] == [
        queued[index].id for index in (2, 3, 0, 4)
    ] + [None]


def test_a_lease_lasts_as_long_as_its_heartbeat(archive: Archive, clock: Clock, job: Job) -> None:
    leased = _lease(archive)
    assert leased is not None
    assert (leased.lease_owner, leased.attempts, leased.payload) == ("w1", 1, [1])
    clock.now += 20
    assert archive.jobs.heartbeat(job.id, "w1", 30)
    assert not archive.jobs.heartbeat(job.id, "w2", 30)
    clock.now += 20
    assert archive.jobs.expire() == 0
    clock.now += 20
    assert archive.jobs.expire() == 1
    assert not archive.jobs.heartbeat(job.id, "w1", 30)
    again = _lease(archive, "w2")
    assert again is not None
    assert (again.id, again.attempts, again.last_error) == (job.id, 2, "no heartbeat from w1")


def test_a_job_that_keeps_breaking_is_parked_and_can_be_revived(archive: Archive, job: Job) -> None:
    for attempt in range(1, 4):
        assert _lease(archive) is not None
        released = archive.jobs.release(job.id, f"error {attempt}", park_after=3)
        assert released.state == ("parked" if attempt == 3 else "queued")
    assert _lease(archive) is None
    assert archive.jobs.get(job.id).last_error == "error 3"
    assert archive.jobs.release(job.id, "late").state == "parked"
    assert archive.jobs.revive(job.id)
    assert not archive.jobs.revive(job.id)
    again = _lease(archive)
    assert again is not None
    assert again.attempts == 1


def test_a_killed_daemon_costs_no_attempt(archive: Archive, job: Job) -> None:
    for _ in range(10):
        assert _lease(archive) is not None
        assert archive.jobs.release_all_leases() == 1
    assert archive.jobs.release_all_leases() == 0
    assert (archive.jobs.get(job.id).state, archive.jobs.get(job.id).attempts) == ("queued", 0)


def test_a_job_is_completed_once_even_after_its_lease_was_lost(
    archive: Archive, clock: Clock, job: Job
) -> None:
    _lease(archive)
    clock.now += 100
    archive.jobs.expire()
    assert archive.jobs.complete(job.id)
    assert not archive.jobs.complete(job.id)
    done = archive.jobs.get(job.id)
    assert (done.state, done.lease_owner, done.finished_at) == ("done", None, clock.now)
    assert _lease(archive) is None
    with pytest.raises(NotFound):
        archive.jobs.complete(999)


def test_work_for_an_ended_proposal_is_never_queued_again(garden: ArchiveFixture) -> None:
    archive = garden.archive
    proposal = garden.propose("x", garden.seed())
    leased = _lease(archive)
    assert leased is not None
    garden.reject(proposal)
    assert archive.jobs.get(leased.id).state == "leased"
    archive.jobs.release_all_leases()
    assert archive.jobs.get(leased.id).state == "cancelled"
    assert not archive.jobs.revive(leased.id)


def test_two_threads_never_lease_the_same_job(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    for stage in range(40):
        archive.jobs.queue("evaluate", agent_id=seed, stage=str(stage))
    taken: list[int] = []

    def work(owner: str) -> None:
        while job := archive.jobs.lease(owner, ["evaluate"], ttl=30):
            taken.append(job.id)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 40
    assert len(set(taken)) == 40


def test_a_job_that_broke_is_left_alone_for_a_while_that_doubles(
    archive: Archive, clock: Clock, job: Job
) -> None:
    for attempt, wait_s in ((1, 2.0), (2, 4.0), (3, 8.0)):
        leased = _lease(archive)
        assert leased is not None and leased.attempts == attempt
        archive.jobs.release(job.id, "broke", delay_s=JOBS.after(attempt))
        clock.now += wait_s - 0.5
        assert _lease(archive) is None
        clock.now += 0.5
    assert JOBS.after(60) == LONGEST_BACK_OFF_S


def test_a_clock_that_was_set_back_keeps_no_job_waiting(
    archive: Archive, clock: Clock, job: Job
) -> None:
    _lease(archive)
    archive.jobs.release(job.id, "broke", delay_s=60)
    clock.now -= 86_400
    assert _lease(archive) is not None


def test_what_the_work_is_not_to_blame_for_brings_it_no_closer_to_being_parked(
    archive: Archive, job: Job
) -> None:
    for _ in range(PARK_AFTER + 2):
        assert _lease(archive) is not None
        released = archive.jobs.release(job.id, "the engine is down", counts=False)
        assert (released.state, released.attempts) == ("queued", 0)


def test_a_job_is_cancelled_once(archive: Archive, job: Job) -> None:
    assert archive.jobs.counts()["queued"] == 1
    assert archive.jobs.cancel(job.id, "not wanted")
    assert not archive.jobs.cancel(job.id, "not wanted")
    assert _lease(archive) is None
    assert archive.jobs.in_state("cancelled")[0].last_error == "not wanted"
