"""What models were asked, and which of the changes that they gave could be made."""

from __future__ import annotations

import json

import pytest
from tests.cli.conftest import Cli, EvolvedArchive

from cambrian.archive import Archive
from cambrian.archive.trials import Trial


def test_cost_by_format_says_which_changes_could_be_made(
    run_cli: Cli, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive:
        archive.questions.record_changes(1, 0, "m", "unified diff", [(10, True), (5000, False)])
        archive.questions.record_changes(1, 0, "m", "unified diff", [(10, True), (5000, True)])
        archive.questions.record_changes(2, 0, "m", "unified diff", [(20, True), (30, False)])
    items = json.loads(run_cli("cost", "--by", "format", "--json").stdout)["items"]
    assert [(i["name"], i["size"], i["changes"], i["made"]) for i in items] == [
        ("unified diff", "under 1,000", 3, 2),
        ("unified diff", "above 4,000", 1, 1),
    ]
    # Wilson's interval of 2 in 3, worked out by hand from the formula.
    assert (items[0]["lower"], items[0]["upper"]) == pytest.approx((0.2077, 0.9385), abs=1e-4)
    assert "unified diff" in run_cli("cost", "--by", "format").stdout


def test_why_shows_the_prompt_as_delivered_and_what_was_cut(
    run_cli: Cli, grown: EvolvedArchive
) -> None:
    asked = [{"role": "user", "content": "### FILE learner.py"}]
    cut = [{"section": "history", "what": "3 of 20"}]
    with Archive.open(grown.path) as archive:
        first = archive.proposals.select(limit=1)[0]
        archive.questions.record(first.id, 0, asked, cut)
        archive.questions.record(first.id, 0, [{"role": "user", "content": "another"}])
    brief = run_cli("agent", "why", "--proposal", str(first.idx)).stdout
    assert "left out: history: 3 of 20" in brief and "### FILE" not in brief
    whole = run_cli("agent", "why", "--proposal", str(first.idx), "--prompt").stdout
    assert "### FILE learner.py" in whole and "another" not in whole
    found = json.loads(run_cli("agent", "why", "--proposal", "0", "--prompt", "--json").stdout)
    assert found["questions"] == [{"position": 0, "messages": asked, "cut": cut}]


def test_why_shows_how_the_trials_of_a_variant_ended(run_cli: Cli, grown: EvolvedArchive) -> None:
    with Archive.open(grown.path) as archive:
        first = archive.proposals.select(limit=1)[0]
        archive.trials.record(first.id, Trial(0, "a" * 64, "ValueError: a bad shape"))
        archive.trials.record(first.id, Trial(1, "b" * 64, ""))
    said = run_cli("agent", "why", "--proposal", str(first.idx)).stdout
    assert "aaaaaaaaaa: failed" in said and "ValueError: a bad shape" in said
    assert "bbbbbbbbbb: ran" in said
    found = json.loads(run_cli("agent", "why", "--proposal", str(first.idx), "--json").stdout)
    assert [one["problem"] for one in found["trials"]] == ["ValueError: a bad shape", ""]


def test_cost_by_improver_says_that_nothing_was_made_where_no_model_was_asked(
    run_cli: Cli, grown: EvolvedArchive
) -> None:
    assert json.loads(run_cli("cost", "--by", "improver", "--json").stdout)["items"] == []


def test_cost_by_improver_shows_what_the_edits_of_each_came_to(
    run_cli: Cli, grown: EvolvedArchive
) -> None:
    with Archive.open(grown.path) as archive:
        archive.database.execute("UPDATE proposals SET rewriter = 'model', operation = NULL")
        admitted = archive.counts()["admitted"]
    items = json.loads(run_cli("cost", "--by", "improver", "--json").stdout)["items"]
    assert len(items) == 1 and items[0]["above"] == ""
    assert items[0]["admitted"] == admitted > 0 and items[0]["gain"] >= 0
    assert items[0]["hash"][:10] in run_cli("cost", "--by", "improver").stdout
