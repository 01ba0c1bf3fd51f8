"""`cambrian mechanism`: the parts of learners, and what came of them in an archive."""

from __future__ import annotations

import json

from cambrian.agents.catalogue import catalogue
from cambrian.agents.roles import ROLES
from cambrian.archive import Archive

from .conftest import Cli, EvolvedArchive


def test_the_list_has_every_mechanism_with_its_card(run_cli: Cli) -> None:
    items = json.loads(run_cli("mechanism", "list", "--json").stdout)["items"]
    assert [item["name"] for item in items] == list(catalogue())
    for item in items:
        card = catalogue()[item["name"]].card
        for key in ("role", "family", "kinds", "networks", "hooks", "paper", "class"):
            assert item[key] == card[key]
    text = run_cli("mechanism", "list").stdout
    assert "reservoir" in text and "Chaudhry et al. 2019" in text


def test_it_can_be_cut_to_a_role_or_a_family(run_cli: Cli) -> None:
    heads = json.loads(run_cli("mechanism", "list", "--role", "head", "--json").stdout)["items"]
    assert {item["name"] for item in heads} >= {"class_mean", "hopfield"}
    found = run_cli("mechanism", "list", "--family", "replay", "--json").stdout
    assert {item["role"] for item in json.loads(found)["items"]} == {"memory"}
    wrong = run_cli("mechanism", "list", "--role", "hat")
    assert wrong.exit_code == 3 and "expected a role of network, " in wrong.stderr


def test_counts_are_of_the_archive(run_cli: Cli, grown: EvolvedArchive) -> None:
    with Archive.open(grown.path) as archive:
        rows = archive.database.rows("SELECT id, state FROM proposals ORDER BY id", {})
        admitted = next(row["id"] for row in rows if row["state"] == "admitted")
        other = next(row["id"] for row in rows if row["state"] != "admitted")
        with archive.database.step():
            for number in (admitted, other):
                archive.database.execute(
                    "UPDATE proposals SET operation = ? WHERE id = ?",
                    (json.dumps({"kind": "graft", "mechanism": "gpm"}), number),
                )
    gpm = json.loads(run_cli("mechanism", "show", "gpm", "--json").stdout)
    assert (gpm["proposed"], gpm["admitted"]) == (2, 1)
    assert json.loads(run_cli("mechanism", "show", "sgd", "--json").stdout)["proposed"] == 0


def test_a_card_says_role_hooks_and_knobs_in_words(run_cli: Cli) -> None:
    text = run_cli("mechanism", "show", "reservoir").stdout
    assert ROLES["memory"].says in text and "one to a learner" in text
    assert "build, replay, scores, after_batch, forget, compress" in text
    assert "50 to 500, log" in text
    wrong = run_cli("mechanism", "show", "nothing")
    assert wrong.exit_code == 3 and "got 'nothing'" in wrong.stderr
