"""status and tree: counts, champion, sealed table, control, the drawing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cambrian.archive import Archive, store
from cambrian.cli.context import CONTROL
from cambrian.cli.render.drawing import draw

from .conftest import Cli, EvolvedArchive, learner

ReadJson = Callable[..., Any]


def test_status_counts_every_end_of_a_proposal(read_json: ReadJson, grown: EvolvedArchive) -> None:
    found = read_json("status")

    assert found["schema"] == 1
    assert found["as_of"].endswith("+00:00")
    counted = {
        "judged": 3,
        "admitted": 2,
        "rejected": 1,
        "duplicate": 1,
        "invalid": 1,
        "failed_smoke": 1,
        "parked": 0,
        "proposals": 7,
        "agents": 6,
        "evaluations": 61,
    }
    assert {name: found[name] for name in counted} == counted
    assert (found["state"], found["wall_s"], found["running"]) == ("stopped", 90.0, None)
    assert found["spend"]["calls"] == 0
    assert found["champion"]["id"] == grown["graft"]
    assert (found["champion"]["number"], found["champion"]["score"]) == (3, 0.7)
    nothing = {"streams": None, "champion": None, "gaps": None, "looks": None}
    assert found["sealed"] == {**nothing, "agents": []}
    assert found["control"] is None


def test_status_names_the_process_that_holds_the_archive(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    import os

    with Archive.open(grown.path) as archive, archive.lock():
        archive.runs.resume(1)
        found = read_json("status")
    assert (found["running"], found["state"]) == (os.getpid(), "running")


def test_status_says_that_a_killed_run_was_interrupted(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive:
        archive.runs.resume(1)
    assert read_json("status")["state"] == "interrupted"


def test_sealed_means_are_given_over_all_over_searched_and_over_unseen_streams(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive:
        grown.seal(archive, "graft", dict.fromkeys(range(5), 0.8))
    row = read_json("status")["sealed"]["agents"][0]

    assert row["id"] == grown["graft"]
    assert row["complete"] is True
    assert math.isclose(row["mean_search"], 0.8)
    assert math.isclose(row["mean_unseen"], 0.7)
    assert math.isclose(row["mean"], (3 * 0.8 + 0.7) / 4)
    assert math.isclose(row["per_benchmark"]["blurry-digits"]["mean"], 0.7)


def test_the_champion_is_paired_against_the_seed_with_the_best_sealed_mean(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive:
        grown.seal(archive, "finetune", {s: 0.1 + 0.02 * s for s in range(5)})
        grown.seal(archive, "replay", {s: 0.3 + 0.02 * s for s in range(5)})
        # A constant gain and a little that differs: the spread over seeds cancels in pairs.
        grown.seal(archive, "graft", {s: 0.6 + 0.02 * s + (0.01, -0.01)[s % 2] for s in range(4)})
    champion = read_json("status")["sealed"]["champion"]

    assert champion["paired_against"] == grown["replay"]
    difference = champion["difference"]
    assert math.isclose(difference["mean"], 0.3)
    # t interval by hand: s = 0.01 * sqrt(4/3), t(0.975, 3) = 3.1824
    reach = 3.182446 * 0.01 * math.sqrt(4 / 3) / math.sqrt(4)
    assert math.isclose(difference["lower"], 0.3 - reach, rel_tol=1e-5)
    assert math.isclose(difference["upper"], 0.3 + reach, rel_tol=1e-5)
    assert (difference["confidence"], difference["seeds"]) == (0.95, 4)
    assert champion["complete"] is False  # seed 4 is not there yet
    # Four seeds, all in favour: 2 of 16 ways to flip the signs, times the number of streams.
    streams = champion["per_benchmark_difference"]
    for row in streams.values():
        assert math.isclose(row["p"], 2 / 16)
        assert math.isclose(row["p_holm"], min(1.0, len(streams) * 2 / 16))
    assert champion["probability_of_improvement"] == 1.0


def test_one_sealed_seed_has_a_mean_and_no_interval(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive:
        grown.seal(archive, "graft", {0: 0.8})
    row = read_json("status")["sealed"]["agents"][0]
    assert (row["lower"], row["upper"]) == (None, None)
    assert row["seeds"] == [0]


def test_an_agent_that_failed_a_sealed_run_gets_no_flattering_mean(
    read_json: ReadJson, run_cli: Cli, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive:
        grown.seal(archive, "graft", dict.fromkeys(range(4), 0.9))
        grown.seal(archive, "replay", dict.fromkeys(range(5), 0.4))
        failed = grown.record("sealed", "split-mnist", 4, verdict="failed", reason="nan")
        archive.evaluations.record(grown["graft"], failed, sealed=True)
    sealed = read_json("status")["sealed"]

    assert [row["id"] for row in sealed["agents"]] == [grown["replay"], grown["graft"]]
    assert sealed["champion"]["mean"] is None
    assert sealed["champion"]["difference"] is None
    assert sealed["champion"]["failures"] == ["split-mnist, seed 4: nan"]
    assert "failed: split-mnist, seed 4: nan" in run_cli("status").stdout


@pytest.fixture
def control(grown: EvolvedArchive) -> Path:
    """A control whose best is worse than our champion by 0.2 on every sealed seed."""
    path = grown.path / CONTROL
    beside = EvolvedArchive(path)
    with Archive.open(path) as archive, Archive.open(grown.path) as ours:
        beside.seal(archive, "graft", {s: 0.5 + 0.01 * s for s in range(5)})
        grown.seal(ours, "graft", {s: 0.7 + 0.01 * s for s in range(5)})
        grown.seal(ours, "replay", dict.fromkeys(range(5), 0.4))
    return path


def test_the_control_stands_beside_the_run(
    control: Path, read_json: ReadJson, run_cli: Cli, grown: EvolvedArchive
) -> None:
    assert control.is_dir()
    found = read_json("status")["control"]

    assert found["judged"] == 3
    assert found["champion"]["id"] == grown["graft"]
    assert math.isclose(found["sealed"]["mean_search"], 0.52)
    assert math.isclose(found["sealed"]["difference"]["mean"], 0.2)
    assert found["sealed"]["difference"]["lower"] > 0.19
    text = run_cli("status").stdout
    assert "champion minus the control's: +0.200" in text
    assert "champion minus the best seed agent, #2 replay: +0.320" in text


def test_a_control_with_another_budget_is_not_passed_off_as_the_same(
    control: Path, run_cli: Cli, grown: EvolvedArchive
) -> None:
    assert "not the same budget" not in run_cli("status").stdout
    with Archive.open(control) as archive:
        archive.runs.resume(1)
        waiting = archive.proposals.undecided()[0]
        tree = learner("one more")
        archive.proposals.record_variant(
            waiting.id, tree.identity, tree, title="one more", hypothesis="", stage="smoke"
        )
        archive.proposals.record(waiting.id, None, "no", [])
    assert "not the same budget: 4 judged here, 3 in the run" in run_cli("status").stdout


def test_the_control_is_where_the_supervisor_puts_it() -> None:
    assert store.CONTROL == CONTROL


def test_the_tree_shows_members_under_their_parents(run_cli: Cli, grown: EvolvedArchive) -> None:
    drawn = run_cli("tree").stdout.splitlines()

    assert len(drawn) == 4
    assert drawn[0].startswith(f"#1  {grown['finetune'][:10]}  seed  0.100 [0.050, 0.150]")
    assert drawn[1].startswith(f"#2  {grown['replay'][:10]}  seed")
    assert drawn[2].startswith(f"└─ #3*  {grown['graft'][:10]}  improvement  0.700 [0.650, 0.750]")
    assert drawn[3].startswith(f"   └─ #6  {grown['cross'][:10]}  stepping stone")
    assert drawn[3].endswith("x #1")


def test_the_whole_tree_has_the_rejected_too(read_json: ReadJson, grown: EvolvedArchive) -> None:
    items = read_json("tree", "--all")["items"]
    titles = {item["id"]: item["status"] for item in items}
    assert len(items) == 6
    assert titles[grown["tune"]] == titles[grown["crash"]] == "rejected"


def test_tree_json_is_depth_first_with_parents(read_json: ReadJson, grown: EvolvedArchive) -> None:
    found = read_json("tree")
    order = [grown[name] for name in ("finetune", "replay", "graft", "cross")]
    assert [item["id"] for item in found["items"]] == order
    assert [item["level"] for item in found["items"]] == [0, 0, 1, 2]
    assert found["items"][3]["parents"] == [grown["graft"], grown["finetune"]]
    assert found["truncated"] is False


def test_a_clade_is_drawn_from_its_root_to_a_depth(read_json: ReadJson, run_cli: Cli) -> None:
    found = read_json("tree", "#2", "--depth", "1")
    assert [item["number"] for item in found["items"]] == [2, 3]
    assert found["truncated"] is True
    assert "(+1 below)" in run_cli("tree", "#2", "--depth", "1").stdout
    # A second parent's clade does not claim the child: it is drawn once.
    assert [item["number"] for item in read_json("tree", "#1")["items"]] == [1]


def test_an_empty_archive_has_an_empty_tree(run_cli: Cli, tmp_path: Path) -> None:
    Archive.create(tmp_path / "empty").close()
    result = run_cli("tree", "--archive", str(tmp_path / "empty"))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "empty" in result.stderr


def test_drawing_a_chain_of_ten_thousand_does_not_recurse() -> None:
    drawn = list(draw([0], lambda node: [node + 1] if node < 10_000 else []))
    assert [row.node for row in drawn] == list(range(10_001))


def test_branches_are_drawn_with_lines_that_join() -> None:
    below = {"a": ["b", "d"], "b": ["c"]}
    drawn = [row.branch + row.node for row in draw(["a"], lambda node: below.get(node, []))]
    assert drawn == ["a", "├─ b", "│  └─ c", "└─ d"]
