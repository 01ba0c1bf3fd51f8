"""What an answer says beside its changes, and edits that came as JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from cambrian.agents.answers.marks import STRAIGHT

NUMBER = re.compile(r"[-+]?(?:\d{1,30}(?:[.,]\d{0,30})?|[.,]\d{1,30})(?:e[-+]?\d{1,4})?", re.A)
MAX_TITLE, MAX_HYPOTHESIS = 120, 2000
_LISTS = ("blocks", "edits", "changes")
_NAMES = {
    "path": ("path", "file", "filename"),
    "search": ("search", "old", "old_string"),
    "replace": ("replace", "new", "new_string"),
}
_OBJECTS = 8
"""How many places of an answer may be the start of a JSON object."""


def said(fields: Mapping[str, str]) -> dict[str, Any]:
    """Title, hypothesis, predicted gain and confidence of an answer, from its fields by name."""
    texts = {name: text.strip(" \t*_`\n") for name, text in fields.items()}
    title = "".join(c for c in texts.get("TITLE", "").split("\n")[0] if c.isprintable())
    hypothesis = "".join(
        c for c in texts.get("HYPOTHESIS", "")[:MAX_HYPOTHESIS] if c.isprintable() or c in "\n\t"
    )
    return {
        "title": title[:MAX_TITLE].strip() or "Untitled change",
        "hypothesis": hypothesis.strip() or "No hypothesis was given.",
        "predicted_gain": number(texts.get("PREDICTED GAIN", ""), 0.0, -10.0, 10.0),
        "confidence": number(texts.get("CONFIDENCE", ""), 0.5, 0.0, 1.0),
    }


def number(text: str, default: float, low: float, high: float) -> float:
    """The first number in a text (percentages are divided by 100), within bounds."""
    text = text[:2000].lower().translate({0x2212: "-", 0x2013: "-", 0xFF05: "%"})
    found = NUMBER.search(text)
    if not found:
        return default
    value = float(found.group().replace(",", "."))
    if text[found.end() :].lstrip().startswith("%"):
        value /= 100.0
    return min(max(value, low), high) if math.isfinite(value) else default


def edit_in_json(answer: str) -> dict[str, Any] | None:
    """An edit that came as a JSON object instead, alone or among other text; None: it is none."""
    for text in (answer, answer.translate(STRAIGHT)):
        given = _object(text)
        if given is not None:
            break
    else:
        return None
    files = given.get("files") or {}
    blocks: Any = next((given[name] for name in _LISTS if given.get(name)), [])
    if not files and not blocks:
        return None
    if isinstance(blocks, list):
        blocks = [_block(one) for one in blocks]
    usual = said({})
    words = {name: given.get(name, value) for name, value in usual.items()}
    return {**words, "files": files, "blocks": blocks, "format": "json"}


def _object(text: str) -> dict[str, Any] | None:
    """The first object in a text that could be an edit."""
    read = json.JSONDecoder().raw_decode
    at = text.find("{")
    for _ in range(_OBJECTS):
        if at < 0:
            return None
        try:
            given, _end = read(text, at)
        except (ValueError, RecursionError):
            given = None
        if isinstance(given, dict) and any(given.get(name) for name in ("files", *_LISTS)):
            return given
        at = text.find("{", at + 1)
    return None


def _block(given: Any) -> Any:
    """A block by the names that other tools give its parts; as it is where it has others."""
    if not isinstance(given, dict):
        return given
    found = {
        name: next((given[one] for one in others if one in given), None)
        for name, others in _NAMES.items()
    }
    return given if None in found.values() else found
