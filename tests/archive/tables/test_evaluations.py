"""Evaluations, series, spend and answers: each exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.archive import Archive, Spend
from cambrian.archive.tables.series import pack, unpack
from cambrian.errors import CambrianError, NotFound, UsageError

if TYPE_CHECKING:
    from tests.archive.conftest import ArchiveFixture


def test_an_evaluation_is_counted_once_with_its_series(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    matrix = np.array([[0.9, np.nan], [0.1, 0.8]])
    curve = np.arange(5, dtype=np.int32)
    record = garden.evaluation(
        metrics={"min_acc": 0.4, "note": "é"},
        flops=10**15,
        provenance={"torch": "2.13"},
        curves={"accuracy": curve},
        matrices={"tasks": matrix},
    )
    assert not archive.evaluations.recorded(seed, record)
    assert archive.evaluations.record(seed, record)
    assert archive.evaluations.recorded(seed, record)
    assert not archive.evaluations.record(seed, garden.evaluation(verdict="failed", score=None))
    [stored] = archive.evaluations.of(seed)
    assert (stored.score, stored.flops, stored.metrics) == (
        0.5,
        10**15,
        {"min_acc": 0.4, "note": "é"},
    )
    assert archive.evaluations.get(stored.id) == stored
    series = archive.evaluations.series(stored.id)
    assert list(series) == ["accuracy", "tasks"]
    np.testing.assert_array_equal(series["tasks"], matrix)
    assert series["accuracy"].dtype == np.int32
    assert archive.counts()["evaluations_scored"] == 1
    assert archive.events()[-1].data["verdict"] == "scored"


@pytest.mark.parametrize("sealed", [False, True])
def test_answers_are_kept_as_they_were_and_apart_from_the_series(
    garden: ArchiveFixture, sealed: bool
) -> None:
    archive, seed = garden.archive, garden.seed()
    answers = {
        "labels": np.arange(300, dtype=np.uint16),
        "confidence": np.array([0.5, 0.25], dtype=np.float16),
    }
    record = garden.evaluation(predictions=answers)
    assert archive.evaluations.record(seed, record, sealed=sealed)
    [stored] = archive.evaluations.of(seed, sealed=sealed)
    found = archive.evaluations.predictions(stored.id, sealed=sealed)
    assert found.keys() == answers.keys()
    for name, array in answers.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert archive.evaluations.series(stored.id, sealed=sealed) == {}
    assert archive.evaluations.predictions(stored.id, sealed=not sealed) == {}


def test_broken_attempts_are_kept_apart_and_never_stand_in_the_way(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    broken = garden.evaluation(verdict="broken", score=None, reason="no engine")
    assert archive.evaluations.record(seed, broken)
    assert archive.evaluations.record(seed, broken)
    assert archive.evaluations.of(seed) == []
    assert archive.evaluations.record(seed, garden.evaluation())
    assert archive.evaluations.record(seed, broken)
    assert len(archive.evaluations.of(seed)) == 1
    assert len(archive.evaluations.of(seed, include_broken=True)) == 4
    counts = archive.counts()
    assert (counts["evaluations_scored"], counts["evaluations_broken"]) == (1, 3)


def test_a_different_stage_seed_or_version_is_another_evaluation(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    changes: list[dict[str, Any]] = [
        {"seed": 1},
        {"stage": "full"},
        {"version": "2"},
        {"benchmark": "a"},
        {},
    ]
    for change in changes:
        assert archive.evaluations.record(seed, garden.evaluation(**change))
    keys = [(e.stage, e.benchmark, e.version, e.seed) for e in archive.evaluations.of(seed)]
    assert keys == sorted(keys)
    assert [e.stage for e in archive.evaluations.of(seed, "full")] == ["full"]


def test_sealed_results_are_never_among_the_others(garden: ArchiveFixture) -> None:
    archive, seed = garden.archive, garden.seed()
    sealed = garden.evaluation(stage="sealed", score=0.77, curves={"c": np.zeros(3)})
    assert archive.evaluations.record(seed, sealed, sealed=True)
    assert not archive.evaluations.record(seed, sealed, sealed=True)
    assert archive.evaluations.of(seed) == []
    [stored] = archive.evaluations.of(seed, sealed=True)
    assert stored.score == 0.77
    assert list(archive.evaluations.series(stored.id, sealed=True)) == ["c"]
    assert archive.evaluations.series(stored.id) == {}
    assert archive.evaluations.sealed_agents() == [seed]
    assert "0.77" not in str(archive.events())


@pytest.mark.parametrize(
    "change",
    [
        {"score": None},
        {"verdict": "failed"},
        {"score": float("nan")},
        {"raw": float("inf")},
        {"metrics": {"forgetting": float("nan")}},
        {"curves": {"a": np.zeros(2)}, "matrices": {"a": np.zeros((2, 2))}},
        {"curves": {"a": np.array(["text"])}},
        {"curves": {"a": np.array([object()])}},
    ],
)
def test_a_record_that_makes_no_sense_is_refused_whole(
    garden: ArchiveFixture, change: dict[str, Any]
) -> None:
    archive, seed = garden.archive, garden.seed()
    with pytest.raises(UsageError, match="expected"):
        archive.evaluations.record(seed, garden.evaluation(**change))
    assert archive.evaluations.of(seed) == []


def test_what_does_not_exist_is_not_found(garden: ArchiveFixture) -> None:
    with pytest.raises(NotFound):
        garden.archive.evaluations.record("0" * 64, garden.evaluation())
    with pytest.raises(NotFound):
        garden.archive.evaluations.get(1)


SHAPES = st.lists(st.integers(0, 4), max_size=3)
DTYPES = st.sampled_from(["<f4", ">f8", "<i8", "?", "|u1", ">i2"])


@given(shape=SHAPES, dtype=DTYPES, transpose=st.booleans())
def test_arrays_come_back_as_they_were(shape: list[int], dtype: str, transpose: bool) -> None:
    array = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(shape).astype(dtype)
    array = array.T if transpose else array
    back = unpack({"name": "a", **pack("a", array)})
    np.testing.assert_array_equal(back, array)
    assert back.shape == array.shape
    assert back.dtype == array.dtype.newbyteorder("<")


@pytest.mark.parametrize(
    "change", [{"shape": "[3]"}, {"shape": "[1]"}, {"data": b"junk"}, {"dtype": "O"}]
)
def test_a_damaged_series_is_seen(change: dict[str, Any]) -> None:
    with pytest.raises(CambrianError, match="damaged"):
        unpack({"name": "a", **pack("a", np.zeros(2)), **change})


def test_an_answer_is_paid_once_and_replayed(garden: ArchiveFixture) -> None:
    ledger = garden.archive.ledger
    proposal = garden.open(garden.seed())

    def ask(text: str) -> bool:
        return ledger.record_answer(
            proposal_id=proposal.id,
            position=0,
            request_hash="abc",
            model="m",
            text=text,
            prompt_tokens=100,
            completion_tokens=20,
            dollars=0.01,
            run_id=garden.run.id,
        )

    assert ledger.recorded_answer(proposal.id, 0) is None
    assert ask("first")
    assert not ask("second")
    answer = ledger.recorded_answer(proposal.id, 0)
    assert answer is not None
    assert (answer.text, answer.request_hash) == ("first", "abc")
    expected = Spend(calls=1, prompt_tokens=100, completion_tokens=20, dollars=0.01)
    assert ledger.total(proposal_id=proposal.id) == expected
    assert ledger.total(run_id=garden.run.id) == expected


def test_spend_is_totalled_by_run_and_over_all(archive: Archive, garden: ArchiveFixture) -> None:
    assert archive.ledger.total() == Spend()
    for run_id, dollars in ((garden.run.id, 0.5), (garden.run.id, 0.25), (None, 1.0)):
        archive.ledger.add_spend(
            phase="x",
            model="m",
            prompt_tokens=1,
            completion_tokens=2,
            dollars=dollars,
            run_id=run_id,
        )
    total = archive.ledger.total(run_id=garden.run.id)
    assert (total.calls, total.dollars) == (2, 0.75)
    assert archive.ledger.total().dollars == 1.75


def test_an_improver_is_checked_once(archive: Archive) -> None:
    assert archive.ledger.improver_check("h") is None
    assert archive.ledger.record_improver_check("h", False, "no edit")
    assert not archive.ledger.record_improver_check("h", True, "changed my mind")
    check = archive.ledger.improver_check("h")
    assert check is not None
    assert (check.valid, check.detail) == (False, "no edit")
