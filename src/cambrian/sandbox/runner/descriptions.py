"""The JSON object that describes a frame, read with care.

A description holds what JSON holds and the host can use as it is: whole numbers of 64 bits, finite
ones, each key once, text that is UTF-8. A number of four hundred digits or an infinity is refused
here, so that no later reader has to ask whether a value can be converted.

Used on both sides, so: standard library only.
"""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 64
"""Levels of objects and lists in one another: code that shows or stores one may recurse over it."""
MOST, LEAST = (1 << 63) - 1, -(1 << 63)
"""Whole numbers in a description: what SQLite, numpy and a float can take without an error."""


def parse(raw: bytes) -> dict[str, Any]:
    """The description of a frame from its bytes (UTF-8).

    Raises:
        ValueError: it is no plain JSON object: see the module's text.
    """
    try:
        meta = _DECODER.decode(raw.decode("utf-8"))
        if b"\\u" in raw:  # a lone surrogate passes JSON, and then breaks who stores the text
            json.dumps(meta, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"the frame's description is not JSON: {_why(error)}") from None
    if not isinstance(meta, dict):
        raise ValueError("the frame's description is not a JSON object")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _deeper(meta, MAX_DEPTH):
        raise ValueError(f"the frame's description is more than {MAX_DEPTH} levels deep")
    return meta


def _why(error: Exception) -> str:
    """The first words, and nothing of what was sent: that may be a megabyte."""
    return str(error.args[0] if error.args and not isinstance(error, UnicodeError) else error)[:100]


def _whole(digits: str) -> int:
    value = int(digits) if len(digits) <= 20 else MOST + 1
    if not LEAST <= value <= MOST:
        raise ValueError("a whole number of more than 64 bits")
    return value


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number without end")
    return value


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key comes twice")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_keys_once,
    parse_float=_finite,
    parse_int=_whole,
    parse_constant=_no_number,
)


def _deeper(value: object, most: int) -> bool:
    """Whether lists and objects lie in one another more than `most` deep; without recursion."""
    level = [value]
    for _ in range(most):
        inside: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inside += item.values()
            elif isinstance(item, list):
                inside += item
        level = inside
    return any(isinstance(item, dict | list) for item in level)
