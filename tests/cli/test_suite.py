"""`cambrian suite`: the suites of an archive, and the best in each."""

from __future__ import annotations

import json
from statistics import fmean

import pytest
from tests.cli.conftest import Cli, EvolvedArchive

from cambrian.archive import Archive
from cambrian.evaluators.suites import of_benchmarks
from cambrian.suite import Entry, Suite

OTHER = Suite("other", (Entry("split-mnist", "1", 3.0), Entry("label-drift", "1")))


@pytest.fixture
def judged(grown: EvolvedArchive) -> EvolvedArchive:
    """What it was grown by is one suite; then another, in which one seed agent has a score."""
    with Archive.open(grown.path) as archive:
        archive.suites.open(of_benchmarks(("split-mnist", "label-drift")))
        archive.suites.open(OTHER)
        seed = archive.agents.seeds()[0]
        means = {"split-mnist": 0.2, "label-drift": 0.6}
        archive.agents.set_score(seed.id, 0.3, 0.25, 0.35, means)
    return grown


def test_the_suites_are_listed_with_the_best_in_each(run_cli: Cli, judged: EvolvedArchive) -> None:
    one, two = json.loads(run_cli("suite", "list", "--json").stdout)["items"]
    assert (one["current"], two["current"], two["name"]) == (False, True, "other")
    assert one["scored"] > 1
    assert (two["scored"], two["champion"]["score"]) == (1, 0.3)
    text = run_cli("suite", "list").stdout
    assert "split-mnist v1, label-drift v1" in text
    assert "*" in next(line for line in text.splitlines() if OTHER.hash[:8] in line)


def test_a_suite_is_shown_benchmark_by_benchmark(run_cli: Cli, judged: EvolvedArchive) -> None:
    told = json.loads(run_cli("suite", "show", "--json").stdout)
    assert told["suite"]["hash"] == OTHER.hash
    assert [row["vector"] for row in told["agents"]] == [{"split-mnist": 0.2, "label-drift": 0.6}]
    text = run_cli("suite", "show", OTHER.hash[:6]).stdout
    assert "0.750" in text and "0.250" in text, "the weights add up to 1"
    assert "0.300 [0.250, 0.350]" in text
    first = json.loads(run_cli("suite", "list", "--json").stdout)["items"][0]
    ranked = json.loads(run_cli("suite", "show", first["hash"], "--json").stdout)["agents"]
    assert [row["lower"] for row in ranked] == sorted((r["lower"] for r in ranked), reverse=True)
    assert len(ranked) > 1


def test_the_champions_worst_benchmarks_are_told(run_cli: Cli, judged: EvolvedArchive) -> None:
    first = json.loads(run_cli("suite", "list", "--json").stdout)["items"][0]
    told = json.loads(run_cli("suite", "show", first["hash"], "--json").stdout)
    best, champion = told["agents"][0], told["champion"]
    assert champion["agent"] == best["id"] and champion["failed"] == []
    with Archive.open(judged.path) as archive:
        rows = archive.evaluations.of(best["id"])
    means = {
        name: fmean(row.score for row in rows if row.benchmark == name and row.score is not None)
        for name in ("split-mnist", "label-drift")
    }
    assert champion["worst"] == pytest.approx(means)
    assert champion["mean"] == pytest.approx(fmean(means.values()))
    assert champion["interquartile_mean"] is None, "two benchmarks have no middle half"
    worst = min(means, key=means.__getitem__)
    text = run_cli("suite", "show", first["hash"]).stdout
    assert f"{worst} {means[worst]:.3f}" in text.split("worst benchmarks")[1].split(",")[0]


def test_an_agent_shows_its_score_in_each_suite(run_cli: Cli, judged: EvolvedArchive) -> None:
    found = json.loads(run_cli("agent", "show", "#1", "--json").stdout)
    assert [one["current"] for one in found["suites"]] == [False, True]
    assert found["agent"]["score"] == 0.3
    assert "scores of two are never compared" in run_cli("agent", "show", "#1").stdout


def test_what_is_not_there_is_said(run_cli: Cli, grown: EvolvedArchive) -> None:
    assert "no suite was opened here yet" in run_cli("suite", "list").stdout
    missing = run_cli("suite", "show")
    assert missing.exit_code == 3
    assert "`cambrian run` opens one" in missing.stderr
    assert run_cli("suite", "show", "nothing").exit_code == 3
