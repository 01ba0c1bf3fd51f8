"""`cambrian plot families`: score vectors as a picture, a table and JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats
from tests.cli.conftest import HOSTILE, SEARCH, UNSEEN, Cli, EvolvedArchive, learner
from tests.evolution.running import settings

from cambrian.archive import Archive
from cambrian.cli.render.vectors import OTHERS, draw_vectors
from cambrian.daemon import supervisor
from cambrian.daemon.service import Options
from cambrian.errors import UsageError
from cambrian.evaluators.statistics import mean_interval
from cambrian.evaluators.suites import of_benchmarks, suite
from cambrian.reports.scores.vectors import vectors
from cambrian.suite import Entry, Suite
from cambrian.testing.workers import InstantWorker

ReadJson = Callable[..., Any]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def judged(grown: EvolvedArchive) -> EvolvedArchive:
    """With a suite; its vectors are made of the evaluations."""
    with Archive.open(grown.path) as archive:
        archive.suites.open(of_benchmarks(SEARCH))
    return grown


def seal(grown: EvolvedArchive, *names: str) -> None:
    with Archive.open(grown.path) as archive:
        for name in names:
            grown.seal(archive, name, {seed: 0.3 + seed / 100 for seed in range(5)})


def drawn(path: Path) -> list[str]:
    """The texts of a picture, in order; it has to be well-formed for that."""
    found = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    return ["".join(text.itertext()) for text in found.iter(f"{SVG}text")]


def test_the_picture_has_a_row_for_each_benchmark_and_says_suite_version_and_members(
    run_cli: Cli, judged: EvolvedArchive
) -> None:
    result = run_cli("plot", "families")
    path = judged.path / "families.svg"
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    texts = drawn(path)
    assert [text for text in texts if text.endswith(" v1")] == [f"{name} v1" for name in SEARCH]
    digits = of_benchmarks(SEARCH).hash[:8]
    assert f"Suite {', '.join(SEARCH)}, version {digits}, 4 members" in texts
    legend = [text for text in texts if re.match(r"(champion, )?#\d", text)]
    assert legend == ["champion, #3 Graft it", "#1 finetune", "#2 replay"]
    assert not any("sealed" in text for text in texts)


def test_sealed_streams_are_drawn_below_a_line_once_they_were_used_and_are_never_used_for_it(
    run_cli: Cli, judged: EvolvedArchive
) -> None:
    seal(judged, "replay")
    assert run_cli("plot", "families").exit_code == 0
    texts = drawn(judged.path / "families.svg")
    rows = [text for text in texts if text.endswith(" v1")]
    assert rows == [f"{name} v1" for name in (*SEARCH, UNSEEN)]
    assert "sealed: no search saw these" in texts
    with Archive.open(judged.path, read_only=True) as archive:
        assert archive.evaluations.sealed_agents() == [judged["replay"]]
        assert archive.sealings.looks().times == 0  # these were recorded by the test


def test_the_same_archive_gives_the_same_file_and_png_is_a_picture_too(
    run_cli: Cli, judged: EvolvedArchive, tmp_path: Path
) -> None:
    for name in ("one.svg", "two.svg"):
        assert run_cli("plot", "families", "--out", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert run_cli("plot", "families", "--output", str(tmp_path / "p.png")).exit_code == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_what_an_agent_calls_itself_cannot_break_the_picture(
    run_cli: Cli, judged: EvolvedArchive
) -> None:
    with Archive.open(judged.path) as archive:
        archive.agents.set(judged["graft"], title=f"$\\frac{{x}}$ _{HOSTILE} 猫")
    assert run_cli("plot", "families").exit_code == 0
    raw = (judged.path / "families.svg").read_text(encoding="utf-8")
    assert "<script" not in raw and "\x1b" not in raw and "\u202e" not in raw
    assert any("$\\frac{x}$" in text for text in drawn(judged.path / "families.svg"))


def test_scores_are_means_over_seeds_with_their_interval(
    read_json: ReadJson, judged: EvolvedArchive
) -> None:
    seal(judged, "graft")
    found = read_json("plot", "families", "--agents", judged["cross"])
    assert [one["role"] for one in found["agents"]] == ["champion", "seed", "seed", "named"]
    assert [one["number"] for one in found["agents"]] == [3, 1, 2, 6]
    assert (found["members"], [e["benchmark"] for e in found["sealed"]]) == (4, [UNSEEN])
    expected = mean_interval([0.7 + seed / 100 for seed in range(5)])
    champion = found["agents"][0]["scores"]
    assert list(champion) == [*SEARCH, UNSEEN]
    assert champion[SEARCH[0]]["mean"] == pytest.approx(expected.mean)
    assert champion[SEARCH[0]]["lower"] == pytest.approx(expected.lower)
    assert champion[UNSEEN]["mean"] == pytest.approx(0.22)
    assert list(found["agents"][1]["scores"]) == list(SEARCH)


def test_with_few_seeds_of_many_families_the_spread_is_pooled_over_families(
    tmp_path: Path,
) -> None:
    general = suite("general")
    given = settings(benchmarks=general.benchmarks, suite="general", proposals=1, sandbox="none")
    options = Options(make_worker=InstantWorker)
    supervisor.run(tmp_path / "a", given, lambda _: None, options=options)
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        now = archive.suites.current()
        assert now is not None
        report = vectors(archive, now)
        rows = archive.evaluations.of(report.vectors[0].agent.id)
    assert now.suite.seeds == 2
    pairs = [
        [row.score for row in rows if row.benchmark == name and row.stage in ("screen", "full")]
        for name in general.benchmarks
    ]
    pooled = np.var(np.array(pairs, dtype=float), axis=1, ddof=1).mean()
    reach = stats.t.ppf(0.975, len(pairs)) * np.sqrt(pooled / 2)
    for name, pair in zip(general.benchmarks, pairs, strict=True):
        found = report.vectors[0].scores[name]
        assert found.seeds == 2
        assert found.mean == pytest.approx(np.mean(np.array(pair, float)))
        assert found.lower == pytest.approx(found.mean - reach)
        assert found.upper == pytest.approx(found.mean + reach)


def test_a_table_has_families_down_and_agents_across(run_cli: Cli, judged: EvolvedArchive) -> None:
    seal(judged, "replay")
    with Archive.open(judged.path) as archive:
        one = judged.record("sealed", UNSEEN, 0, verdict="failed", reason="nan")
        archive.evaluations.record(judged["graft"], one, sealed=True)
    text = run_cli("plot", "families", "--format", "table").stdout
    assert not (judged.path / "families.svg").exists()
    head, *rows = [row for row in text.splitlines() if row.startswith(("family", "split", UNSEEN))]
    assert head.split()[2:4] == ["*", "#3"]
    assert "0.720 [0.700, 0.740]" in rows[0]
    assert rows[-1].split()[2] == "failed", "a mean without the failed seed would flatter it"
    assert rows[-1].split()[3] == "-"
    failed = "#3 failed on blurry-digits"
    assert run_cli("plot", "families").exit_code == 0
    assert failed in drawn(judged.path / "families.svg")


def test_a_suite_of_old_can_be_drawn_and_only_its_own_versions_count(
    read_json: ReadJson, judged: EvolvedArchive
) -> None:
    older = of_benchmarks(SEARCH)
    with Archive.open(judged.path) as archive:
        archive.suites.open(Suite("other", (Entry("split-mnist", "2"), Entry("label-drift", "1"))))
    found = read_json("plot", "families")
    assert (found["suite"]["name"], found["members"], found["agents"]) == ("other", 0, [])
    found = read_json("plot", "families", "--suite", older.hash[:6])
    assert (found["suite"]["current"], len(found["agents"])) == (False, 3)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--output", "x.jpeg"), 2, ".png or .svg"),
        (("--output", "x.svg", "--format", "table"), 2, "--output is for a picture"),
        (("--output", "no/such/folder/x.svg"), 1, "cannot write"),
        (("--agents", "#99"), 3, "cambrian agent list"),
        (("--suite", "nothing"), 3, "no suite here is called 'nothing'"),
    ],
)
def test_a_wrong_wish_is_refused_in_words(
    run_cli: Cli, judged: EvolvedArchive, arguments: tuple[str, ...], code: int, says: str
) -> None:
    result = run_cli("plot", "families", *arguments)
    assert result.exit_code == code, result.output
    assert says in result.stderr


def test_an_agent_without_a_score_in_the_suite_is_named(
    run_cli: Cli, judged: EvolvedArchive
) -> None:
    result = run_cli("plot", "families", "--agents", f"@best, {judged['crash'][:12]}")
    assert result.exit_code == 3
    assert "has no score in the suite" in result.stderr
    assert not (judged.path / "families.svg").exists()


def test_every_agent_has_a_shape_of_its_own_and_more_than_there_are_shapes_are_refused(
    judged: EvolvedArchive, tmp_path: Path
) -> None:
    shapes = [shape for shape, _ in OTHERS]
    assert len(set(shapes)) == len(shapes) and "*" not in shapes
    with Archive.open(judged.path) as archive:
        more = []
        for number in range(len(OTHERS)):
            tree = learner(f"another {number}")
            archive.agents.add_seed(tree.identity, tree, f"another {number}")
            archive.agents.set_score(tree.identity, 0.2, 0.1, 0.3)
            more.append(tree.identity)
        now = archive.suites.current()
        assert now is not None
        report = vectors(archive, now, more)
    with pytest.raises(UsageError, match="at most 13 agents in one picture"):
        draw_vectors(tmp_path / "x.svg", report)
