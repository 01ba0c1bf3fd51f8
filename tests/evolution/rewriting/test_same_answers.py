"""A learner that answers the screen as a known one did is not judged twice."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import anyio
import numpy as np
import pytest
from tests.evolution.rewriting import test_idle_edits

from cambrian.archive import Archive
from cambrian.evolution.admission import rules
from cambrian.evolution.rewriting import likeness
from cambrian.measurement import Measurement, Unit, digest_of
from cambrian.testing.forked_runs import sound
from cambrian.testing.instant_run import picture
from cambrian.testing.workers import judged, noted

Change = Callable[[Mapping[str, str]], dict[str, str]]


def note(files: Mapping[str, str]) -> dict[str, str]:
    """A line of code that is new to all fingerprints, and does nothing."""
    return noted(files, files.get("NOTES.md", "") + ".")


def note_and_improver(files: Mapping[str, str]) -> dict[str, str]:
    return note(files) | {"improver.py": files["improver.py"] + "\nMORE = 1\n"}


def cheaper(files: Mapping[str, str]) -> dict[str, str]:
    return note(files) | {"learner.py": note(files)["learner.py"] + "CHEAPER = 2\n"}


class Answering(test_idle_edits.Editing):
    """Scores and answers are functions of the learner's code without its note."""

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        code = files["learner.py"].partition("\nNOTE = ")[0]
        plain = {"learner.py": code, **{p: t for p, t in files.items() if p.startswith("parts/")}}
        halves = files["learner.py"].count("CHEAPER")
        for unit in units:
            await anyio.sleep(0)
            digest = hashlib.sha256(f"{sorted(plain.items())}{unit}".encode()).digest()
            answers = {
                "labels": np.frombuffer(digest, dtype=np.uint8),
                "costs": np.array([[len(files["learner.py"]), 1]]),
            }
            result = judged(plain, unit)
            yield replace(result, predictions=answers, flops=10**9 // 2**halves)


grow = functools.partial(test_idle_edits.grow, worker=Answering)


def test_the_same_answers_make_a_duplicate_that_was_screened_and_no_more(tmp_path: Path) -> None:
    home = grow(tmp_path / "a", note, 6)
    with Archive.open(home, read_only=True) as archive:
        for proposal in archive.proposals.select():
            assert proposal.state == "duplicate"
            if "the same code" in str(proposal.reason):
                continue  # the parent was drawn again, and gave the same note
            assert proposal.reason == f"it answers as {proposal.parents[0]} does"
            assert proposal.agent_id is not None
            rows = archive.evaluations.of(proposal.agent_id)
            assert {row.stage for row in rows} == {"smoke", "screen"}
            [gate] = archive.gates(proposal_id=proposal.id)
            assert (gate.gate, gate.verdict) == ("answers", "fail")
            assert proposal.parents[0] in str(gate.detail)
        assert archive.counts()["judged"] == 0
    assert sound(home) == []


def test_another_improver_takes_the_results_over_and_needs_the_quota(tmp_path: Path) -> None:
    home = grow(tmp_path / "a", note_and_improver, 8)
    with Archive.open(home, read_only=True) as archive:
        made = [p for p in archive.proposals.select() if p.state in ("admitted", "rejected")]
        assert [p.reason for p in made if p.state == "admitted"] == [rules.SAME_LEARNER]
        assert len(made) > 1
        for proposal in made:
            rows = archive.evaluations.of(str(proposal.agent_id), "full")
            assert rows
            assert all(likeness.REUSED_FROM in row.provenance and row.cpu_s == 0 for row in rows)
            gates = {gate.gate: gate.verdict for gate in archive.gates(proposal_id=proposal.id)}
            assert gates["answers"] == "pass" and gates["learner"] == "info"
    assert sound(home) == []


def test_the_same_answers_for_half_the_flops_are_judged(tmp_path: Path) -> None:
    home = grow(tmp_path / "a", cheaper, 3)
    with Archive.open(home, read_only=True) as archive:
        made = [p for p in archive.proposals.select() if p.state in ("admitted", "rejected")]
        assert made
        for proposal in made:
            rows = archive.evaluations.of(str(proposal.agent_id), "full")
            assert rows and not any(likeness.REUSED_FROM in row.provenance for row in rows)
            assert proposal.reason != rules.SAME_LEARNER


@pytest.mark.parametrize("change", [note, note_and_improver])
def test_the_tree_does_not_depend_on_the_workers(change: Change, tmp_path: Path) -> None:
    one, three = (picture(grow(tmp_path / str(w), change, 8, w)) for w in (1, 3))
    assert one == three


def test_answers_are_told_apart_by_all_that_was_answered_and_not_by_its_cost() -> None:
    labels = np.arange(5, dtype=np.uint8)
    one: dict[str, np.ndarray] = {
        "labels": labels,
        "costs": np.zeros((1, 2), np.int64),
        "other.costs": labels,
    }
    assert digest_of(one) == digest_of({"labels": labels, "costs": np.ones((1, 2), np.int64)})
    others: list[dict[str, np.ndarray]] = [
        {"labels": labels + 1},
        {"labels": labels.astype(np.int16)},
        {"labels": labels.reshape(5, 1)},
        {"labels": labels, "confidence": np.ones(5, np.float16)},
    ]
    for other in others:
        assert digest_of(other) != digest_of(one)
    assert digest_of({}) is None and digest_of({"costs": labels}) is None
