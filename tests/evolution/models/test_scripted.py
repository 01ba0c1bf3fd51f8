"""A scripted researcher over a real endpoint: good ideas, mistakes, and a better improver."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.models.model_run import run_model

from cambrian.agents.answers import read_answer
from cambrian.agents.edits import Edit, apply
from cambrian.agents.imports import check_imports
from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.evolution.runtime.workers import Ask
from cambrian.evolution.selection.improver_credit import ImproverCredit
from cambrian.measurement import Measurement, Unit
from cambrian.reports.agent.decisions import decision_on
from cambrian.reports.agent.improver import improver_change
from cambrian.testing.endpoint import endpoint
from cambrian.testing.rewrites import BETTER_IMPROVER, CAREFUL, IDEAS, Researcher, text_of
from cambrian.testing.workers import InstantWorker, judged

LEVELS = {"good": 0.6, "mediocre": 0.4, "bad": 0.2}
CANARY = "CANARY-9c1d"


def own(files: Mapping[str, str]) -> Any:
    """The module that an agent's improver is."""
    space: dict[str, Any] = {"__name__": "improver"}
    exec(compile(files["improver.py"], "improver.py", "exec"), space)
    return space["Improver"]()


class Executing(InstantWorker):
    """Runs each agent's own improver, and judges learners at once by the idea they are."""

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        edit: dict[str, Any] = read_answer(await ask(own(files).messages(dict(evidence))))
        return edit

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        learner = files["learner.py"]
        kinds = [idea.quality for idea in IDEAS if learner.startswith(idea.code[:40])]
        level = LEVELS[kinds[0]] if kinds else 0.3
        for unit in units:
            if "self.spec.outputs + 1" in learner:
                words = f'RuntimeError: shapes\n  File "/{CANARY}/x/learner.py", line 3'
                yield Measurement.on(unit, "failed", "1", cause="exception", reason=words)
                return
            yield judged(files, unit, level, learner)


def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, researcher: Researcher, **changes: Any
) -> list[str]:
    """Every question that a run asked."""
    with endpoint(researcher) as server:
        monkeypatch.setenv("OPENAI_API_KEY", f"sk-{CANARY}")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run_model(home, changes.pop("proposals"), Executing, **changes)
    return [json.dumps(request["messages"]) for request in server.requests]


@pytest.mark.parametrize("name", [idea.name for idea in IDEAS])
def test_an_idea_is_an_agent_that_a_sandbox_can_run(name: str) -> None:
    [idea] = [one for one in IDEAS if one.name == name]
    parent = load_seed("composed")
    tree = apply(parent, Edit.from_json(read_answer(idea.answer())))
    check_imports(tree, parent)
    assert tree["learner.py"] == idea.code


def test_the_better_improver_is_an_edit_of_the_default_one() -> None:
    tree = apply(load_seed("replay"), Edit.from_json(read_answer(BETTER_IMPROVER)))
    assert (
        CAREFUL in tree["improver.py"] and CAREFUL in own(tree).messages({"code": {}})[0]["content"]
    )


def test_a_careful_question_is_answered_with_the_best_idea_that_is_left() -> None:
    researcher = Researcher(3, mistakes=False, rewrites_improver=None)
    asked = {"messages": [{"role": "user", "content": CAREFUL}]}
    titles = [read_answer(text_of(researcher(asked)))["title"] for _ in IDEAS]
    assert titles == [idea.title for idea in IDEAS]
    plain = Researcher(3, mistakes=False, rewrites_improver=None)
    asked = {"messages": [{"role": "user", "content": "rules"}]}
    others = [read_answer(text_of(plain(asked)))["title"] for _ in IDEAS]
    assert sorted(others) == sorted(titles) and others != titles


def test_a_rewritten_improver_is_inherited_and_asks_for_the_grandchild(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    researcher = Researcher(1, mistakes=False)
    asked = run(
        tmp_path / "a", monkeypatch, researcher, proposals=16, selection="metaproductive", workers=1
    )
    assert researcher.kinds.count("improver") >= 1
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposals = archive.proposals.select()
        tried = [one for one in proposals if one.title == "Ask for one whole method"]
        rewritten = next(one for one in tried if one.state == "admitted")
        change = improver_change(archive, decision_on(archive, proposal=rewritten.idx))
        assert change is not None and f"+{CAREFUL}" in change.diff
        grandchildren = [one for one in proposals if one.parents[0] == rewritten.agent_id]
        assert grandchildren
        for one in grandchildren:
            [question, *_] = archive.questions.of(one.id)
            assert CAREFUL in question.messages[0]["content"]
        made = [one for one in grandchildren if one.state == "admitted"]
        assert any(
            CAREFUL in archive.agents.files(str(one.agent_id))["improver.py"] for one in made
        )
        credit = ImproverCredit(archive)
        credit.see(len(proposals))
        name = credit.name(str(rewritten.agent_id))
        assert credit.above[name] == credit.name(rewritten.parents[0])
        assert set(credit.made[name]) >= {one.idx for one in grandchildren}
    assert all(CANARY not in one for one in asked)


def test_every_mistake_of_a_model_is_got_over_and_nothing_planted_is_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key, and a path of the host in a learner's words, planted; every prompt, row and file of a
    run read."""
    researcher = Researcher(4)
    home = tmp_path / "a"
    asked = run(home, monkeypatch, researcher, proposals=16)
    assert {"slip", "mended", "again", "prose", "nowhere", "cut"} <= set(researcher.kinds)
    with Archive.open(home, read_only=True) as archive:
        proposals = archive.proposals.select()
        assert not [one for one in proposals if one.state in ("invalid", "failed_smoke")]
        mended = [one for one in proposals if len(archive.trials.of(one.id)) == 2]
        assert len(mended) == researcher.kinds.count("mended") > 0
        rows = [
            str(vars(question)) for one in proposals for question in archive.questions.of(one.id)
        ]
        rows += [str(archive.trials.of(one.id)) for one in proposals]
    for text in (*asked, *rows):
        assert CANARY not in text
    for path in home.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
