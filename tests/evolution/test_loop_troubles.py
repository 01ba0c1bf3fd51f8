"""The loop when workers, engines, improvers or the host fail."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.evolution.running import PROPOSALS, SEEDS, run_with, settings

from cambrian.agents.seeds import load_seed, seed_names
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive, Proposal
from cambrian.archive.transfer.check import check
from cambrian.daemon.supervisor import prepare
from cambrian.errors import SandboxBroken
from cambrian.evolution.loop import Loop
from cambrian.evolution.rewriting.proposing import Proposer
from cambrian.evolution.rewriting.rewriting import Variant
from cambrian.evolution.runtime.workers import Ask, ImproverFailed
from cambrian.evolution.timing import Timing
from cambrian.measurement import Measurement, Unit
from cambrian.testing.instant_run import grow, picture
from cambrian.testing.workers import InstantWorker, quick

LOOPS: list[Loop] = []


class Flaky(InstantWorker):
    """Breaks at the first attempt at every stage of every agent."""

    tried: set[str] = set()  # noqa: RUF012

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        key = f"{agent_id}{[u.stage for u in units]}"
        if "smoke" in key and key not in Flaky.tried:
            Flaky.tried.add(key)
            raise SandboxBroken("the machine had a bad day")
        async for one in super().evaluate(agent_id, files, units, device):
            yield one


def test_what_breaks_on_our_side_is_tried_again_and_costs_the_agent_nothing(
    undisturbed: Path, tmp_path: Path
) -> None:
    run_with(tmp_path / "archive", Flaky, quick(0.0))
    assert picture(tmp_path / "archive") == picture(undisturbed)


class Broken(InstantWorker):
    """Never gets a variant to run, while all is well with a seed agent."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        if units and units[0].stage == "smoke" and agent_id not in SEEDS:
            raise SandboxBroken("no room")
        async for one in super().evaluate(agent_id, files, units, device):
            yield one


def test_variants_that_alone_break_the_sandbox_fail_and_stop_no_run(tmp_path: Path) -> None:
    """Every variant does, one after the other, and a seed agent is fine in between."""
    run_with(tmp_path / "archive", Broken, quick(0.0), proposals=5)
    with Archive.open(tmp_path / "archive") as archive:
        counts = archive.counts()
        ended = counts["failed_smoke"] + counts["duplicate"]
        assert (ended, counts["parked"], counts["judged"]) == (5, 0, 0)
        first = archive.proposals.at(0)
        assert first is not None
        assert first.reason == "broke its sandbox in the smoke stage"
        [gate] = archive.gates(proposal_id=first.id)
        assert (gate.verdict, gate.gate) == ("fail", "smoke")
        assert "broken: " in gate.detail
        assert "no room" in gate.detail
        kinds = [event.kind for event in archive.events(limit=100_000)]
        assert "run.paused" not in kinds
        assert check(archive, identity=lambda files: SourceTree(files).identity) == []


class OneBreaks(InstantWorker):
    """One variant's full stage always breaks, and its breaking takes the engine along."""

    victim = ""
    seconds_down = 0.0

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        if units and units[0].stage == "full" and agent_id not in SEEDS:
            OneBreaks.victim = OneBreaks.victim or agent_id
            if agent_id == OneBreaks.victim:
                OneBreaks.seconds_down = time.monotonic() + 0.05
                raise SandboxBroken("the engine went down")
        if time.monotonic() < OneBreaks.seconds_down:
            raise SandboxBroken("the engine is down")
        async for one in super().evaluate(agent_id, files, units, device):
            yield one


def test_a_variant_on_which_the_machine_goes_down_each_time_is_set_aside_and_not_blamed(
    tmp_path: Path,
) -> None:
    run_with(tmp_path / "archive", OneBreaks, quick(0.01), proposals=4)
    with Archive.open(tmp_path / "archive", read_only=True) as archive:
        proposal = next(p for p in archive.proposals.select() if p.agent_id == OneBreaks.victim)
        assert proposal.state == "parked"
        assert "the machine broke down on it 4 times" in str(proposal.reason)
        kinds = [event.kind for event in archive.events(limit=100_000)]
        assert kinds.count("run.paused") == kinds.count("run.went_on") > 0
        assert archive.counts()["admitted"] > 0


class HangingImprovers(InstantWorker):
    """The improvers of variants hang; those of seed agents do not."""

    theirs: set[str] = set()  # noqa: RUF012

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        if files["improver.py"] not in SEED_IMPROVERS:
            raise ImproverFailed("timeout: it said nothing for 60 s", "timeout")
        return await super().improve(files, evidence, ask)


SEED_IMPROVERS = {load_seed(name)["improver.py"] for name in seed_names()}


def test_an_improver_that_hangs_fails_its_gate_once_a_seed_agents_was_seen_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Proposer._by_recombination

    async def with_an_improver_of_its_own(
        self: Proposer, proposal: Proposal, attempt: int
    ) -> Variant:
        made = await real(self, proposal, attempt)
        own = f"{made.tree['improver.py']}\n# {proposal.idx}\n"
        return replace(made, tree=SourceTree({**made.tree, "improver.py": own}))

    monkeypatch.setattr(Proposer, "_by_recombination", with_an_improver_of_its_own)
    run_with(tmp_path / "archive", HangingImprovers, quick(0.0), proposals=4)
    with Archive.open(tmp_path / "archive", read_only=True) as archive:
        found = [g for g in archive.gates(proposal_id=1) if g.gate == "improver"]
        states = {p.state for p in archive.proposals.select()}
        assert states == {"rejected"}
        assert found[0].verdict == "fail"
        assert "broken: " in found[0].detail
        kinds = [event.kind for event in archive.events(limit=100_000)]
        assert "run.paused" not in kinds


class SlowHost(InstantWorker):
    """A seed agent is too slow for a while."""

    slow = 0

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        async for one in super().evaluate(agent_id, files, units, device):
            if agent_id in SEEDS and units[0].stage == "full" and SlowHost.slow < 9:
                SlowHost.slow += 1
                one = replace(one, verdict="failed", score=None, raw=None, cause="timeout")
            yield one


def test_a_seed_agents_timeout_is_never_its_last_word(undisturbed: Path, tmp_path: Path) -> None:
    run_with(tmp_path / "archive", SlowHost, quick(0.01))
    found, usual = picture(tmp_path / "archive"), picture(undisturbed)
    slow = [row for row in found["evaluations"] if row["verdict"] == "broken"]
    assert slow and {row["agent_id"] for row in slow} <= set(SEEDS), "kept as nobody's verdict"
    found["evaluations"] = [row for row in found["evaluations"] if row not in slow]
    assert found["counts"].pop("evaluations_broken") == len(slow)
    del usual["counts"]["evaluations_broken"]
    assert found == usual


def test_a_standstill_of_the_whole_process_releases_and_repeats_nothing(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped for longer than a lease, several times, and once the clock is set on by a day."""
    home = tmp_path / "archive"
    with Archive.open_or_create(home) as archive, archive.lock():
        prepare(archive)
        row = archive.runs.start(3, settings().to_json(), PROPOSALS)

        def make(log: Path) -> InstantWorker:
            return InstantWorker(log, lambda _: 0.005)

        timing = Timing(lease_s=0.2, beat_s=0.05)
        loop = Loop(archive, row, settings(), lambda _: None, home / "logs", make, timing=timing)

        async def stopped_now_and_then() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(until_done, tasks.cancel_scope)
                for stop in range(6):
                    await anyio.sleep(0.15)
                    time.sleep(0.5)  # as SIGSTOP does to the event loop
                    if stop == 3:
                        monkeypatch.setattr(archive.database, "now", lambda: time.time() + 86400)

        async def until_done(scope: anyio.CancelScope) -> None:
            archive.runs.end(row.id, await loop.run())
            scope.cancel()

        anyio.run(stopped_now_and_then)
        kinds = [event.kind for event in archive.events(limit=100_000)]
        assert not {"job.released", "job.parked"} & set(kinds)
        keys = [
            (e.agent_id, e.benchmark, e.stage, e.seed)
            for agent in archive.agents.after(0, 1000)
            for e in archive.evaluations.of(agent.id)
        ]
        assert len(keys) == len(set(keys))
    assert picture(home) == picture(undisturbed)


class Down(InstantWorker):
    """An engine that goes down once, for the time that it takes to ask it eight times."""

    used = 0

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        Down.used += 1
        if 20 <= Down.used < 28:
            raise SandboxBroken("the engine does not answer")
        async for one in super().evaluate(agent_id, files, units, device):
            yield one


def test_an_engine_that_is_down_pauses_the_run_and_parks_nobody(
    undisturbed: Path, tmp_path: Path
) -> None:
    run_with(tmp_path / "archive", Down, quick(0.02))
    assert Down.used > 28
    assert picture(tmp_path / "archive") == picture(undisturbed)
    with Archive.open(tmp_path / "archive", read_only=True) as archive:
        kinds = [event.kind for event in archive.events(limit=100_000)]
        assert kinds.count("run.paused") == kinds.count("run.went_on") == 1
        assert "job.parked" not in kinds


class AlwaysDown(InstantWorker):
    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        raise SandboxBroken("the engine does not answer")
        yield  # type: ignore[unreachable]


def test_an_engine_that_stays_down_ends_the_run_which_goes_on_where_it_stopped(
    undisturbed: Path, tmp_path: Path
) -> None:
    with pytest.raises(SandboxBroken, match="the sandbox does not work: the engine"):
        run_with(tmp_path / "archive", AlwaysDown, quick(0.02), patience=0.002)
    grow(tmp_path / "archive", settings())
    assert picture(tmp_path / "archive") == picture(undisturbed)


class BrokenForAll(InstantWorker):
    """Every smoke stage breaks for a while, whoever's it is."""

    broken = 0

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        if units and units[0].stage == "smoke" and BrokenForAll.broken < 12:
            BrokenForAll.broken += 1
            raise SandboxBroken("no reason given")
        async for one in super().evaluate(agent_id, files, units, device):
            yield one


def test_what_breaks_for_one_variant_after_the_other_is_no_variants_fault(
    undisturbed: Path, tmp_path: Path
) -> None:
    run_with(tmp_path / "archive", BrokenForAll, quick(0.0))
    assert picture(tmp_path / "archive") == picture(undisturbed)
