"""Edits in parts, from a real endpoint to the archive: what is asked, kept, counted and shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.evolution.models.model_run import run_model

from cambrian.agents.answers import read_answer
from cambrian.agents.edits import Edit, apply
from cambrian.agents.improvers.default import Improver
from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive
from cambrian.evolution.runtime.workers import Ask
from cambrian.reports.costs import changes_by_format
from cambrian.testing.endpoint import Reply, endpoint
from cambrian.testing.workers import InstantWorker

FIRST = """\
TITLE: A note in two places
HYPOTHESIS: why

### FILE NOTES.md
```
Seen.
```
### EDIT learner.py
<<<<<<< SEARCH
this line is nowhere
=======
this neither
>>>>>>> REPLACE
"""
SECOND = "### EDIT NOTES.md\n<<<<<<< SEARCH\nSeen.\n=======\nSeen twice.\n>>>>>>> REPLACE\n"


class Reading(InstantWorker):
    """Asks and reads as the default improver does, and judges at once."""

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        return read_answer(await ask(Improver().messages(dict(evidence))))


def test_a_repair_is_asked_for_only_what_is_missing_and_all_of_it_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scripted(request: dict[str, Any]) -> Reply:
        asked = request["messages"][1]["content"]
        return Reply.saying(SECOND if "1 of 2 changes" in asked else FIRST)

    with endpoint(scripted) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "a-secret")
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run_model(tmp_path / "a", 1, Reading)
    again = server.requests[1]["messages"][1]["content"]
    assert "1 of 2 changes were made" in again and "### FILE NOTES.md\n```\nSeen." in again
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        proposal = archive.proposals.at(0)
        assert proposal is not None and proposal.agent_id is not None
        files = archive.agents.files(proposal.agent_id)
        assert files["NOTES.md"] == "Seen twice.\n"
        parent = SourceTree(archive.agents.files(proposal.parents[0]))
        assert apply(parent, Edit.from_json(proposal.edit)) == SourceTree(files)
        asked = archive.questions.of(proposal.id)
        assert [one.messages for one in asked] == [r["messages"] for r in server.requests[:2]]
        assert archive.ledger.total(proposal_id=proposal.id).calls == 2
        found = {one["name"]: (one["made"], one["changes"]) for one in changes_by_format(archive)}
    assert found == {"mixed": (1, 2), "search/replace": (1, 1)}
