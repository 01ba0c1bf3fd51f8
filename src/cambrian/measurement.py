"""One measurement: what came of judging a learner on a benchmark, at a stage, with a seed.

The evaluator makes it, the worker's pipe carries it, the archive keeps it: one type for all three,
in a module that knows none of them.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NoReturn, Self, get_args, get_origin, get_type_hints

import numpy as np

from cambrian.errors import UsageError

Array = np.ndarray[Any, np.dtype[Any]]
Verdict = Literal["scored", "failed", "broken"]

EXACT = ("verdict", "score", "raw", "flops", "state_bytes")
"""What has to be the same to the last bit, beside every metric, where a measurement is repeated."""

LONGEST_REASON = 8000
"""Characters that are kept of a reason, its cause included."""


@dataclass(frozen=True)
class Unit:
    """What is to be judged: one benchmark, at one stage, with one seed.

    Attributes:
        offset: moves the seed that the learner is given, and nothing of the stream: a null control
            is started with another. 0 for everybody else.
    """

    benchmark: str
    stage: str
    seed: int
    offset: int = field(default=0, repr=False)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """A verdict with all that explains and repeats it.

    Attributes:
        version: the benchmark's.
        verdict: `scored`: it ran and has a score. `failed`: its own fault. `broken`: ours.
        reason: why it failed or broke; untrusted text where it comes from the learner.
        cause: a word for it, of `cambrian.sandbox.session.failures.CAUSES`, or "broken", or
            "busy": another agent had the stream for too long. "" where there is none, and in what
            an archive gives back: its reasons begin with the cause.
        score: normalised (0 the benchmark's floor, 1 its ceiling); None unless `scored`.
        raw: the benchmark's own score.
        flops, peak_bytes, state_bytes: what it used; 0 where it was not measured, None where an
            archive does not know.
        cpu_s, wall_s: the sandbox's processor seconds, and host seconds; likewise.
        image_digest, device, backend: what it ran in.
        metrics: figures by name.
        provenance: what is needed to run the same again; plain JSON.
        curves: arrays of shape (steps,) or (steps, columns), by name.
        matrices: arrays of shape (rows, columns); a name is used once over both.
        predictions: what was answered, for `evaluators.transcript.recompute`.
    """

    benchmark: str
    version: str
    stage: str
    seed: int
    verdict: Verdict
    reason: str = ""
    score: float | None = None
    raw: float | None = None
    flops: int | None = 0
    cpu_s: float | None = 0.0
    peak_bytes: int | None = 0
    state_bytes: int | None = 0
    wall_s: float | None = 0.0
    image_digest: str | None = None
    device: str | None = "cpu"
    backend: str | None = None
    cause: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    curves: Mapping[str, Array] = field(default_factory=dict)
    matrices: Mapping[str, Array] = field(default_factory=dict)
    predictions: Mapping[str, Array] = field(default_factory=dict)

    @classmethod
    def on(cls, unit: Unit, verdict: Verdict, version: str, **more: Any) -> Self:
        """The verdict on a unit; `more` are the other fields. An offset of the learner's seed is in
        the provenance."""
        if unit.offset:
            more["provenance"] = {**more.get("provenance", {}), "learner_offset": unit.offset}
        where = {name: getattr(unit, name) for name in ("benchmark", "stage", "seed")}
        return cls(**where, verdict=verdict, version=version, **more)

    @property
    def unit(self) -> Unit:
        """What was judged."""
        offset = int(self.provenance.get("learner_offset", 0))
        return Unit(self.benchmark, self.stage, self.seed, offset)

    @property
    def explained(self) -> str:
        """The reason with its cause before it, as it is kept: at most `LONGEST_REASON` long."""
        told = f"{self.cause}: {self.reason}" if self.cause else self.reason
        return told[:LONGEST_REASON]

    @property
    def answers(self) -> bytes | None:
        """What tells these answers from any others: 16 bytes; None where none were kept. What they
        cost on the way does not count."""
        return digest_of(self.predictions)

    def to_json(self) -> dict[str, Any]:
        """A JSON object with every field; entries of a matrix that were not measured are null."""
        return {
            **{name: getattr(self, name) for name in PLAIN},
            "metrics": dict(self.metrics),
            "provenance": dict(self.provenance),
            "curves": {name: _listed(array) for name, array in self.curves.items()},
            "matrices": {name: _listed(array) for name, array in self.matrices.items()},
            "predictions": {name: _packed(array) for name, array in self.predictions.items()},
        }

    @classmethod
    def from_json(cls, given: object) -> Measurement:
        """The inverse of `to_json` (curves and matrices as float32, predictions as they were).

        Raises:
            UsageError: a field is missing, unknown or of another kind, or an array is damaged.
        """
        if not isinstance(given, Mapping):
            _wrong("a measurement as an object", given)
        names = [each.name for each in fields(Measurement)]
        if set(given) != set(names):
            _wrong(f"a measurement with the fields {', '.join(names)}", sorted(map(str, given)))
        return Measurement(
            **plain(given, PLAIN),
            metrics=_mapping(given, "metrics"),
            provenance=_mapping(given, "provenance"),
            curves={name: _array(one) for name, one in _mapping(given, "curves").items()},
            matrices={name: _array(one) for name, one in _mapping(given, "matrices").items()},
            predictions={n: _unpacked(one) for n, one in _mapping(given, "predictions").items()},
        )


ARRAYS = ("curves", "matrices", "predictions")
PLAIN = tuple(
    each.name for each in fields(Measurement) if each.name not in (*ARRAYS, "metrics", "provenance")
)
"""The fields that are texts or numbers."""
COLUMNS = tuple(name for name in PLAIN if name != "cause")
"""Those that an archive keeps as they are: its reasons begin with the cause."""


def digest_of(predictions: Mapping[str, Array]) -> bytes | None:
    """16 bytes over answers (arrays of any shape, by name), what they cost left out; None: there
    are none."""
    digest, any_answers = hashlib.sha256(), False
    for name, array in sorted(predictions.items()):
        if name == "costs" or name.endswith(".costs"):
            continue
        any_answers = True
        digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()[:16] if any_answers else None


def plain(given: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Those fields of a JSON object, each of them there and of its kind.

    Raises:
        UsageError: one is not.
    """
    return {name: _checked(name, given.get(name, ...)) for name in names}


def _checked(name: str, value: Any) -> Any:
    hint = _hints()[name]
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            _wrong(f"{name} out of {', '.join(get_args(hint))}", value)
        return value
    kinds = get_args(hint) or (hint,)
    if value is None and type(None) in kinds:
        return None
    if isinstance(value, str) and str in kinds:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 62:
        if int in kinds:
            return value
        if float in kinds:
            return float(value)
    if isinstance(value, float) and float in kinds and math.isfinite(value):
        return value
    words = {str: "a text", int: "a whole number", float: "a finite number"}
    return _wrong(f"{name} as {next(words[kind] for kind in kinds if kind in words)}", value)


@functools.cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Measurement)


def _mapping(given: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = given.get(name)
    if not isinstance(value, dict):
        _wrong(f"{name} as an object", value)
    return value


def _listed(array: Any) -> Any:
    if isinstance(array, np.ndarray):
        return [_listed(row) for row in array]
    value = float(array)
    return value if math.isfinite(value) else None


def _array(values: Any) -> Array:
    """Shape as nested in the lists, float32; null becomes NaN."""
    try:
        return np.array(values, dtype=np.float32)
    except (TypeError, ValueError):
        _wrong("an array as nested lists of numbers", values)


def _packed(array: Array) -> dict[str, Any]:
    """Predictions are many, so they go as compressed bytes."""
    data = base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes())).decode()
    return {"dtype": array.dtype.str, "shape": list(array.shape), "data": data}


def _unpacked(given: Any) -> Array:
    try:
        data = zlib.decompress(base64.b64decode(given["data"]))
        return np.frombuffer(data, dtype=given["dtype"]).reshape(given["shape"])
    except (KeyError, TypeError, ValueError, zlib.error, binascii.Error):
        _wrong("an array as dtype, shape and data", given)


def _wrong(expected: str, got: object) -> NoReturn:
    raise UsageError(f"expected {expected}, got {str(got)[:80]!r}")
