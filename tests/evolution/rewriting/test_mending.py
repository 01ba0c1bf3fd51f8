"""Edits that came in parts: what fits is kept, only the rest is asked for again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from cambrian.agents.answers import read_answer
from cambrian.agents.edits import apply
from cambrian.agents.tree import SourceTree
from cambrian.evolution.rewriting.mending import Attempt
from cambrian.evolution.rewriting.rewriting import NoVariant, Variant, by_model

CODE = """\
class Learner:
    def observe(self, x, y):
        self.rate = 0.1
        self.step(x, y)

    def predict(self, x):
        return x
"""
PARENT = SourceTree(
    {"learner.py": CODE, "parts/a.py": "a = 1\n", "parts/two.py": "b = 1\n\nb = 1\n"}
)
HEAD = "TITLE: First\nHYPOTHESIS: why\n\n### EDIT learner.py\n"


def block(search: str, replace: str) -> str:
    return f"<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


GOOD = block("        self.rate = 0.1", "        self.rate = 0.2")
WRONG = block("        self.step(x, y)\n        self.halt()", "        self.step(y, x)")
MENDED = block("        self.step(x, y)", "        self.step(y, x)")


class Model:
    """Answers one after the other; keeps the evidence that it was asked with."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.shown: list[Mapping[str, Any]] = []
        self.heard: list[tuple[int, Attempt]] = []

    async def __call__(self, evidence: Mapping[str, Any]) -> dict[str, Any]:
        self.shown.append(evidence)
        return read_answer(self.answers.pop(0))

    def ask(self, known: Any = lambda _: "") -> Variant:
        async def made() -> Variant:
            def tell(number: int, attempt: Attempt) -> None:
                self.heard.append((number, attempt))

            shown = {"code": dict(PARENT)}
            return await by_model(PARENT, shown, self, known=known, tell=tell)

        return anyio.run(made)


def test_good_blocks_are_kept_and_only_the_failed_one_is_asked_for_again() -> None:
    model = Model(HEAD + GOOD + WRONG, "### EDIT learner.py\n" + MENDED)
    made = model.ask()
    assert made.tree["learner.py"] == CODE.replace("0.1", "0.2").replace("x, y)\n\n", "y, x)\n\n")
    again = model.shown[1]
    assert "self.rate = 0.2" in again["code"]["learner.py"]
    assert again["error"].startswith("1 of 2 changes were made")
    assert "line 2 of the search text, '        self.halt()'" in again["error"]
    assert "line 5 of the file is ''" in again["error"]
    assert made.edit.title == "First" and apply(PARENT, made.edit) == made.tree
    assert [[one.made for one in attempt.changes] for _, attempt in model.heard] == [
        [True, False],
        [True],
    ]


def test_a_model_that_gives_the_whole_answer_again_is_understood() -> None:
    made = Model(HEAD + GOOD + WRONG, HEAD + GOOD + MENDED).ask()
    assert apply(PARENT, made.edit) == made.tree
    assert "self.rate = 0.2" in made.tree["learner.py"]
    assert "self.step(y, x)" in made.tree["learner.py"]


def test_what_was_cut_off_is_asked_for_again_and_never_half_of_it_made() -> None:
    cut = HEAD + GOOD + MENDED[:60]
    model = Model(cut, "### EDIT learner.py\n" + MENDED)
    made = model.ask()
    assert "without its REPLACE" in model.shown[1]["error"]
    assert "self.step(y, x)" in made.tree["learner.py"]
    with pytest.raises(NoVariant, match=r"invalid twice.*without its REPLACE"):
        Model(cut, cut).ask()


def test_a_block_that_fits_several_places_is_refused_with_their_lines() -> None:
    many = "### EDIT parts/two.py\n" + block("b = 1", "b = 2")
    model = Model(many, many)
    with pytest.raises(NoVariant, match="2 matches, at lines 1, 3"):
        model.ask()


def test_an_edit_that_does_not_parse_is_mended_on_top_of_what_it_made() -> None:
    broken = "### EDIT parts/a.py\n" + block("a = 1", "a = (1")
    made = Model(broken, "### EDIT parts/a.py\n" + block("a = (1", "a = (1)")).ask()
    assert made.tree["parts/a.py"] == "a = (1)\n" and apply(PARENT, made.edit) == made.tree


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import scipy", "import of 'scipy': expected the standard library, numpy, torch"),
        ("from parts.b import x", "expected a part of the agent, .*parts/a.py"),
        ("from parts import b", "expected a part of the agent"),
        ("from cambrian.archive import Archive", "expected one of .*cambrian.agents.part"),
        ("import cambrian.agents.answers", "expected one of"),
    ],
)
def test_an_import_that_no_sandbox_has_is_found_before_anything_is_run(
    line: str, said: str
) -> None:
    edit = "### EDIT parts/a.py\n" + block("a = 1", f"{line}\na = 1")
    with pytest.raises(NoVariant, match=said):
        Model(edit, edit).ask()


def test_imports_of_what_there_is_are_fine() -> None:
    lines = "import math\nimport torch.nn.functional as F\nfrom cambrian.agents.part import Part"
    edit = "### EDIT learner.py\n" + block("class Learner:", f"{lines}\n\n\nclass Learner:")
    assert "import math" in Model(edit).ask().tree["learner.py"]


def test_what_a_known_agent_does_is_asked_about_once_and_then_taken_as_it_is() -> None:
    model = Model(HEAD + GOOD, HEAD + MENDED)
    made = model.ask(lambda tree: "it does the same as #3" if "0.2" in tree["learner.py"] else "")
    assert "self.step(y, x)" in made.tree["learner.py"]
    assert model.shown[1]["error"] == "it does the same as #3"
    assert model.shown[1]["code"] == dict(PARENT)
    assert "0.2" in Model(HEAD + GOOD, HEAD + GOOD).ask(lambda _: "known").tree["learner.py"]
