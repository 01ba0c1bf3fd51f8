"""Answers of models in all the forms they come in: read whole, or refused with a reason.

`answers.jsonl` holds one answer a line with what is to come of it: files, blocks, title,
hypothesis, gain and confidence as they are read; or `refused`, a pattern of the reason.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.agents.answers import read_answer
from cambrian.agents.edits import Edit, EditError, apply
from cambrian.agents.improvers.probe import probe_answer, probe_tree
from cambrian.agents.matching import find_once
from cambrian.errors import InvalidAgent

ANSWERS = [
    json.loads(row)
    for row in Path(__file__).with_name("answers.jsonl").read_text("utf-8").splitlines()
]
TREE = probe_tree().replace(
    {
        "improver.py": "class Improver:\n    pass\n",
        "parts/a.py": "a = 1\n",
        "parts/b.py": "b = 1\n",
        "parts/old.py": "c = 1\n",
    }
)


def made(answer: str) -> Edit:
    """The edit that an answer amounts to, checked as the host does it."""
    return Edit.from_json(json.loads(json.dumps(read_answer(answer))))


@pytest.mark.parametrize("row", ANSWERS, ids=[row["name"] for row in ANSWERS])
def test_an_answer_is_read_whole_or_refused_with_the_reason(row: dict[str, Any]) -> None:
    if "refused" in row:
        with pytest.raises((EditError, InvalidAgent), match=row["refused"]):
            apply(TREE, made(row["answer"]))
        return
    edit = made(row["answer"])
    assert dict(edit.files) == row.get("files", {})
    assert [list(vars(block).values()) for block in edit.blocks] == row.get("blocks", [])
    found = {
        "title": edit.title,
        "hypothesis": edit.hypothesis,
        "gain": pytest.approx(edit.predicted_gain),
        "confidence": pytest.approx(edit.confidence),
    }
    assert {name: row[name] for name in found if name in row} == {
        name: value for name, value in found.items() if name in row
    }


def test_there_are_answers_of_many_kinds() -> None:
    assert len(ANSWERS) >= 200
    assert sum("refused" in row for row in ANSWERS) >= 50


PIECES = [
    *("### FILE parts/new.py\n", "### EDIT learner.py\n", "### DELETE parts/a.py\n", "TITLE: a\n"),
    *("```python\n", "```\n", "````\n", "~~~\n", "<<<<<<< SEARCH\n", "=======\n"),
    *(">>>>>>> REPLACE\n", "    lr: float = 0.05\n", "x = 1\n", "\n", "CONFIDENCE: 1e999\n"),
    *("{", "}", '"files"', "\ud83d", "\u202e", "\0", "\r", "PREDICTED GAIN: 5%\n", "&lt;"),
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40))
def test_any_answer_gives_an_agent_or_the_documented_refusal(pieces: list[str]) -> None:
    try:
        apply(TREE, made("".join(pieces)))
    except (EditError, InvalidAgent) as refusal:
        assert len(str(refusal)) < 5000
        str(refusal).encode()


@settings(deadline=None)
@given(st.data())
def test_an_answer_that_was_cut_off_never_makes_half_an_edit(data: st.DataObject) -> None:
    whole = made(probe_answer())
    cut = probe_answer()[: data.draw(st.integers(0, len(probe_answer())))]
    try:
        edit = made(cut)
    except EditError:
        return
    assert set(edit.blocks) <= set(whole.blocks) and edit.files.items() <= whole.files.items()


HOSTILE = [
    *("```a\n", "```\n", "`", "~", "~~~a\n", "<<<<<<< SEARCH\n", "=======\n", ">>>>>>> REPLACE\n"),
    *(
        "### FILE a.py\n",
        "### EDIT a.py\n",
        "### DELETE a.py\n",
        "### FILE ",
        "#",
        "# ",
        "_",
        "*",
        ":",
    ),
    *(":", "TITLE: a\n", "TITLE", "HYPOTHESIS: a\n", "PREDICTED GAIN: ", "9", " ", "\t", "\n"),
    *(
        "/",
        ".",
        "{",
        '{"files":',
        "[",
        "&lt;",
        "\u200b",
        "e",
        "-",
        ">",
        "<",
        "=",
        "a",
        "\U0001f600",
        "\r",
    ),
]


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize(
    "head", ["", "### FILE a.py\n", "### EDIT a.py\n```\n", "PREDICTED GAIN: "]
)
def test_reading_takes_no_longer_than_the_length_of_hostile_text(unit: str, head: str) -> None:
    began = time.process_time()
    read_answer(head + unit * ((256 << 10) // len(unit)) + "`")
    assert time.process_time() - began < 10.0


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("\n" * 131_072, "\n" * 65_536 + "x"),
        ("\n" * 131_072 + "x", " \n" * 65_000 + "y"),
        ("a" * 131_072, "a" * 65_536),
        ("a\n" * 65_536, "a\n" * 30_000),
        ("a \n" * 40_000, "a\n" * 20_000 + "b"),
        ("ab" * 65_000, "ba" * 60_000 + "c"),
        ("\n".join(["ab" * 30_000] * 2), "ba" * 30_000),
        ("\n".join("xyz" * 60 + str(n) for n in range(700)), "zyx" * 60),
    ],
    ids=range(8),
)
def test_finding_a_place_takes_no_longer_than_the_length_of_hostile_text(
    text: str, search: str
) -> None:
    began = time.process_time()
    with pytest.raises(EditError, match=r"got (0|more than 10) matches"):
        find_once(text, search, "block 1", EditError)
    assert time.process_time() - began < 5.0
