"""Fitting evidence into a budget of tokens: the least valuable goes first, and is told of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cambrian.evolution.settings import EVIDENCE_TOKENS

CHARACTERS_PER_TOKEN = 3
"""Code and JSON have about 3.5 characters a token: an estimate on the safe side."""

SHORTENED: tuple[tuple[str, int], ...] = (
    ("elsewhere", 6),
    ("cards", 3),
    ("history", 8),
    ("curves", 2),
    ("failures", 2),
    ("elsewhere", 0),
    ("cards", 1),
    ("curves", 0),
    ("contributions", 0),
    ("history", 3),
    ("failures", 1),
    ("other", 0),
    ("costs", 0),
    ("kinds", 0),
    ("cards", 0),
    ("history", 0),
    ("failures", 0),
    ("benchmarks", 0),
    ("scores", 0),
)
"""What is shortened to how many entries, one step after the other. The parent's code and the rules
stay whole, but for the improver's own code and the notes, which go last of all."""
LAST = ("NOTES.md", "improver.py")


def tokens_of(value: Any) -> int:
    """How many tokens a part of the evidence has, by an estimate that is not too low."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return -(-len(text.encode(errors="replace")) // CHARACTERS_PER_TOKEN)


def fit(evidence: Mapping[str, Any], tokens: int = EVIDENCE_TOKENS) -> dict[str, Any]:
    """The evidence within a budget, with `cut`: which sections are shorter than they were, and by
    how much. Entries of a section go from its end: they are given the most valuable first."""
    found = dict(evidence)
    size = {name: tokens_of(value) for name, value in found.items()}
    for name, most in SHORTENED:
        if sum(size.values()) <= tokens:
            break
        if len(found.get(name) or ()) > most:
            found[name] = _first(found[name], most)
            size[name] = tokens_of(found[name])
    code = dict(found.get("code", {}))
    for path in LAST:
        if sum(size.values()) > tokens and code.pop(path, None) is not None:
            found["code"], size["code"] = code, tokens_of(code)
    return {**found, "cut": _cut(evidence, found)}


def _first(value: Any, most: int) -> Any:
    return dict(list(value.items())[:most]) if isinstance(value, Mapping) else value[:most]


def _cut(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, str]]:
    return [
        {"section": name, "what": f"{len(value) - len(after[name])} of {len(value)} left out"}
        for name, value in before.items()
        if not isinstance(value, str) and len(after[name]) < len(value)
    ]
