"""`cambrian bench`: the benchmarks and the data that they stand on."""

from __future__ import annotations

import dataclasses
import json

import pytest
from click.testing import CliRunner

from cambrian.cli.main import cli
from cambrian.evaluators import data


def said(*words: str) -> str:
    done = CliRunner().invoke(cli, ["bench", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_data_says_what_is_here_and_under_which_licence() -> None:
    rows = {row["name"]: row for row in json.loads(said("data", "--json"))["items"]}
    assert set(rows) == set(data.SOURCES)
    assert rows["mnist-5k"]["present"] and "split-mnist" in rows["mnist-5k"]["benchmarks"]
    assert rows["fashion-mnist"]["licence"] == "MIT"
    assert "Shuttle" not in said("data") and "49,097 states" in said("data")


def test_data_that_is_missing_is_named_with_what_brings_it_and_what_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lacking = dataclasses.replace(data.source("fashion-mnist"), present=lambda: False)
    monkeypatch.setitem(data.SOURCES, "fashion-mnist", lacking)
    text = said("data")
    assert "fashion-mnist is missing: apt-get install dataset-fashion-mnist" in text
    assert "split-fashion" in text
    assert json.loads(said("show", "split-fashion", "--json"))["lacks"] == ["fashion-mnist"]


def test_a_card_says_what_each_stage_costs_and_why_ends_are_close() -> None:
    found = json.loads(said("show", "split-mnist-domains", "--json"))
    costs = found["stage_cpu_s"]
    assert costs["smoke"] < costs["screen"] < costs["full"] < costs["sealed"]
    assert "chance is 0.5" in found["close"]
    assert "stage full" in said("show", "split-mnist-domains")
    assert found["used_by"] == "searches that name it"
    assert json.loads(said("show", "split-mnist", "--json"))["used_by"] == "every search"


def test_a_stream_probed_after_every_batch_is_shown_under_its_own_name() -> None:
    found = json.loads(said("show", "split-mnist+each-batch", "--json"))
    assert found["name"] == "split-mnist+each-batch"


def test_suites_are_listed_with_weights_cost_and_what_is_sealed() -> None:
    items = {item["name"]: item for item in json.loads(said("suites", "--json"))["items"]}
    assert {"continual", "drift", "plasticity", "few-shot", "general"} == set(items)
    assert 0 < items["drift"]["cpu_s"] < items["general"]["cpu_s"]
    assert "radial-motion" in items["drift"]["sealed"]
    text = said("suites")
    assert "moving-rules" in text and "sealed: " in text


def test_what_a_seed_of_a_family_draws_is_shown() -> None:
    found = json.loads(said("show", "classes-in-turn", "--seed", "1", "--json"))
    assert found["draws"]["source"] and found["floor"] < found["ceiling"]
    other = json.loads(said("show", "classes-in-turn", "--seed", "2", "--json"))
    assert other["draws"] != found["draws"]
    hidden = json.loads(said("show", "classes-in-turn", "--seed", "1", "--sealed", "--json"))
    assert hidden["draws"] != found["draws"]
    assert "tasks" in said("show", "classes-in-turn", "--seed", "1")
    assert json.loads(said("show", "split-mnist", "--seed", "1", "--json"))["draws"] == {}
