"""Evaluations as JSON, for the worker's pipe and for `cambrian-evaluate`."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from cambrian.evaluators.job import Evaluation, Unit

_PLAIN = (
    "verdict",
    "version",
    "score",
    "raw",
    "cause",
    "reason",
    "flops",
    "state_bytes",
    "peak_bytes",
    "cpu_s",
    "wall_s",
    "device",
)


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """A JSON object; not-measured entries of a matrix become null."""
    plain = {name: getattr(evaluation, name) for name in _PLAIN}
    return plain | {
        "benchmark": evaluation.unit.benchmark,
        "stage": evaluation.unit.stage,
        "seed": evaluation.unit.seed,
        "metrics": dict(evaluation.metrics),
        "curves": {name: _listed(array) for name, array in evaluation.curves.items()},
        "matrices": {name: _listed(array) for name, array in evaluation.matrices.items()},
        "predictions": {name: _packed(array) for name, array in evaluation.predictions.items()},
        "provenance": dict(evaluation.provenance),
    }


def from_json(given: Mapping[str, Any]) -> Evaluation:
    """The inverse of `to_json` (curves and matrices as float32, predictions as they were)."""
    unit = Unit(str(given["benchmark"]), str(given["stage"]), int(given["seed"]))
    return Evaluation(
        unit=unit,
        **{name: given[name] for name in _PLAIN},
        metrics=given["metrics"],
        curves={name: _array(values) for name, values in given["curves"].items()},
        matrices={name: _array(values) for name, values in given["matrices"].items()},
        predictions={name: _unpacked(p) for name, p in given.get("predictions", {}).items()},
        provenance=given["provenance"],
    )


def _listed(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return [_listed(row) for row in array]
    value = float(array)
    return value if math.isfinite(value) else None


def _array(values: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.array(values, dtype=np.float32)  # null becomes NaN


def _packed(array: np.ndarray[Any, np.dtype[Any]]) -> dict[str, Any]:
    """Predictions are many, so they go as compressed bytes."""
    data = base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes())).decode()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def _unpacked(given: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[Any]]:
    data = zlib.decompress(base64.b64decode(given["data"]))
    return np.frombuffer(data, dtype=given["dtype"]).reshape(given["shape"])
