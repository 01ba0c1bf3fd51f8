"""agent list, show, diff, why, lineage, code: what is shown of an agent, and how safely."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import HIDDEN, HOSTILE, Cli, EvolvedArchive, learner

from cambrian.archive import Archive
from cambrian.errors import InvalidAgent

ReadJson = Callable[..., Any]


def test_the_list_holds_members_and_with_all_every_agent(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    members = read_json("agent", "list")
    everyone = read_json("agent", "list", "--all", "--limit", "0")

    assert {i["id"] for i in members["items"]} == {
        grown[name] for name in ("finetune", "replay", "graft", "cross")
    }
    assert {i["id"] for i in everyone["items"]} == set(grown.ids.values())
    assert everyone["truncated"] is False
    assert set(everyone) == {"schema", "as_of", "items", "truncated"}


def test_a_listed_agent_says_all_that_decides_the_tree(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    items = {i["id"]: i for i in read_json("agent", "list", "--all", "--limit", "0")["items"]}
    tune, graft = items[grown["tune"]], items[grown["graft"]]

    assert (tune["status"], tune["kind"], tune["score"]) == ("rejected", None, 0.3)
    assert (tune["reason"], tune["proposal"]) == ("not better", 1)
    assert (graft["status"], graft["kind"], graft["number"]) == ("admitted", "improvement", 3)
    assert graft["parents"] == [grown["replay"]]
    assert graft["code"] == learner("graft").identity
    assert (graft["title"], graft["hypothesis"]) == ("Graft it", "because of graft")


def test_a_list_that_is_cut_off_says_so(read_json: ReadJson, run_cli: Cli) -> None:
    found = read_json("agent", "list", "--limit", "2")
    assert (len(found["items"]), found["truncated"]) == (2, True)
    assert read_json("agent", "list", "--limit", "4")["truncated"] is False
    result = run_cli("agent", "list", "--limit", "2")
    assert len(result.stdout.splitlines()) == 3  # a header
    assert "--limit 0" in result.stderr


@pytest.mark.parametrize(
    ("order", "first"), [("number", "finetune"), ("score", "graft"), ("lower", "graft")]
)
def test_the_list_is_in_the_order_asked_for(
    read_json: ReadJson, grown: EvolvedArchive, order: str, first: str
) -> None:
    assert read_json("agent", "list", "--order", order)["items"][0]["id"] == grown[first]


@pytest.mark.parametrize(
    ("reference", "name"),
    [("@best", "graft"), ("@root", "finetune"), ("#6^2", "finetune"), ("#6~2", "replay")],
)
def test_agents_are_found_by_short_names(
    read_json: ReadJson, grown: EvolvedArchive, reference: str, name: str
) -> None:
    assert read_json("agent", "show", reference)["agent"]["id"] == grown[name]


def test_show_gives_means_over_the_seeds_of_the_search(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    found = read_json("agent", "show", grown["graft"][:12])
    row = next(r for r in found["benchmarks"] if r["benchmark"] == "split-mnist")

    assert sorted(row["seeds"]) == [0, 1, 2, 3, 4]
    assert math.isclose(row["mean"], 0.72)
    assert row["lower"] < 0.72 < row["upper"]
    assert row["metrics"] == {"forgetting": 0.125, "min_accuracy": 0.25}
    assert row["flops"] == 2_000_000_000
    assert row["flops_allowed"] > row["flops"]
    assert found["children"] == [grown["cross"]]
    assert found["sealed"] is None


def test_show_prints_every_metric_of_every_benchmark(run_cli: Cli, grown: EvolvedArchive) -> None:
    lines = run_cli("agent", "show", grown["graft"]).stdout.splitlines()
    start = next(n for n, text in enumerate(lines) if text.startswith("Metrics"))
    table = [text.split() for text in lines[start + 1 : start + 5] if text]
    names, *rows = table
    assert names[0] == "metric" and "split-mnist" in names
    column = names.index("split-mnist")
    found = {row[0]: row[column] for row in rows}
    assert found["forgetting"] == "0.125" and found["min_accuracy"] == "0.250"


def test_show_gives_the_log_of_a_failure(
    read_json: ReadJson, run_cli: Cli, grown: EvolvedArchive
) -> None:
    [failure] = read_json("agent", "show", grown["crash"])["failures"]
    assert (failure["stage"], failure["verdict"]) == ("smoke", "failed")
    assert "boom" in run_cli("agent", "show", grown["crash"]).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("agent", "show", "#5"),
        ("agent", "why", "#5"),
        ("agent", "why", "--proposal", "5"),
        ("agent", "list", "--all"),
        ("agent", "lineage", "#5"),
        ("tree", "--all"),
    ],
)
def test_what_an_agent_wrote_cannot_steer_a_terminal(
    run_cli: Cli, arguments: tuple[str, ...]
) -> None:
    for extra in ((), ("--json",)):
        result = run_cli(*arguments, *extra)
        assert result.exit_code == 0
        assert not set(result.output) & {"\x1b", "\x07", *HIDDEN}
        assert extra == () or "<" not in result.stdout, "no page takes it for HTML"
    assert "[red]" in run_cli(*arguments).stdout  # shown as written, not taken for markup


def test_code_that_hides_characters_is_shown_with_them_spelt_out(
    run_cli: Cli, grown: EvolvedArchive, tmp_path: Path
) -> None:
    """No new agent may hold such code; an archive of before may."""
    with pytest.raises(InvalidAgent, match="hidden character"):
        learner(f"seen {HOSTILE}")
    identity, text = learner("odd").identity, f"# seen {HOSTILE}\nclass Learner:\n    pass\n"
    with Archive.open(grown.path) as archive:
        archive.agents.add_seed(identity, {"learner.py": text}, "odd")
    for command in (("code", identity), ("diff", "@root", identity), ("show", identity)):
        for extra in ((), ("--json",)):
            shown = run_cli("agent", *command, *extra).stdout
            assert not set(shown) & {"\x1b", "\x07", *HIDDEN}
            assert extra == () or "<" not in shown
    assert "\\x1b[2J" in run_cli("agent", "code", identity).stdout

    run_cli("agent", "code", identity, "--output", str(tmp_path / "out"))
    assert (tmp_path / "out" / "learner.py").read_bytes() == text.encode()


def test_why_gives_each_gate_in_order(
    read_json: ReadJson, run_cli: Cli, grown: EvolvedArchive
) -> None:
    found = read_json("agent", "why", "@best")
    assert found["decision"] == "admitted as improvement: shown to work"
    assert [gate["gate"] for gate in found["gates"]] == ["screen", "improvement"]
    gate = found["gates"][1]
    assert (gate["rule"], gate["verdict"]) == ("the rule of improvement", "pass")
    assert (gate["threshold"], gate["value"]) == (0.0, 0.3)
    text = run_cli("agent", "why", "@best").stdout
    assert "improvement  pass     0.300 [0.290, 0.310]  0.000      the rule of improvement" in text


def test_why_explains_every_way_a_proposal_can_end(
    read_json: ReadJson, grown: EvolvedArchive
) -> None:
    expected = {
        0: "admitted as improvement: shown to work",
        1: "rejected: not better",
        2: "failed smoke: failed on it",
        3: "admitted as stepping stone: shown to work",
        4: f"duplicate: the same code as {grown['graft']}",
        6: "not decided yet: the proposal is open",
    }
    for index, decision in expected.items():
        assert read_json("agent", "why", "--proposal", str(index))["decision"] == decision
    invalid = read_json("agent", "why", "--proposal", "5")
    assert invalid["decision"].startswith("invalid: no such block")
    assert invalid["agent"] is None
    assert "seed agent" in read_json("agent", "why", "@root")["decision"]
    assert read_json("agent", "why", grown["tune"])["gates"][0]["verdict"] == "fail"


def test_diff_is_against_the_parent_or_another(read_json: ReadJson, run_cli: Cli) -> None:
    found = read_json("agent", "diff", "@best")
    assert "-# replay\n+# graft\n" in found["diff"]
    assert "-# finetune\n+# graft\n" in read_json("agent", "diff", "#1", "@best")["diff"]
    assert run_cli("agent", "diff", "@best").stdout == found["diff"]


def test_lineage_goes_to_the_seeds_over_both_parents(
    read_json: ReadJson, run_cli: Cli, grown: EvolvedArchive
) -> None:
    items = read_json("agent", "lineage", "#6")["items"]
    assert [(i["id"], i["distance"]) for i in items[:1]] == [(grown["cross"], 0)]
    assert {(i["id"], i["distance"]) for i in items[1:]} == {
        (grown["graft"], 1),
        (grown["finetune"], 1),
        (grown["replay"], 2),
    }
    drawn = run_cli("agent", "lineage", "#6").stdout.splitlines()
    assert drawn[1].startswith("├─ parent: #3")
    assert drawn[2].startswith("│  └─ parent: #2")
    assert drawn[3].startswith("└─ second parent: #1")


def test_code_prints_all_files_or_one(run_cli: Cli) -> None:
    text = learner("graft")["learner.py"]
    assert run_cli("agent", "code", "@best").stdout == f"==> learner.py <==\n{text}"
    assert run_cli("agent", "code", "@best", "learner.py").stdout == text


def test_code_is_not_written_over_what_is_there(run_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "learner.py").write_text("precious")
    result = run_cli("agent", "code", "@best", "--output", str(tmp_path / "mine"))
    assert result.exit_code == 2
    assert (tmp_path / "mine" / "learner.py").read_text() == "precious"
