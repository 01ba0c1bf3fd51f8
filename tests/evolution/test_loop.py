"""The loop's promises: one seed one tree, nothing lost to a kill, every outcome recorded."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import anyio
import pytest
from tests.evolution.running import PROPOSALS, run_with, settings
from tests.evolution.test_loop_troubles import LOOPS

from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.transfer.check import check
from cambrian.daemon.supervisor import prepare
from cambrian.errors import UsageError
from cambrian.evolution.budget import evaluations_per_variant
from cambrian.evolution.loop import Loop
from cambrian.evolution.runtime.commit import Committer
from cambrian.evolution.runtime.workers import Ask, ImproverFailed
from cambrian.evolution.settings import LAG
from cambrian.evolution.timing import Timing
from cambrian.measurement import Measurement, Unit
from cambrian.testing.instant_run import BENCHMARKS, grow, picture
from cambrian.testing.workers import InstantWorker


def test_a_run_ends_with_every_proposal_decided(undisturbed: Path) -> None:
    found = picture(undisturbed)
    assert len(found["proposals"]) == PROPOSALS
    assert {p["state"] for p in found["proposals"]} <= {"admitted", "rejected", "duplicate"}
    assert found["counts"]["admitted"] > 0


def test_the_archive_is_consistent_and_the_lineage_equal_to_it(undisturbed: Path) -> None:
    with Archive.open(undisturbed) as archive:
        assert check(archive, identity=lambda files: SourceTree(files).identity) == []


@pytest.mark.parametrize(("seconds", "least"), [(0.0, 3), (60.0, 2)])
def test_the_lineage_is_written_in_batches_and_keeps_up_with_a_slow_run(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, least: int
) -> None:
    updates, update = [], Lineage.update
    monkeypatch.setattr(Lineage, "update", lambda self: updates.append(update(self)))
    run_with(tmp_path / "archive", InstantWorker, Timing(lineage_s=seconds))
    assert picture(tmp_path / "archive") == picture(undisturbed)
    assert least <= len(updates) < least + PROPOSALS
    with Archive.open(tmp_path / "archive") as archive:
        assert archive.champion() is not None
        assert sum(filter(None, updates)) == archive.counts()["members"]


def test_the_event_loop_turns_while_the_lineage_is_made(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each update takes until the event loop has turned ten times."""
    turned, updated, update = threading.Semaphore(0), [], Lineage.update

    def slow(self: Lineage) -> int:
        for _ in range(10):
            assert turned.acquire(timeout=20), "the event loop stands still"
        updated.append(threading.current_thread())
        return update(self)

    monkeypatch.setattr(Lineage, "update", slow)
    home = tmp_path / "archive"
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive)
        row = archive.runs.start(3, settings().to_json(), PROPOSALS)
        loop = Loop(archive, row, settings(), lambda _: None, home / "logs", InstantWorker)

        async def turning() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(turn)
                archive.runs.end(row.id, await loop.run())
                tasks.cancel_scope.cancel()

        async def turn() -> None:
            while True:
                turned.release()
                await anyio.sleep(0.001)

        anyio.run(turning)
    assert len(updated) >= 2
    assert picture(home) == picture(undisturbed)


def test_who_changes_the_workers_changes_how_many_improvers_run_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "nobody-is-asked")
    home = tmp_path / "archive"
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive)
        given = settings(rewriter="model", model="m", proposals=12, workers=1)
        row = archive.runs.start(3, given.to_json(), 12)
        at_once = [0, 0]
        most: list[int] = []

        class Counted(InstantWorker):
            async def improve(
                self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
            ) -> dict[str, Any]:
                at_once[0] += 1
                at_once[1] = max(at_once)
                await anyio.sleep(0.05)
                at_once[0] -= 1
                raise ImproverFailed("no idea")

        loop = Loop(archive, row, given, lambda _: None, home / "logs", Counted)

        async def changed() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(loop.run)
                while archive.counts()["invalid"] < 4:
                    await anyio.sleep(0.01)
                most.append(at_once[1])
                loop.reload(settings(rewriter="model", model="m", proposals=12, workers=3))
                while archive.counts()["invalid"] < 12:
                    await anyio.sleep(0.01)
                most.append(at_once[1])

        anyio.run(changed)
        assert most == [1, 3]


@pytest.mark.parametrize("workers", [1, 4])
def test_the_same_seed_gives_the_same_tree_with_any_number_of_workers(
    undisturbed: Path, tmp_path: Path, workers: int
) -> None:
    grow(tmp_path / "archive", settings(workers=workers), jitter_s=0.01)
    assert picture(tmp_path / "archive") == picture(undisturbed)


def test_another_seed_gives_another_tree(undisturbed: Path, tmp_path: Path) -> None:
    grow(tmp_path / "archive", settings(seed=4))
    assert picture(tmp_path / "archive")["agents"] != picture(undisturbed)["agents"]


def test_a_proposal_sees_nothing_that_was_decided_within_the_lag(undisturbed: Path) -> None:
    with Archive.open(undisturbed, read_only=True) as archive:
        for proposal in archive.proposals.select():
            assert proposal.seen_through == max(-1, proposal.idx - LAG)
            for parent in proposal.parents:
                index = archive.agents.get(parent).proposal_index
                assert index is None or index <= proposal.seen_through


def test_kill_9_at_random_moments_changes_nothing(undisturbed: Path, tmp_path: Path) -> None:
    home, chance = tmp_path / "archive", random.Random(5)
    command = [sys.executable, "-m", "cambrian.testing.instant_run", str(home)]
    command += ["3", str(PROPOSALS), "2", "20"]
    kills, ended = 0, False
    while kills < 10 and not ended:
        process = subprocess.Popen(command, start_new_session=True)
        time.sleep(chance.uniform(0.6, 2.0))
        ended = process.poll() is not None
        if not ended:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    assert kills >= 3, "the run was over before it could be disturbed"
    if not ended:  # else the command would begin another run
        subprocess.run(command, check=True, timeout=120)
    assert picture(home) == picture(undisturbed)
    with Archive.open(home) as archive:
        assert check(archive, identity=lambda files: SourceTree(files).identity) == []


def test_draining_stops_early_and_the_run_goes_on_later(undisturbed: Path, tmp_path: Path) -> None:
    class Impatient(InstantWorker):
        judged = 0

        async def evaluate(
            self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
        ) -> AsyncIterator[Measurement]:
            Impatient.judged += 1
            if Impatient.judged == 16:
                LOOPS[-1].stop = "drain"
            async for one in super().evaluate(agent_id, files, units, device):
                yield one

    home = tmp_path / "archive"
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive)
        row = archive.runs.start(3, settings().to_json(), PROPOSALS)
        LOOPS.append(Loop(archive, row, settings(), lambda _: None, home / "logs", Impatient))
        state = anyio.run(LOOPS[-1].run)
        archive.runs.end(row.id, state)
        assert state == "stopped"
        assert archive.counts()["judged"] < PROPOSALS
    grow(home, settings())
    assert picture(home) == picture(undisturbed)


@pytest.mark.parametrize(
    ("limit", "count"), [({"agents": 3}, "admitted"), ({"judged": 5}, "judged")]
)
def test_a_limit_is_reached_exactly_and_not_gone_over(
    tmp_path: Path, limit: dict[str, Any], count: str
) -> None:
    loop = run_with(tmp_path / "archive", InstantWorker, proposals=None, **limit)
    assert "used up" in loop.ended_by
    with Archive.open(tmp_path / "archive", read_only=True) as archive:
        assert archive.counts()[count] == next(iter(limit.values()))


def test_the_limit_on_evaluations_is_not_gone_over(tmp_path: Path) -> None:
    loop = run_with(tmp_path / "archive", InstantWorker, proposals=None, evaluations=150)
    with Archive.open(tmp_path / "archive", read_only=True) as archive:
        meters = archive.steering.meters(1)
        counts = archive.counts()
    assert loop.ended_by == "150 evaluations are used up"
    assert 150 - evaluations_per_variant(BENCHMARKS) < meters["evaluations"] <= 150
    assert meters["evaluations"] == counts["evaluations_scored"] + counts["evaluations_failed"]


def test_admissions_wait_for_a_person_and_a_refusal_is_a_gate(tmp_path: Path) -> None:
    """Approval of every second admission; the first one asked about is refused."""
    home = tmp_path / "archive"
    said: list[int] = []
    given = settings(approve="every:2", proposals=8)
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive)
        row = archive.runs.start(given.seed, given.to_json(), 8)
        loop = Loop(archive, row, given, lambda _: None, home / "logs", InstantWorker)

        async def person() -> None:
            while True:
                for asked in archive.steering.waiting():
                    verdict: Literal["approved", "rejected"] = "approved" if said else "rejected"
                    said.append(asked.proposal_id)
                    archive.steering.answer_approval(asked.proposal_id, verdict, "me", "why not")
                    loop.heard()
                await anyio.sleep(0.01)

        async def both() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(person)
                assert await loop.run() == "finished"
                tasks.cancel_scope.cancel()

        anyio.run(both)
        first = archive.proposals.get(said[0])
        assert first.state == "rejected"
        assert first.reason == "rejected by a person: why not"
        for proposal_id in said:
            proposal = archive.proposals.get(proposal_id)
            [gate] = [g for g in archive.gates(proposal_id=proposal_id) if g.gate == "approval"]
            assert (gate.verdict == "pass") == (proposal.state == "admitted")
            assert "by me: why not" in gate.detail
        unasked = [p for p in archive.proposals.select() if p.id not in said]
        assert sum(p.state == "admitted" for p in unasked) >= 1


@pytest.mark.parametrize("text", ["", "some", "every:0", "every:x", "every"])
def test_what_is_no_policy_of_approval_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="every:N"):
        settings(approve=text)


def test_a_pause_holds_until_it_is_taken_back_and_its_time_does_not_count(
    undisturbed: Path, tmp_path: Path
) -> None:
    home = tmp_path / "archive"
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive)
        row = archive.runs.start(3, settings().to_json(), PROPOSALS)
        archive.steering.order(row.id, "paused", True)
        loop = Loop(archive, row, settings(), lambda _: None, home / "logs", InstantWorker)

        async def paused_a_while() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(loop.run)
                while not loop.pauses:
                    await anyio.sleep(0.01)
                began = loop.wall_s
                await anyio.sleep(0.5)
                assert archive.counts()["evaluations_scored"] == 0
                assert loop.wall_s == began
                assert loop.resume()
                assert not loop.resume()
                while archive.counts()["judged"] < 3:
                    await anyio.sleep(0.01)
                loop.pause(now=True)
                loop.set_workers(3)
                before = archive.counts()["evaluations_scored"]
                await anyio.sleep(0.1)  # these workers make one at each turn of the event loop
                dropped = archive.counts()["evaluations_scored"]
                assert dropped <= before + 4 * settings().workers
                await anyio.sleep(0.5)
                assert archive.counts()["evaluations_scored"] == dropped
                loop.halt("drain")

        anyio.run(paused_a_while)
        assert archive.steering.orders(row.id) == {"paused": True, "workers": 3}
        archive.steering.order(row.id, "paused", False)
    grow(home, settings())
    assert picture(home) == picture(undisturbed)


def test_a_kill_between_ready_and_decided_does_not_stop_the_run_for_ever(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last proposals are ready, nothing is queued, and nobody decided: the start has to."""
    home = tmp_path / "archive"
    with monkeypatch.context() as patched:
        patched.setattr(Committer, "first", lambda self: None)
        patched.setattr(Committer, "commit", lambda self, first=None: None)
        with Archive.open_or_create(home) as archive, archive.lock():
            prepare(archive)
            row = archive.runs.start(3, settings().to_json(), PROPOSALS)
            loop = Loop(archive, row, settings(), lambda _: None, home / "logs", InstantWorker)

            async def until_stuck() -> None:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(loop.run)
                    while not any(p.state == "ready" for p in archive.proposals.undecided()):
                        await anyio.sleep(0.05)
                    tasks.cancel_scope.cancel()

            anyio.run(until_stuck)
    grow(home, settings())
    assert picture(home) == picture(undisturbed)


def test_free_order_goes_on_after_kills(tmp_path: Path) -> None:
    home, chance = tmp_path / "archive", random.Random(9)
    command = [sys.executable, "-m", "cambrian.testing.instant_run", str(home)]
    command += ["3", "10", "3", "30", "free"]
    for _ in range(4):
        process = subprocess.Popen(command, start_new_session=True)
        time.sleep(chance.uniform(1.0, 2.5))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.returncode == 0:
            break
    else:
        subprocess.run(command, check=True, timeout=120)
    found = picture(home)
    assert len(found["proposals"]) == 10
    assert all(p["state"] in ("admitted", "rejected", "duplicate") for p in found["proposals"])


def test_free_order_judges_everything_too(tmp_path: Path) -> None:
    run_with(tmp_path / "archive", InstantWorker, order="free", workers=4)
    found = picture(tmp_path / "archive")
    assert found["counts"]["proposals"] == PROPOSALS
    assert all(p["state"] in ("admitted", "rejected", "duplicate") for p in found["proposals"])


def test_the_control_draws_its_parents_from_the_seeds_only(tmp_path: Path) -> None:
    run_with(tmp_path / "archive", InstantWorker, selection="random", proposals=None, judged=6)
    with Archive.open(tmp_path / "archive", read_only=True) as archive:
        assert archive.counts()["judged"] == 6
        seeds = {seed.id for seed in archive.agents.seeds()}
        assert all(set(p.parents) <= seeds for p in archive.proposals.select())


def test_a_search_touches_no_sealed_data(undisturbed: Path) -> None:
    with Archive.open(undisturbed, read_only=True) as archive:
        assert archive.evaluations.sealed_agents() == []
        assert archive.sealings.looks().times == 0
