"""A model's variant that fails when it is tried: the model sees its own error, and mends it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.evolution.models.model_run import run_model
from tests.evolution.models.test_model_edits import Reading

from cambrian.archive import Archive
from cambrian.evolution.runtime.workers import Ask
from cambrian.measurement import Measurement, Unit
from cambrian.testing.endpoint import Reply, endpoint

FAILS = """\
TITLE: A step that fails
HYPOTHESIS: why

### EDIT learner.py
<<<<<<< SEARCH
from __future__ import annotations
=======
from __future__ import annotations

NEW = 1
>>>>>>> REPLACE

### FILE NOTES.md
```
raise
```
"""
MENDS = "### EDIT NOTES.md\n<<<<<<< SEARCH\nraise\n=======\nIt runs.\n>>>>>>> REPLACE\n"
SECRET = "/home/someone/secret-place/learner.py"


class Crashing(Reading):
    """Fails as a learner does, with a path of the host in its words."""

    tried: ClassVar[list[tuple[str, str]]] = []
    busy = False

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        assert not self.busy, "a request was not read to its end"
        return await super().improve(files, evidence, ask)

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        self.busy = True
        for unit in units:
            Crashing.tried.append((unit.stage, unit.benchmark))
        async for one in super().evaluate(agent_id, files, units, device):
            if one.verdict == "failed":
                words = f'ValueError: a bad shape\n  File "{SECRET}", line 7'
                one = Measurement.from_json({**one.to_json(), "reason": words})
            yield one
        self.busy = False


def run(home: Path, monkeypatch: pytest.MonkeyPatch, mends: str, proposals: int = 1) -> list[Any]:
    def scripted(request: dict[str, Any]) -> Reply:
        asked = request["messages"][1]["content"]
        return Reply.saying(mends if "tried for a moment" in asked else FAILS)

    Crashing.tried.clear()
    with endpoint(scripted) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "a-secret")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run_model(home, proposals, Crashing)
    return [request["messages"][1]["content"] for request in server.requests]


def test_a_variant_that_fails_is_mended_by_its_model_and_is_the_same_proposal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = run(tmp_path / "a", monkeypatch, MENDS)
    assert len(asked) == 2
    assert "ValueError: a bad shape" in asked[1] and "NEW = 1" in asked[1]
    assert "someone" not in asked[1] and "secret-place" not in asked[1]
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposal = archive.proposals.at(0)
        assert proposal is not None and proposal.state in ("admitted", "rejected")
        files = archive.agents.files(str(proposal.agent_id))
        assert files["NOTES.md"] == "It runs.\n" and "NEW = 1" in files["learner.py"]
        first, second = archive.trials.of(proposal.id)
        assert "a bad shape" in first.problem and not second.problem
        assert archive.ledger.total(proposal_id=proposal.id).calls == 2
        smoke = archive.evaluations.of(str(proposal.agent_id), "smoke")
        assert smoke and all(one.verdict == "scored" for one in smoke)
        used = archive.steering.meters(1)["evaluations"]
        recorded = archive.database.value("SELECT count(*) FROM evaluations")
        assert used == recorded
    stages = [stage for stage, _ in Crashing.tried]
    assert stages.count("smoke") == 1 + len(smoke)  # the trials were the smoke stage


def test_what_is_not_mended_fails_the_smoke_stage_after_two_questions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = "### EDIT NOTES.md\n<<<<<<< SEARCH\nraise\n=======\nraise again\n>>>>>>> REPLACE\n"
    assert len(run(tmp_path / "a", monkeypatch, again)) == 2
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposal = archive.proposals.at(0)
        assert proposal is not None and proposal.state == "failed_smoke"
        assert [bool(one.problem) for one in archive.trials.of(proposal.id)] == [True, True]


def test_an_answer_that_mends_nothing_leaves_the_variant_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(run(tmp_path / "a", monkeypatch, "I am sorry.")) == 2
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposal = archive.proposals.at(0)
        assert proposal is not None and proposal.state == "failed_smoke"
        assert archive.agents.files(str(proposal.agent_id))["NOTES.md"] == "raise\n"
        assert len(archive.trials.of(proposal.id)) == 1


def test_an_answer_that_was_cut_off_keeps_its_whole_changes_and_asks_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = FAILS.replace("raise", "Seen.")
    cut = whole + "### EDIT NOTES.md\n<<<<<<< SEARCH\nSeen.\n=======\nHalf of a ch"
    rest = "### EDIT NOTES.md\n<<<<<<< SEARCH\nSeen.\n=======\nSeen twice.\n>>>>>>> REPLACE\n"

    def scripted(request: dict[str, Any]) -> Reply:
        again = "cut off at its limit" in request["messages"][1]["content"]
        given = json.loads(Reply.saying(rest if again else cut).body)
        given["choices"][0]["finish_reason"] = "stop" if again else "length"
        return Reply.of(given)

    with endpoint(scripted) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "a-secret")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run_model(tmp_path / "a", 1, Reading)
    assert "2 of 4 changes were made" in server.requests[1]["messages"][1]["content"]
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposal = archive.proposals.at(0)
        assert proposal is not None and proposal.agent_id is not None
        files = archive.agents.files(proposal.agent_id)
    assert files["NOTES.md"] == "Seen twice.\n" and "NEW = 1" in files["learner.py"]
