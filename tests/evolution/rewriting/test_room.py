"""Evidence within a budget, and nothing in it that is no improver's business."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.evolution.models.model_run import run_model

from cambrian.agents.improvers.default import Improver
from cambrian.agents.improvers.probe import probe_evidence
from cambrian.archive import Archive
from cambrian.evolution.rewriting.deltas import Ledger
from cambrian.evolution.rewriting.evidence import cards, evidence
from cambrian.evolution.rewriting.learning import clean, compact
from cambrian.evolution.rewriting.room import fit, tokens_of
from cambrian.evolution.runtime.workers import Ask
from cambrian.evolution.settings import EVIDENCE_TOKENS, Settings
from cambrian.testing.endpoint import Reply, endpoint
from cambrian.testing.instant_run import BENCHMARKS, grow
from cambrian.testing.workers import InstantWorker

ONE = ("split-mnist",)


def total(found: dict[str, Any]) -> int:
    return sum(tokens_of(value) for name, value in found.items() if name != "cut")


def test_what_fits_is_left_as_it_is() -> None:
    given = probe_evidence()
    assert fit(given) == given | {"cut": []}


@pytest.mark.parametrize("tokens", [20_000, 8_000, 3_000, 1_500])
def test_evidence_is_cut_to_its_budget_by_value_and_says_what_went(tokens: int) -> None:
    given = probe_evidence()
    given["code"] = {"learner.py": "x" * 3_000, "improver.py": "y" * 3_000}
    given["elsewhere"] = given["history"] = [{"what": f"try {n}" * 40} for n in range(60)]
    found = fit(given, tokens)
    assert total(found) <= tokens
    assert found["code"]["learner.py"] == given["code"]["learner.py"]
    assert found["rules"] == given["rules"]
    told = {one["section"] for one in found["cut"]}
    assert told == {name for name in given if len(found[name]) < len(given[name])} - {"cut"}
    assert found["history"] == given["history"][: len(found["history"])]
    assert len(found["history"]) >= len(found["elsewhere"])


def test_the_ledger_has_gains_with_intervals_as_decided_and_what_parts_are_worth(
    tmp_path: Path,
) -> None:
    grow(tmp_path / "a", Settings(seed=3, proposals=30, benchmarks=ONE, sandbox="none"))
    with Archive.open(tmp_path / "a", read_only=True) as archive:
        last = archive.counts()["proposals"] - 1
        ledger = Ledger(archive, last)
        proposals = archive.proposals.select()
        parents = sorted({one.parents[0] for one in proposals})
        tried = ledger.of(parents, 100)
        for line in tried:
            assert line["lower"] is None or line["lower"] <= line["gain"] <= line["upper"]
        assert any(line["lower"] is not None for line in tried)
        assert not ledger.elsewhere(parents, 100)
        moved = [abs(line["gain"]) for line in ledger.elsewhere(parents[:1], 100)]
        assert moved == sorted(moved, reverse=True) and moved
        early = Ledger(archive, 4).of(parents, 100)
        assert 0 < len(early) <= 5 < len(tried)
        [graft] = [
            (one.operation["mechanism"], archive.gates(proposal_id=one.id)[0].value)
            for one in proposals
            if one.operation
            and one.operation.get("kind") == "graft"
            and not one.operation.get("removed")
            and one.state in ("admitted", "rejected")
        ][:1]
        found = ledger.contributions({f"parts/{graft[0]}.py": ""})
        assert set(found) <= {graft[0]} and all(one["pairs"] >= 1 for one in found.values())


def test_the_least_tried_cards_are_shown_beside_those_that_paid() -> None:
    everything = cards({"learner.py": ""}, 0, {}, None) + cards({"learner.py": ""}, 1, {}, None)
    tried = dict.fromkeys(cards({"learner.py": ""}, 0, {}, {}), 5)
    shown = cards({"learner.py": ""}, 0, {everything[0]: 9.0}, tried)
    assert shown[0] == everything[0]
    assert all(tried.get(name, 0) == 0 for name in shown[2:4])


def test_words_on_a_failure_lose_paths_and_keys_and_control_characters() -> None:
    said = 'File "/home/someone/agent/learner.py", line 3: sk-abcdef123456 \x1b[31m ' + "A" * 40
    found = clean(said)
    assert "learner.py" in found and "line 3" in found
    for secret in ("/home", "someone", "abcdef123456", "\x1b", "A" * 32):
        assert secret not in found


def test_curves_and_matrices_are_short_texts() -> None:
    assert compact(np.linspace(0, 1, 1000)).split()[0::11] == ["0", "100"]
    assert compact(np.array([[1.0, np.nan], [0.5, 0.25]])) == "100 ? | 50 25"


CANARIES = ("0.123454321", "CANARY-SEALED", "/canary/host", "sk-canary-key-000000")


class Prompting(InstantWorker):
    """Asks with the whole prompt of the default improver, and judges at once."""

    async def improve(self, files: Any, evidence: Any, ask: Ask) -> dict[str, Any]:
        await ask(Improver().messages(dict(evidence)))
        return await super().improve(files, evidence, ask)


def test_no_canary_of_an_archive_reaches_a_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sealed score, sealed answers, a path of the host and a key, planted; every prompt read."""
    home = tmp_path / "a"
    grow(home, Settings(seed=3, proposals=14, benchmarks=BENCHMARKS, sandbox="none"))
    with Archive.open(home) as archive:
        row = archive.evaluations.of(archive.agents.select()[0].id)[0]
        record = vars(archive.evaluations.record_of(row))
        made = type(archive.evaluations.record_of(row))
        for agent in archive.agents.select():
            fails = {"verdict": "failed", "score": None, "seed": 99}
            words = f"OSError: {CANARIES[2]}/x.py: {CANARIES[3]}"
            archive.evaluations.record(agent.id, made(**{**record, **fails, "reason": words}))
            sealed = {"stage": "sealed", "seed": 7, "score": 0.123454321, "reason": CANARIES[1]}
            archive.evaluations.record(agent.id, made(**{**record, **sealed}), sealed=True)
    monkeypatch.setenv("OPENAI_API_KEY", CANARIES[3])
    with endpoint(lambda _: Reply.saying("no edit")) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        run_model(home, 3, Prompting)
    prompts = json.dumps([request["messages"] for request in server.requests])
    assert len(server.requests) >= 3 and "### FILE learner.py" in prompts
    for canary in (*CANARIES, CANARIES[3].removeprefix("sk-"), str(home)):
        assert canary not in prompts
    with Archive.open(home, read_only=True) as archive:
        asked = [q for p in archive.proposals.select() for q in archive.questions.of(p.id)]
        sent = [request["messages"] for request in server.requests]
        assert sorted(map(json.dumps, [q.messages for q in asked])) == sorted(map(json.dumps, sent))


def test_the_evidence_of_a_run_is_within_its_budget(tmp_path: Path) -> None:
    grow(tmp_path / "a", Settings(seed=3, proposals=20, benchmarks=ONE, sandbox="none"))
    with Archive.open(tmp_path / "a") as archive:
        last = archive.counts()["proposals"]
        run = archive.runs.start(1, {}, 1)
        parent = archive.agents.champion(last)
        assert parent is not None
        proposal = archive.proposals.open(run.id, last, last - 1, [parent.id], "model")
        found = evidence(archive, proposal, ONE)
        small = evidence(archive, proposal, ONE, tokens=9_000)
        assert total(found) <= EVIDENCE_TOKENS
        assert found == evidence(archive, proposal, ONE)
        assert total(small) < total(found) or not small["cut"]
        assert set(found["kinds"]["parent"]) and found["costs"]["split-mnist"]["flops"] > 0
        assert found["curves"]["split-mnist"].startswith("probe_accuracy: ")
