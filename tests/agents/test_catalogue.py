"""Every mechanism's card is complete and agrees with its code."""

from __future__ import annotations

import ast
import importlib
import inspect
from typing import Any

import pytest
from tests.agents.loading import composed, load_learner, make

from cambrian.agents.catalogue import (
    Mechanism,
    catalogue,
    hook_names,
    mechanism,
    outline,
    read_card,
)
from cambrian.agents.part import Part, PartsLearner
from cambrian.agents.recombine.knobs import knobs_of_card
from cambrian.agents.roles import FAMILIES, KINDS, ROLES, SKELETONS, exclusive
from cambrian.errors import InvalidAgent, NotFound

NAMES = sorted(catalogue())
HOOKS = hook_names()


@pytest.fixture(params=NAMES)
def found(request: pytest.FixtureRequest) -> Mechanism:
    return mechanism(request.param)


def class_of(found: Mechanism) -> Any:
    module = importlib.import_module(
        f"cambrian.agents.mechanisms.{found.card['family']}.{found.name}"
    )
    return getattr(module, found.cls)


def test_the_required_mechanisms_are_there() -> None:
    assert {
        "reservoir", "dark_replay", "ewc", "gpm", "hopfield", "class_mean", "self_rate",
    } <= set(NAMES)  # fmt: skip


def test_a_card_is_complete(found: Mechanism) -> None:
    card = found.card
    assert card["name"] == found.name
    assert isinstance(card["year"], int) and 1950 < card["year"] < 2030
    for key in ("title", "paper", "claim"):
        assert isinstance(card[key], str) and card[key], key
    assert isinstance(card["measured"], str)
    assert card["role"] in ROLES and card["family"] in FAMILIES
    assert set(card["kinds"]) <= set(KINDS) and card["kinds"]
    assert set(card["skeletons"]) <= set(SKELETONS) and card["skeletons"]
    networks = {name for name in NAMES if mechanism(name).role == "network"}
    assert card["networks"] == ["any"] or set(card["networks"]) <= networks
    assert card["tags"] and all(isinstance(tag, str) for tag in card["tags"])
    assert str(card["year"]) in card["paper"]


def test_needed_tags_exist(found: Mechanism) -> None:
    tags = {tag for name in NAMES for tag in mechanism(name).card["tags"]}
    assert set(found.card.get("needs", [])) <= tags


def test_class_and_hooks_are_read_off_the_code_as_python_sees_it(found: Mechanism) -> None:
    cls = class_of(found)
    assert found.card["class"] == cls.__name__ == found.cls
    assert found.card["hooks"] == [hook for hook in HOOKS if hasattr(cls, hook)]
    assert set(vars(cls)) & set(HOOKS) == set(found.card["hooks"])


def test_a_hook_has_the_arguments_and_types_of_the_protocol(found: Mechanism) -> None:
    for hook in found.card["hooks"]:
        wanted = inspect.signature(getattr(Part, hook))
        assert inspect.signature(getattr(class_of(found), hook)) == wanted, hook


def test_a_part_that_fits_some_kinds_only_says_so_to_its_learner(found: Mechanism) -> None:
    assert list(getattr(class_of(found), "kinds", KINDS)) == found.card["kinds"]


def test_every_hook_is_documented_and_typed() -> None:
    for hook in HOOKS:
        method = getattr(Part, hook)
        assert method.__doc__, hook
        assert all(
            parameter.annotation is not parameter.empty
            for name, parameter in inspect.signature(method).parameters.items()
            if name != "self"
        )


def test_the_hook_of_an_exclusive_role_is_in_parts_of_that_role_alone(found: Mechanism) -> None:
    owners = {
        "network": "network", "base_loss": "loss", "update": "update", "optimise": "optimiser",
        "averaged": "average", "combine": "ensemble", "adapt": "meta", "meta_step": "meta",
        "act": "control", "feedback": "control", "query": "acquisition", "suggest": "acquisition",
    }  # fmt: skip
    for hook, role in owners.items():
        assert exclusive(role)
        assert hook not in found.card["hooks"] or found.role == role


def test_the_skeleton_keeps_what_the_protocol_promises_to_parts() -> None:
    promised = {name for name in vars(PartsLearner) if not name.startswith("_")}
    promised |= set(PartsLearner.__annotations__)
    learner = make(composed())
    assert {name for name in promised if not hasattr(learner, name)} == set()
    for name in promised:
        if inspect.isfunction(wanted := getattr(PartsLearner, name, None)):
            assert inspect.signature(getattr(type(learner), name)) == inspect.signature(wanted)


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
    allowed = {"__future__", "typing", "math", "torch", "collections", "itertools"}
    for node in ast.walk(ast.parse(found.source)):
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            ours = node.module == "cambrian.agents.part"
            assert ours or str(node.module).split(".")[0] in allowed


def test_a_mechanism_is_adopted_by_one_file(found: Mechanism) -> None:
    tree = composed(found.name)
    assert tree[f"parts/{found.name}.py"] == found.source
    assert set(tree) - set(composed()) <= {f"parts/{found.name}.py"}
    assert f"parts.{found.name} import {found.cls}" in tree["learner.py"]
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


@pytest.mark.parametrize("code", ["x = 1\n", "class A:\n    pass\n\nclass B:\n    pass\n"])
def test_a_part_is_one_public_class(code: str) -> None:
    with pytest.raises(InvalidAgent, match="expected one public class"):
        outline(code)
