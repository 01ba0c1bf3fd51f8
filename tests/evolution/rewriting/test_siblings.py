"""Siblings with and without a part tell what it is worth, whatever else both have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.evolution.selection.grove import Grove

from cambrian.archive import Archive, Gate
from cambrian.evolution.rewriting.deltas import Ledger
from cambrian.evolution.siblings import changes_of, only_in


def graft(name: str, **more: object) -> dict[str, object]:
    return {"kind": "graft", "mechanism": name, "of": "x", "made": name, **more}


REMOVE = {"kind": "remove", "mechanism": "ewc", "of": "x", "made": "y"}
KNOB = {"kind": "knob", "mechanism": "adam", "value": 3}


def chain(*steps: Mapping[str, object]) -> str:
    return json.dumps(steps[0] if len(steps) == 1 else {"chain": steps, "of": 0, "made": 1})


@pytest.mark.parametrize(
    ("one", "other", "part"),
    [
        (chain(graft("adam"), KNOB), chain(KNOB), "adam"),
        (chain(KNOB), chain(graft("adam"), KNOB), ""),
        (chain(KNOB), chain(KNOB, REMOVE), "ewc"),
        (chain(graft("adam"), KNOB), chain(graft("sgd"), KNOB), ""),
        (chain(graft("adam", removed=["sgd"]), KNOB), chain(KNOB), ""),
        (chain(graft("adam"), KNOB, REMOVE), chain(KNOB), ""),
        (chain(KNOB), chain(KNOB), ""),
    ],
)
def test_siblings_differ_in_a_part_if_one_operation_more_put_it_in(
    one: str, other: str, part: str
) -> None:
    assert only_in(changes_of(one, {}), changes_of(other, {})) == part


LEARNER = "class Learner:\n    parts = [\n        Reservoir(),\n        Sgd(),\n    ]\n"


def test_siblings_that_a_model_wrote_are_held_against_each_other_by_their_code() -> None:
    both = {
        "learner.py": f"from parts.reservoir import Reservoir\n{LEARNER}",
        "parts/reservoir.py": "class Reservoir:\n    pass\n",
        "parts/sgd.py": "class Sgd:\n    pass\n",
    }
    less = {"learner.py": LEARNER.replace("        Reservoir(),\n", "")} | {
        "parts/sgd.py": both["parts/sgd.py"]
    }
    given, taken = changes_of(None, both), changes_of(None, less)
    assert only_in(given, taken) == "reservoir" and only_in(taken, given) == ""
    for path, text in (("learner.py", "x = 1\n"), ("parts/sgd.py", "y = 1\n")):
        other = changes_of(None, less | {path: less[path] + text})
        assert only_in(given, other) == ""


def test_the_ledger_tells_what_a_part_is_worth_from_siblings(tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "a")
    grove = Grove(archive)
    grove.seed(0.5)
    for operation, gain in ((chain(KNOB), 0.01), (chain(graft("adam"), KNOB), 0.05)):
        agent_id, files = grove.code()
        idx = archive.counts()["proposals"]
        opened = archive.proposals.open(grove.run.id, idx, idx - 1, grove.ids[:1], "recombine")
        archive.proposals.record_variant(
            opened.id,
            agent_id,
            files,
            title="t",
            hypothesis="h",
            operation=json.loads(operation),
            stage="smoke",
        )
        gate = Gate(gate="screen", rule="r", verdict="pass", value=gain)
        archive.proposals.record(opened.id, None, "because", [gate], score=0.5)
        grove.ids.append(agent_id)
    found = Ledger(archive, 1).contributions({"parts/adam.py": ""})
    assert found == {"adam": {"worth": pytest.approx(0.04), "pairs": 1}}
    assert Ledger(archive, 0).contributions({"parts/adam.py": ""}) == {}
