"""Edits: exact where they apply, helpful where they do not, and unharmed by hostile input."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.agents.edits import Block, Edit, EditError, apply
from cambrian.agents.seeds import load_seed
from cambrian.agents.tree import SourceTree
from cambrian.errors import InvalidAgent, UsageError

CODE = """\
class Learner:
    def observe(self, x, y):
        self.rate = 0.1
        self.step(x, y)

    def predict(self, x):
        self.rate = 0.1
        return x
"""
TREE = SourceTree({"learner.py": CODE, "parts/a.py": "x = 1\n"})


def block(search: str, replace: str, path: str = "learner.py") -> Edit:
    return Edit("title", "hypothesis", blocks=(Block(path, search, replace),))


def valid(**changed: Any) -> dict[str, Any]:
    return {
        "title": "A title",
        "hypothesis": "A hypothesis",
        "predicted_gain": 0.1,
        "confidence": 0.5,
        "files": {"NOTES.md": "text"},
        "blocks": [],
        **changed,
    }


def test_a_block_that_matches_once_is_replaced() -> None:
    new = apply(TREE, block("        self.step(x, y)\n", "        self.step(y, x)\n"))
    assert new["learner.py"] == CODE.replace("self.step(x, y)", "self.step(y, x)")


def test_trailing_white_space_does_not_matter() -> None:
    search = "        self.rate = 0.1   \n        self.step(x, y)\t\n"
    new = apply(TREE, block(search, "        pass\n"))
    assert "    def observe(self, x, y):\n        pass\n\n    def predict" in new["learner.py"]
    assert apply(TREE, block("x = 1  ", "x = 2", "parts/a.py"))["parts/a.py"] == "x = 2\n"


def test_an_ambiguous_block_says_where_it_matches() -> None:
    with pytest.raises(EditError, match=r"block 1 in learner\.py: .* 2 matches, at lines 3, 7"):
        apply(TREE, block("self.rate = 0.1", "self.rate = 0.2"))


def test_a_missing_block_shows_the_nearest_lines() -> None:
    with pytest.raises(EditError) as caught:
        apply(TREE, block("        self.stop(x, y)\n", ""))
    assert "got 0 matches" in str(caught.value)
    assert "self.step(x, y)" in str(caught.value)


def test_a_block_without_text_is_refused() -> None:
    with pytest.raises(EditError, match="nothing but white space"):
        apply(TREE, block(" \n", "x"))


def test_a_block_in_an_unknown_file_names_the_known_ones() -> None:
    with pytest.raises(EditError, match=r"learner\.py.*parts/a\.py.*got 'parts/b\.py'"):
        apply(TREE, block("x", "y", "parts/b.py"))


def test_files_come_first_and_blocks_see_the_result() -> None:
    edit = Edit(
        "t",
        "h",
        files={"parts/b.py": "z = 1\n", "parts/a.py": None},
        blocks=(Block("parts/b.py", "z = 1", "z = 2"), Block("parts/b.py", "z = 2", "z = 3")),
    )
    new = apply(TREE, edit)
    assert sorted(new) == ["learner.py", "parts/b.py"] and new["parts/b.py"] == "z = 3\n"


def test_an_edit_that_changes_nothing_is_refused() -> None:
    with pytest.raises(EditError, match="changes nothing"):
        apply(TREE, Edit("t", "h", files={"parts/a.py": "x = 1\n"}))


def test_removing_a_missing_file_is_refused() -> None:
    with pytest.raises(EditError, match=r"'parts/b\.py': to be removed"):
        apply(TREE, Edit("t", "h", files={"parts/b.py": None}))


def test_the_result_must_be_an_agent() -> None:
    with pytest.raises(InvalidAgent, match="top-level class Learner"):
        apply(TREE, Edit("t", "h", files={"learner.py": "x = 1\n"}))
    with pytest.raises(InvalidAgent, match=r"parts/\.\./x\.py"):
        apply(TREE, Edit("t", "h", files={"parts/../x.py": "x = 1\n"}))


def test_the_improver_may_be_edited_like_the_rest() -> None:
    seed = load_seed("replay")
    new = apply(seed, block("MAX_SECTION = 24_000", "MAX_SECTION = 9_000", "improver.py"))
    assert "MAX_SECTION = 9_000" in new["improver.py"]


def test_an_edit_survives_json() -> None:
    edit = Edit.from_json(
        valid(blocks=[{"path": "learner.py", "search": "a", "replace": "b"}], files={"x.py": None})
    )
    assert Edit.from_json(json.loads(json.dumps(edit.to_json()))) == edit


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"title": 7}, "title: expected text; got int"),
        ({"title": ""}, "title: expected 1 to 120 characters; got 0"),
        ({"title": "\x1b\x00"}, "title: expected 1 to 120"),
        ({"title": "t" * 121}, "title: expected 1 to 120 characters; got 121"),
        ({"title": "t" * 10**6}, "title: expected at most 120"),
        ({"hypothesis": "h" * 2001}, "hypothesis: expected 1 to 2000"),
        ({"hypothesis": None}, "hypothesis: expected text"),
        ({"predicted_gain": math.nan}, "predicted_gain: expected a finite number"),
        ({"predicted_gain": math.inf}, "predicted_gain: expected a finite number"),
        ({"predicted_gain": 10**400}, "predicted_gain: expected a number in"),
        ({"predicted_gain": "1"}, "predicted_gain: expected a number; got str"),
        ({"confidence": 1.5}, "confidence: expected a number in"),
        ({"confidence": True}, "confidence: expected a number; got bool"),
        ({"files": []}, "files: expected an object"),
        ({"files": {"a": 1}}, "expected text; got int"),
        ({"files": {"a" * 121: "x"}}, "path of at most 120"),
        ({"files": {"a": "x" * 200_000}}, "expected at most 131072"),
        ({"files": {str(n): "" for n in range(65)}}, "at most 64"),
        ({"files": {f"parts/{n}": "x" * 100_000 for n in range(3)}}, "at most 262144"),
        ({"files": {}}, "changed files or blocks; got neither"),
        ({"blocks": "x"}, "blocks: expected a list"),
        ({"blocks": [1]}, "block 1: expected an object"),
        ({"blocks": [{"path": "a", "search": "b"}]}, "block 1: expected an object"),
        ({"blocks": [{"path": 1, "search": "b", "replace": "c"}]}, "expected a path"),
        ({"blocks": [{"path": "a", "search": "b", "replace": "c"}] * 201}, "at most 200"),
        ({"surprise": 1}, "got also"),
    ],
)
def test_hostile_json_is_refused_with_the_reason(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(EditError, match=reason) as caught:
        Edit.from_json(valid(**change))
    assert isinstance(caught.value, UsageError) and len(str(caught.value)) < 1000


@pytest.mark.parametrize("given", [None, [], "edit", 3])
def test_what_is_no_object_is_refused(given: object) -> None:
    with pytest.raises(EditError, match="expected an object"):
        Edit.from_json(given)


def test_control_characters_do_not_reach_a_terminal() -> None:
    edit = Edit.from_json(valid(title="a\x1b[31m\nb\u202ec\u200b", hypothesis="one\r\ntwo\x07\tx"))
    assert edit.title == "a[31m bc"
    assert edit.hypothesis == "one\ntwo x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=12,
)


@given(JSON, JSON, JSON)
def test_any_json_gives_an_edit_or_an_edit_error(title: object, files: object, blocks: Any) -> None:
    try:
        edit = Edit.from_json(valid(title=title, files=files, blocks=blocks))
    except EditError:
        return
    assert 1 <= len(edit.title) <= 120 and edit.title.isprintable()


@given(st.text(alphabet="abc \n", max_size=40), st.text(alphabet="abc \n", max_size=10))
def test_a_replacement_changes_only_its_place(text: str, search: str) -> None:
    tree = SourceTree({"learner.py": CODE, "NOTES.md": text})
    places = re.findall(f"(?={re.escape(search)})", text)  # overlapping ones too
    if len(places) != 1 or not search.strip():
        return
    new = apply(tree, block(search, "REPLACED", "NOTES.md"))
    assert new["NOTES.md"] == text.replace(search, "REPLACED")
