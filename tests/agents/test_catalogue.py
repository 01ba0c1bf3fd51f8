"""Every mechanism's card is complete and agrees with its code."""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import Any

import pytest
from tests.agents.loading import composed, load_learner

from cambrian.agents.catalogue import Mechanism, catalogue, mechanism, read_card
from cambrian.agents.recombine.knobs import knobs_of_card
from cambrian.errors import InvalidAgent, NotFound

NAMES = sorted(catalogue())
HOOKS = [
    "build", "targets", "weigh", "arrive", "mix", "scores", "loss", "gradients", "after_step",
    "after_batch", "boundary", "averaged", "vote", "combine", "answers",
]  # fmt: skip


@pytest.fixture(params=NAMES)
def found(request: pytest.FixtureRequest) -> Mechanism:
    return mechanism(request.param)


def class_of(found: Mechanism) -> Any:
    module = importlib.import_module(f"cambrian.agents.mechanisms.{found.name}")
    return getattr(module, found.cls)


def test_the_required_mechanisms_are_there() -> None:
    assert {
        "reservoir", "dark_replay", "ewc", "gpm", "hopfield", "class_mean", "self_rate",
    } <= set(NAMES)  # fmt: skip


def test_a_card_is_complete(found: Mechanism) -> None:
    card = found.card
    assert card["name"] == found.name
    assert isinstance(card["year"], int) and 1950 < card["year"] < 2030
    for key in ("class", "title", "paper", "claim", "measured"):
        assert isinstance(card[key], str) and card[key], key
    assert set(card["conflicts"]) <= set(NAMES) - {found.name}
    assert card["tags"] and all(isinstance(tag, str) for tag in card["tags"])
    assert str(card["year"]) in card["paper"]


def test_conflicts_are_mutual(found: Mechanism) -> None:
    for other in found.card["conflicts"]:
        assert found.name in mechanism(other).card["conflicts"]


def test_needed_tags_exist(found: Mechanism) -> None:
    tags = {tag for name in NAMES for tag in mechanism(name).card["tags"]}
    assert set(found.card.get("needs", [])) <= tags


def test_the_hooks_of_a_card_are_those_of_the_class(found: Mechanism) -> None:
    cls = class_of(found)
    assert found.card["hooks"] == [hook for hook in HOOKS if hasattr(cls, hook)]


def test_the_learner_documents_every_hook() -> None:
    document = ast.get_docstring(ast.parse(composed()["learner.py"])) or ""
    assert [hook for hook in HOOKS if f"{hook}(" not in document] == []


def test_knobs_are_the_constructor_arguments_with_their_defaults(found: Mechanism) -> None:
    arguments = inspect.signature(class_of(found)).parameters
    knobs = found.card["knobs"]
    assert list(arguments) == list(knobs)
    for name, argument in arguments.items():
        assert argument.default == knobs[name]["default"], name
        assert type(argument.default) is type(knobs[name]["default"]), name


def test_every_knob_can_be_tuned_within_a_range_that_holds_its_default(found: Mechanism) -> None:
    read = knobs_of_card(found.card)
    assert list(read) == list(found.card["knobs"])
    for knob in read.values():
        if knob.choices:
            assert knob.default in knob.choices
        else:
            assert isinstance(knob.default, int | float)
            assert knob.low <= knob.default <= knob.high
            assert isinstance(knob.default, int) == knob.integer


def test_a_mechanism_needs_nothing_but_torch_and_the_standard_library(found: Mechanism) -> None:
    allowed = {"__future__", "typing", "math", "torch", "collections"}
    for node in ast.walk(ast.parse(found.source)):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            assert str(node.module).split(".")[0] in allowed


def test_a_mechanism_is_adopted_by_one_file(found: Mechanism) -> None:
    tree = composed(found.name)
    assert tree[f"parts/{found.name}.py"] == found.source
    assert sorted(tree) == ["improver.py", "learner.py", f"parts/{found.name}.py"]
    assert load_learner(tree).__name__ == "Learner"


def test_an_unknown_mechanism_names_the_known_ones() -> None:
    with pytest.raises(NotFound, match=r"adam, .*got 'nothing'"):
        mechanism("nothing")


@pytest.mark.parametrize(
    "source",
    ["x = 1\n", "CARD = make()\n", "CARD = [1]\n", "if True:\n    CARD = {}\n", "CARD: int = 3\n"],
)
def test_what_is_no_literal_card_is_no_card(source: str) -> None:
    assert read_card(source) is None


def test_a_card_in_code_that_does_not_parse_is_an_error() -> None:
    with pytest.raises(InvalidAgent, match=r"x\.py:1"):
        read_card("def", "x.py")
