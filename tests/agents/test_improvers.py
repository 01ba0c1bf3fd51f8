"""Every improver that seed agents can start with makes a valid edit, in few questions."""

from __future__ import annotations

import ast
import json
import sys
from typing import Any

import pytest

from cambrian.agents.answers import FORMAT
from cambrian.agents.answers.asking import MAX_SECTION
from cambrian.agents.edits import Edit, apply
from cambrian.agents.improvers import IMPROVERS, default, improver_in_turn, load_improver
from cambrian.agents.improvers.probe import probe_answer, probe_evidence, probe_tree
from cambrian.agents.seeds import load_seed, seed_names
from cambrian.errors import UsageError
from cambrian.evolution.models.broker import CALLS_PER_VARIANT

WORDS = {"diagnose": ["the rate is too small"], "plan": ["plan A; plan B", "take plan B"]}


class Model:
    """Answers one after the other, the last one again and again; keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.heard: list[str] = []

    def __call__(self, messages: list[dict[str, str]]) -> str:
        self.heard.append("\n".join(one["content"] for one in messages))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def improve(name: str, evidence: dict[str, Any], model: Model) -> Edit:
    space: dict[str, Any] = {"__name__": "improver"}
    exec(compile(load_improver(name), "improver.py", "exec"), space)
    return Edit.from_json(json.loads(json.dumps(space["Improver"]().improve(evidence, model))))


@pytest.mark.parametrize("name", IMPROVERS)
def test_an_improver_makes_an_edit_and_its_last_question_has_what_was_said_before(
    name: str,
) -> None:
    words = WORDS.get(name, [])
    model = Model(*words, probe_answer())
    edit = improve(name, probe_evidence(), model)
    assert "lr: float = 0.1" in apply(probe_tree(), edit)["learner.py"]
    assert len(model.heard) == 1 + len(words)
    assert all(word in model.heard[-1] for word in words)
    assert "<<<<<<< SEARCH" in model.heard[-1] and "lr: float = 0.05" in model.heard[-1]
    assert all("<<<<<<< SEARCH" not in text for text in model.heard[:-1])


@pytest.mark.parametrize("name", IMPROVERS)
def test_a_repair_takes_one_question_with_the_error_and_two_fit_into_what_a_variant_may_ask(
    name: str,
) -> None:
    model = Model(probe_answer())
    improve(name, {**probe_evidence(), "error": "ValueError: a bad shape"}, model)
    assert len(model.heard) == 1 and "ValueError: a bad shape" in model.heard[0]
    assert 1 + len(WORDS.get(name, [])) + 2 <= CALLS_PER_VARIANT


def test_the_crossover_is_shown_the_second_agent_and_the_others_are_not() -> None:
    other = {"title": "Another", "scores": {}, "code": {"learner.py": "ANOTHERS_CODE = 1"}}
    for name in IMPROVERS:
        model = Model(*WORDS.get(name, []), probe_answer())
        improve(name, {**probe_evidence(), "other": other}, model)
        assert any("ANOTHERS_CODE" in text for text in model.heard) == (name == "crossover")


@pytest.mark.parametrize("name", IMPROVERS)
def test_an_improver_needs_nothing_that_its_sandbox_does_not_have(name: str) -> None:
    for node in ast.walk(ast.parse(load_improver(name))):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert module == "cambrian.agents.answers" or module in sys.stdlib_module_names | {
                "collections.abc"
            }


def test_seed_agents_start_with_the_improver_that_is_named_or_each_with_another() -> None:
    assert load_seed("replay", "plan")["improver.py"] == load_improver("plan")
    names = [improver_in_turn("all", place) for place in range(len(seed_names()))]
    assert sorted(names) == sorted(IMPROVERS)
    assert improver_in_turn("diagnose", 3) == "diagnose"
    with pytest.raises(UsageError, match="expected an improver of one-shot"):
        load_improver("clever")


def test_the_format_that_is_asked_for_is_the_same_everywhere() -> None:
    assert default.FORMAT == FORMAT and default.MAX_SECTION == MAX_SECTION
