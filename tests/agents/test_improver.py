"""The default improver asks for an edit and reads whatever comes back."""

from __future__ import annotations

import ast
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.agents.answers import read_answer
from cambrian.agents.edits import Edit, EditError, apply
from cambrian.agents.improvers.default import MAX_SECTION, Improver
from cambrian.agents.improvers.probe import probe_answer, probe_evidence, probe_tree
from cambrian.agents.seeds import load_seed, seed_names


class ScriptedModel:
    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.heard: list[list[dict[str, str]]] = []

    def __call__(self, messages: list[dict[str, str]]) -> str:
        self.heard.append(messages)
        return self.answer


def test_the_probe_gives_an_edit_that_applies() -> None:
    given = Improver().improve(probe_evidence(), ScriptedModel(probe_answer()))
    edit = Edit.from_json(json.loads(json.dumps(given)))
    assert edit.title == "Raise the learning rate"
    assert (edit.predicted_gain, edit.confidence) == (0.05, 0.6)
    new = apply(probe_tree(), edit)
    assert "lr: float = 0.1\n" in new["learner.py"]
    assert new["NOTES.md"] == "The learning rate was doubled.\n"


def test_the_model_sees_all_the_evidence_and_the_format() -> None:
    model = ScriptedModel(probe_answer())
    Improver().improve(probe_evidence(), model)
    system, user = (message["content"] for message in model.heard[0])
    for needed in ("<<<<<<< SEARCH", "### FILE", "CONFIDENCE"):
        assert needed in system
    for needed in ("lr: float = 0.05", "0.41", "Halve the learning rate", "Rehearsal", "rules"):
        assert needed in user
    assert "did not apply" not in user


def test_an_edit_that_did_not_apply_is_shown_to_the_model() -> None:
    model = ScriptedModel(probe_answer())
    error = "block 1 in learner.py: got 0 matches"
    Improver().improve({**probe_evidence(), "error": error}, model)
    assert error in model.heard[0][1]["content"]


def test_long_evidence_is_cut() -> None:
    model = ScriptedModel(probe_answer())
    Improver().improve({**probe_evidence(), "failures": "x" * 10 * MAX_SECTION}, model)
    assert len(model.heard[0][1]["content"]) < 2 * MAX_SECTION


def read(changes: str) -> dict[str, Any]:
    return read_answer(f"TITLE: t\nHYPOTHESIS: h\n\n{changes}")


BLOCK = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"
READ = [{"path": "learner.py", "search": "a\n", "replace": "b\n"}]


@pytest.mark.parametrize(
    "changes",
    [
        f"### EDIT learner.py\n{BLOCK}",
        f"### EDIT: `learner.py`\n{BLOCK}",
        f"## EDIT ./learner.py\n\nSome talk.\n\n{BLOCK}",
        f"### EDIT **learner.py**\n```python\n{BLOCK}```\n",
        f"### EDIT learner.py\n{BLOCK}".replace("\n", "\r\n"),
        f"Sure! Here it is.\n### EDIT learner.py\n{BLOCK}\nThat should help.",
    ],
)
def test_blocks_are_read_tolerantly(changes: str) -> None:
    assert read(changes)["blocks"] == READ


def test_several_blocks_files_and_deletions() -> None:
    edit = read(
        f"### EDIT learner.py\n{BLOCK}{BLOCK}### DELETE parts/old.py\n"
        f"### FILE parts/new.py\n```python\nx = 1\n```\n### EDIT parts/x.py\n{BLOCK}"
    )
    assert edit["blocks"] == [*READ, *READ, {**READ[0], "path": "parts/x.py"}]
    assert edit["files"] == {"parts/old.py": None, "parts/new.py": "x = 1\n"}


def test_an_empty_replacement_removes_lines() -> None:
    edit = read("### EDIT learner.py\n<<<<<<< SEARCH\na\n=======\n>>>>>>> REPLACE\n")
    assert edit["blocks"] == [{"path": "learner.py", "search": "a\n", "replace": ""}]


def test_an_improver_can_be_rewritten_though_its_text_holds_the_format() -> None:
    text = load_seed("replay")["improver.py"]
    edit = read(f"### FILE improver.py\n````python\n{text}````\n")
    assert edit["files"] == {"improver.py": text} and edit["blocks"] == []


@pytest.mark.parametrize(
    ("line", "gain"),
    [("0.05", 0.05), ("+3 %", 0.03), ("about 0.1, maybe", 0.1), ("none", 0.0), ("99", 10.0)],
)
def test_numbers_are_read_tolerantly(line: str, gain: float) -> None:
    answer = f"**TITLE:** A\n**PREDICTED GAIN:** {line}\n**CONFIDENCE**: 70%\n"
    edit = read_answer(answer)
    assert edit["predicted_gain"] == pytest.approx(gain)
    assert edit["confidence"] == pytest.approx(0.7) and edit["title"] == "A"


def test_a_hypothesis_may_run_over_lines() -> None:
    edit = read_answer("TITLE: a\nHYPOTHESIS: one\ntwo\nCONFIDENCE: 1\n")
    assert edit["hypothesis"] == "one\ntwo"


@given(st.text(max_size=300))
def test_nonsense_gives_an_edit_error_and_no_crash(answer: str) -> None:
    given = Improver().improve(probe_evidence(), ScriptedModel(answer))
    try:
        apply(probe_tree(), Edit.from_json(given))
    except EditError:
        pass
    else:
        pytest.fail("random text made an edit")


@pytest.mark.parametrize("name", seed_names())
def test_every_seed_agent_has_an_improver_of_the_standard_library_only(name: str) -> None:
    module = ast.parse(load_seed(name)["improver.py"])
    for node in ast.walk(module):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        ours = {"cambrian.agents.answers"}
        assert {name.split(".")[0] for name in set(names) - ours} <= set(sys.stdlib_module_names)
