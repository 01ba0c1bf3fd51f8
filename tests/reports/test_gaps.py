"""Search minus sealed, of an archive that was grown and sealed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import ClassVar

import numpy as np
import pytest

from cambrian.archive import Archive
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.evaluators.statistics.gaps import independent_difference
from cambrian.evaluators.suites import sealed_part, suite
from cambrian.evolution import sealing
from cambrian.evolution.rewriting.evidence import evidence
from cambrian.evolution.settings import Settings
from cambrian.measurement import Measurement, Unit
from cambrian.reports.scores.gaps import PARTS, gap_report
from cambrian.suite import Entry, Suite
from cambrian.testing.instant_run import BENCHMARKS, grow
from cambrian.testing.workers import InstantWorker, quality

SETTINGS = Settings(seed=3, proposals=8, benchmarks=BENCHMARKS, sandbox="none")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    grow(tmp_path / "archive", SETTINGS)
    with Archive.open(tmp_path / "archive") as opened:
        yield opened


def seal(archive: Archive, **loses: float) -> None:
    """Seal the seed agents and the champion; each loses so much on sealed data: `champion`, `all`;
    `fails` on the last seed."""
    champion = archive.champion()
    assert champion is not None
    best = champion.id

    class Worker(InstantWorker):
        async def evaluate(
            self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
        ) -> AsyncIterator[Measurement]:
            ours = agent_id == best
            less = loses.get("all", 0.0) + (loses.get("champion", 0.0) if ours else 0.0)
            async for found in super().evaluate(agent_id, files, units, device):
                if ours and "fails" in loses and found.seed == 4:
                    yield Measurement.on(
                        Unit(found.benchmark, found.stage, found.seed),
                        "failed",
                        found.version,
                        cause="exception",
                        reason="not there",
                    )
                else:
                    yield replace(found, score=(found.score or 0.0) - less)

    sealing.seal(archive, sealing.wanted(archive), BENCHMARKS, Worker, lambda _: None)


def test_without_sealed_results_there_is_nothing_and_none_are_made(archive: Archive) -> None:
    assert gap_report(archive) is None
    assert archive.sealings.looks().times == 0


def test_every_member_that_was_sealed_has_its_gap_with_an_interval(archive: Archive) -> None:
    seal(archive, all=0.25)
    found = gap_report(archive)
    assert found is not None
    assert [one.agent.id for one in found.members] == archive.evaluations.sealed_agents()
    for part in PARTS:
        for one in found.members:
            assert one.gaps[part].mean == pytest.approx(0.25, abs=0.02)
        mean = np.mean([one.gaps[part].mean for one in found.members])
        assert found.means[part].mean == pytest.approx(mean)
    for one in found.members:
        gap = one.gaps["same"]
        assert gap.lower < gap.mean < gap.upper < gap.lower + 0.03


def test_one_unseen_stream_has_no_interval_and_so_no_alarm(archive: Archive) -> None:
    seal(archive, champion=0.4)
    found = gap_report(archive)
    assert found is not None
    assert found.excess["unseen"].estimate.mean == pytest.approx(0.4, abs=0.03)
    assert found.excess["unseen"].state == "none"
    assert found.to_json()["excess"]["unseen"]["lower"] is None
    assert [text for text in found.warnings if "no search saw" in text] == []


def test_sealed_data_that_is_harder_for_all_raises_no_alarm(archive: Archive) -> None:
    seal(archive, all=0.25)
    found = gap_report(archive)
    assert found is not None
    assert set(found.excess) == set(PARTS)
    assert {one.state for one in found.excess.values()} == {"none"}
    assert found.warnings == ()


def test_a_champion_that_alone_falls_is_an_alarm_in_words_and_in_json(archive: Archive) -> None:
    seal(archive, all=0.1, champion=0.2)
    found = gap_report(archive)
    assert found is not None
    assert found.champion is not None
    number = found.champion.agent.number
    [warning] = found.warnings
    assert warning.startswith("ALARM: on the same benchmarks on sealed data")
    beyond = found.to_json()["excess"]["same"]
    assert f"the champion, #{number}, loses {beyond['mean']:.3f}" in warning
    assert (beyond["state"], beyond["over"], beyond["units"]) == ("alarm", "seeds", 5)
    assert beyond["mean"] == pytest.approx(0.2, abs=0.02)
    assert 0 < beyond["corrected"]["lower"] < beyond["lower"] < 0.2
    assert beyond["seed_agents"] == len(archive.agents.seeds())


def test_the_excess_is_the_difference_in_differences_paired_by_seed(archive: Archive) -> None:
    seal(archive, champion=0.05)
    found = gap_report(archive)
    champion = archive.champion()
    assert found is not None
    assert champion is not None

    def level(agent_id: str, seed: int, *, sealed: bool) -> float:
        stages = ("sealed",) if sealed else ("screen", "full")
        return float(
            np.mean(
                [
                    row.score
                    for row in archive.evaluations.of(agent_id, sealed=sealed)
                    if row.stage in stages and row.seed == seed and row.benchmark in BENCHMARKS
                ]
            )
        )

    sides = [
        [
            level(champion.id, seed, sealed=sealed)
            - fmean(level(one.id, seed, sealed=sealed) for one in archive.agents.seeds())
            for seed in range(5)
        ]
        for sealed in (False, True)
    ]
    by_hand = independent_difference(sides[0], sides[1])
    assert found.excess["same"].estimate.mean == pytest.approx(by_hand.mean)
    assert found.excess["same"].estimate.lower == pytest.approx(by_hand.lower)
    scored = archive.suites.scored(found.suite.id)
    judged = archive.proposals.count_judged()
    assert scored <= found.excess["same"].candidates == judged + len(archive.agents.seeds())


def test_a_champion_that_fails_on_sealed_data_has_no_gap_and_is_named(archive: Archive) -> None:
    seal(archive, fails=1)
    found = gap_report(archive)
    assert found is not None
    assert found.champion is not None
    assert found.champion.gaps == {}
    assert found.excess == {}
    [warning] = found.warnings
    assert warning.startswith("ALARM") and "failed on sealed data (4 runs)" in warning
    assert found.to_json()["members"][-1]["same"] is None


class Choosy(InstantWorker):
    """Each agent is better on some benchmarks than on others, in a search and on sealed data.

    By the order in which it was met, and not by its code: no change of an agent draws new luck.
    """

    met: ClassVar[dict[str, int]] = {}

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        async for found in super().evaluate(agent_id, files, units, device):
            number = self.met.setdefault(agent_id, len(self.met))
            taste = hashlib.sha256(f"{number}{found.benchmark}".encode()).digest()[0] / 255
            yield replace(found, score=(found.score or 0.0) + 0.3 * taste)


def test_agents_that_like_some_families_better_than_others_raise_no_alarm(tmp_path: Path) -> None:
    drift = suite("drift")
    given = replace(SETTINGS, benchmarks=drift.benchmarks, suite="drift")
    path = tmp_path / "archive"
    options = Options(make_worker=Choosy)
    Choosy.met.clear()
    assert supervisor.run(path, given, lambda _: None, seal=True, options=options)
    with Archive.open(path, read_only=True) as archive:
        found = gap_report(archive)
    assert found is not None
    assert {one.state for one in found.excess.values()} == {"none"}
    gaps = [one.gaps["unseen"].mean for one in found.members]
    assert max(gaps) - min(gaps) > 0.05, "seeds alone would have called this a difference"
    told = found.to_json()["members"][0]["unseen"]
    assert (told["over"], told["units"]) == ("streams", len(sealed_part("drift")))


class Exploits(Choosy):
    """What is best in the search (by its code) falls by 0.4 on sealed data."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        less = 0.4 if quality(files) > 0.6 else 0.0
        async for found in super().evaluate(agent_id, files, units, device):
            drop = less if found.stage == "sealed" else 0.0
            yield replace(found, score=(found.score or 0.0) - drop)


@pytest.mark.parametrize(("worker", "state"), [(Choosy, "none"), (Exploits, "alarm")])
def test_a_suite_of_few_seeds_and_many_families_is_asked_over_families(
    tmp_path: Path, worker: type[InstantWorker], state: str
) -> None:
    general = suite("general")
    given = replace(SETTINGS, benchmarks=general.benchmarks, suite="general", proposals=4)
    options = Options(make_worker=worker)
    supervisor.run(tmp_path / "a", given, lambda _: None, seal=True, options=options)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        found = gap_report(archive)
        champion = archive.champion()
        assert champion is not None
        assert quality(archive.agents.files(champion.id)) > 0.6
    assert found is not None
    assert found.excess["same"].state == state
    told = found.to_json()["excess"]["same"]
    assert (told["over"], told["units"]) == ("benchmarks", len(general.benchmarks))
    assert told["corrected"]["lower"] < told["lower"] < told["mean"] < told["upper"]
    weights = [general.weights[name] for name in general.benchmarks]
    assert found.champion is not None
    sides = found.champion.sides["same"]
    gaps = [one - other for one, other in zip(sides.search, sides.sealed, strict=True)]
    assert found.champion.gaps["same"].mean == pytest.approx(np.dot(weights, gaps))


def test_scores_of_another_version_are_compared_with_nothing(archive: Archive) -> None:
    seal(archive)
    now = archive.suites.current()
    assert now is not None
    changed = [replace(entry, version="0") for entry in now.suite.entries[:1]]
    older = archive.suites.add(Suite("", (*changed, *now.suite.entries[1:])))
    assert gap_report(archive, archive.suites.get(older)) is None
    part = archive.suites.add(Suite("", (Entry(BENCHMARKS[0], now.suite.entries[0].version),)))
    assert gap_report(archive, archive.suites.get(part)) is not None


def test_an_improver_is_shown_the_same_whatever_is_sealed(archive: Archive) -> None:
    champion = archive.champion()
    assert champion is not None

    def shown() -> object:
        run = archive.runs.start(1, {}, 1)
        index = archive.counts()["proposals"]
        proposal = archive.proposals.open(run.id, index, index - 1, [champion.id], "model")
        found = evidence(archive, proposal, BENCHMARKS)
        archive.proposals.close(proposal.id, "invalid", "only looked at")
        archive.runs.end(run.id, "abandoned")
        return {key: value for key, value in found.items() if key != "cards"}

    before, drawn = shown(), archive.members()
    seal(archive, champion=0.2)
    report = gap_report(archive)
    assert report is not None
    assert report.warnings
    assert (shown(), archive.members()) == (before, drawn)
