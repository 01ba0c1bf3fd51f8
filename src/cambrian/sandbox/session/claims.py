"""What an untrusted process says in the description of a frame, checked.

The codec lets plain JSON with finite numbers of 64 bits through and nothing else; here each entry
is held against what it has to be. Every function takes a description and raises `LearnerFailed`
for one that does not fit; `failures.untrusted` around the call turns whatever was overlooked into
the same.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cambrian.sandbox.runner.frames import MAX_META
from cambrian.sandbox.session.failures import LearnerFailed

MAX_COUNT = 1 << 62
"""FLOPs or bytes: what adds up in 64 bits."""
MAX_NUMBER = float(np.finfo(np.float32).max)
"""What a learner tells of itself is a float32: curves are kept as such."""
MAX_LAYERS, MAX_ROWS, MAX_UNITS = 4, 128, 512
MAX_MESSAGES = 64
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Cost:
    """What the learner's own process counted: believable only as far as it is checked."""

    flops: int
    state_bytes: int


def failure(meta: Mapping[str, Any]) -> LearnerFailed:
    """What a FAILED frame says; its words are the learner's."""
    kind, message = str(meta.get("kind", "error"))[:100], str(meta.get("message", ""))[:1000]
    if kind == "AllowanceSpent":  # the runner's word, and nothing to gain by it for others
        return LearnerFailed("limit", message)
    cause = "memory" if kind in ("MemoryError", "OutOfMemoryError") else "exception"
    return LearnerFailed(cause, f"{kind}: {message}", str(meta.get("trace", ""))[:4000])


def cost(meta: Mapping[str, Any]) -> Cost:
    """What a USAGE frame says."""
    return Cost(_count(meta, "flops"), _count(meta, "state_bytes"))


def size(meta: Mapping[str, Any]) -> int:
    """How many bytes a HELD frame announces."""
    return _count(meta, "bytes")


@dataclass(frozen=True)
class Inside:
    """What a HELD frame says of a network.

    Attributes:
        size: bytes of the activations to come.
        shapes: rows and units of each layer.
        weight_magnitude, weight_norm: as of `channel.Diagnosis`; -1 where they are no float32.
    """

    size: int
    shapes: list[tuple[int, int]]
    weight_magnitude: float
    weight_norm: float


def inside(meta: Mapping[str, Any]) -> Inside:
    """What a HELD frame says of a network, where that was asked for."""
    magnitude, norm = _finite(meta, "weight_magnitude"), _finite(meta, "weight_norm")
    return Inside(size(meta), _shapes(meta), magnitude, norm)


def _count(meta: Mapping[str, Any], name: str) -> int:
    value = meta.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_COUNT:
        raise LearnerFailed("protocol", f"{name} must be a count, got {value!r:.80}")
    return value


def _shapes(meta: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The layers' shapes, checked: their product bounds what is received."""
    given = meta.get("layers")
    limits = (MAX_ROWS, MAX_UNITS)
    if not isinstance(given, list) or len(given) > MAX_LAYERS:
        raise LearnerFailed("protocol", f"expected at most {MAX_LAYERS} layers, got {given!r:.80}")
    for shape in given:
        plain = isinstance(shape, list) and len(shape) == 2
        if not plain or not all(
            isinstance(n, int) and not isinstance(n, bool) and 0 < n <= most
            for n, most in zip(shape, limits, strict=True)
        ):
            raise LearnerFailed("protocol", f"expected a layer's rows and units, got {shape!r:.80}")
    return [(rows, units) for rows, units in given]


def _finite(meta: Mapping[str, Any], name: str) -> float:
    value = meta.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LearnerFailed("protocol", f"{name} must be a number, got {value!r:.80}")
    number = float(value)
    if not math.isfinite(number) or abs(number) > MAX_NUMBER:
        raise LearnerFailed("protocol", f"{name} must be a float32, got {value!r:.80}")
    return number


def edit(meta: Mapping[str, Any]) -> dict[str, Any]:
    """The edit of an EDIT frame: an object, and not looked into here."""
    found = meta.get("edit")
    if not isinstance(found, dict):
        raise LearnerFailed("protocol", "the improver returned no edit (a dict)")
    return found


def sendable(text: str) -> str:
    """A model's answer as an improver can be told it: without lone surrogates, and where a frame
    does not hold it, its beginning (a character takes up to 12 bytes there)."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    fits = len(json.dumps(clean)) <= MAX_META - 64
    return clean if fits else clean[: (MAX_META - 64) // 12]


def messages(meta: Mapping[str, Any]) -> list[dict[str, str]]:
    """The question of an ASK frame."""
    found = meta.get("messages")
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_MESSAGES:
        raise LearnerFailed("protocol", f"a question is a list of 1 to {MAX_MESSAGES} messages")
    for message in found:
        if not isinstance(message, dict) or set(message) != {"role", "content"}:
            raise LearnerFailed("protocol", "a message has a role and a content")
        if message["role"] not in ROLES:
            raise LearnerFailed("protocol", f"unknown role {message['role']!r:.40}")
        if not isinstance(message["content"], str):
            raise LearnerFailed("protocol", "a message's content is text")
    return found
