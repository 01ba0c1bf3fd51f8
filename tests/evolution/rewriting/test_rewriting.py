"""Edits from a model: one more try with the error, and a reason where there is no variant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.evolution.models.refusals import BudgetSpent, TooLong
from cambrian.evolution.rewriting.rewriting import NoVariant, by_model, by_recombination
from cambrian.evolution.runtime.workers import AskRefused, ImproverFailed

PARENT = load_seed("finetune")
GOOD = {"title": "A note", "hypothesis": "why", "files": {"NOTES.md": "seen"}}
MISSING = {
    "title": "Miss",
    "hypothesis": "why",
    "blocks": [{"path": "learner.py", "search": "no such line", "replace": "x"}],
}


class Improver:
    """Gives one answer after the other, and keeps the evidence it was shown."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.shown: list[Mapping[str, Any]] = []

    async def __call__(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        self.shown.append(evidence)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def test_an_edit_that_applies_makes_a_variant() -> None:
    improver = Improver(GOOD)
    made = anyio.run(by_model, PARENT, {"code": {}}, improver)
    assert made.tree["NOTES.md"] == "seen"
    assert not made.crosses
    assert "error" not in improver.shown[0]


def test_an_edit_that_does_not_apply_is_tried_once_more_with_the_error() -> None:
    improver = Improver(MISSING, GOOD)
    made = anyio.run(by_model, PARENT, {"code": {}}, improver)
    assert made.edit.title == "A note"
    assert "learner.py" in improver.shown[1]["error"]


def test_a_model_with_a_short_context_is_shown_less() -> None:
    improver = Improver(TooLong("4096"), TooLong("4096"), MISSING, GOOD)

    async def asked(evidence: Mapping[str, Any]) -> dict[str, Any]:
        return await improver(evidence)

    given = ("cards", "history", "failures", "scores", "benchmarks", "rules")
    evidence = {"code": dict(PARENT), **dict.fromkeys(given, "x")}
    made = anyio.run(by_model, PARENT, evidence, asked)
    assert made.edit.title == "A note"
    assert [len(shown) for shown in improver.shown] == [7, 5, 2, 3]
    assert "improver.py" in improver.shown[1]["code"]
    assert "improver.py" not in improver.shown[2]["code"]
    assert "learner.py" in improver.shown[3]["error"]
    with pytest.raises(NoVariant, match="longer context"):
        anyio.run(by_model, PARENT, evidence, Improver(*[TooLong("a longer context")] * 3))


def test_what_a_second_question_could_not_be_paid_for_says_what_the_first_one_brought() -> None:
    with pytest.raises(NoVariant, match=r"is spent; the edit before that was invalid: .*learner"):
        anyio.run(by_model, PARENT, {"code": {}}, Improver(MISSING, BudgetSpent("x is spent")))


def test_an_improver_may_say_what_is_wrong_with_an_answer() -> None:
    improver = Improver({"problem": "FILE learner.py: its fence is never closed"}, GOOD)
    anyio.run(by_model, PARENT, {"code": {}}, improver)
    assert improver.shown[1]["error"] == "the answer: FILE learner.py: its fence is never closed"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (MISSING, "learner.py"),
        ({"title": "Nothing", "hypothesis": "", "files": {}, "blocks": []}, ""),
        ({**GOOD, "files": {"learner.py": "def f(:\n"}}, "learner.py"),
        ({**GOOD, "files": {"../escape.py": "x = 1"}}, "escape"),
        ({**GOOD, "files": {"learner.py": "x = 1\n"}}, "Learner"),
        ({"files": 7}, ""),
    ],
    ids=["missing", "empty", "syntax", "path", "no learner", "nonsense"],
)
def test_an_edit_that_is_invalid_twice_makes_no_variant(edit: Any, said: str) -> None:
    improver = Improver(edit, edit)
    with pytest.raises(NoVariant, match="invalid twice") as reason:
        anyio.run(by_model, PARENT, {}, improver)
    assert said in str(reason.value)
    assert len(improver.shown) == 2


def test_an_edit_of_comments_alone_is_asked_about_once_and_then_taken_as_it_is() -> None:
    idle = {**GOOD, "files": {"learner.py": "# a comment\n" + PARENT["learner.py"]}}
    improver = Improver(idle, idle)
    made = anyio.run(by_model, PARENT, {}, improver)
    assert made.tree.fingerprint == PARENT.fingerprint
    assert "comments" in improver.shown[1]["error"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImproverFailed("exception: KeyError"), "the improver failed: exception: KeyError"),
        (AskRefused("the endpoint said 401"), "the endpoint said 401"),
    ],
)
def test_an_improver_that_fails_or_is_refused_is_the_reason(error: Exception, said: str) -> None:
    with pytest.raises(NoVariant, match=said):
        anyio.run(by_model, PARENT, {}, Improver(error))


def test_recombinations_can_be_chained_and_repeat_exactly() -> None:
    async def chain() -> Any:
        return await by_recombination([load_seed("composed")], "7", steps=3)

    one, other = anyio.run(chain), anyio.run(chain)
    assert one.tree.identity == other.tree.identity
    assert len(one.operation["chain"]) == 3
