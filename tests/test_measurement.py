"""One measurement on its way: through JSON and back, whole and checked."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from cambrian.errors import UsageError
from cambrian.measurement import LONGEST_REASON, Measurement, Unit

FULL = Measurement.on(
    Unit("split-mnist", "screen", 3),
    "scored",
    "1",
    score=0.5,
    raw=0.75,
    flops=10**15,
    cpu_s=1.5,
    backend="none",
    metrics={"accuracy": 0.75},
    provenance={"torch": "2.13"},
    curves={"probe": np.array([0.25, np.nan], dtype=np.float32)},
    matrices={"tasks": np.eye(2, dtype=np.float32)},
    predictions={"labels": np.arange(6, dtype=np.uint16).reshape(2, 3)},
)


def through_json(one: Measurement) -> Any:
    return json.loads(json.dumps(one.to_json(), allow_nan=False))


def test_a_measurement_comes_back_from_json_as_it_was() -> None:
    again = Measurement.from_json(through_json(FULL))
    assert again.unit == Unit("split-mnist", "screen", 3)
    arrays = ("curves", "matrices", "predictions")
    for name, value in vars(FULL).items():
        if name not in arrays:
            assert getattr(again, name) == value, name
    for kind in arrays:
        before, after = getattr(FULL, kind), getattr(again, kind)
        assert before.keys() == after.keys()
        for name, array in before.items():
            np.testing.assert_array_equal(after[name], array)
            assert after[name].dtype == array.dtype


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"verdict": "excellent"}, "verdict out of scored, failed, broken"),
        ({"seed": 1.5}, "seed as a whole number"),
        ({"seed": True}, "seed as a whole number"),
        ({"score": "0.9"}, "score as a finite number"),
        ({"score": float("inf")}, "score as a finite number"),
        ({"reason": None}, "reason as a text"),
        ({"metrics": [1]}, "metrics as an object"),
        ({"curves": {"a": "no"}}, "nested lists of numbers"),
        ({"matrices": {"a": [[1], [1, 2]]}}, "nested lists of numbers"),
        ({"predictions": {"a": {"dtype": "<u2", "shape": [3], "data": "AAAA"}}}, "dtype, shape"),
        ({"surprise": 1}, "with the fields"),
    ],
)
def test_what_is_no_measurement_is_refused_and_said(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        Measurement.from_json(through_json(FULL) | change)
    with pytest.raises(UsageError, match="expected a measurement"):
        Measurement.from_json([])


def test_a_measurement_without_one_of_its_fields_is_refused() -> None:
    for name in through_json(FULL):
        given = through_json(FULL)
        del given[name]
        with pytest.raises(UsageError, match="with the fields"):
            Measurement.from_json(given)


def test_a_kept_reason_begins_with_its_cause_once() -> None:
    failed = Measurement.on(Unit("b", "full", 0), "failed", "1", cause="timeout", reason="late")
    assert failed.explained == "timeout: late"
    kept = Measurement.on(failed.unit, "failed", "1", reason=failed.explained)
    assert kept.explained == "timeout: late"
    long = Measurement.on(failed.unit, "failed", "1", cause="crash", reason="x" * 9000)
    assert len(long.explained) == LONGEST_REASON
