"""Text that untrusted code wrote made safe to store, log and show; and data made fit for JSON."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_KEPT = "\n\t"
MARKS = 4
"""Combining marks that may follow each other: scripts need up to three; a tower of them hides the
lines around it."""

# Letters, marks and symbols that show nothing, or change how their neighbours look (variation
# selectors). `str.isprintable` lets them pass, for their categories are those of what is seen.
_HIDDEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc"
    "\U0001d159\U000e0100-\U000e01ef]"
)


def neutralise(text: str) -> str:
    """`text` with everything that is no visible character spelt out (`\\x1b`, `\\u202e`).

    Line feeds and tabs stay. Spelt out are control, format (bidirectional, zero-width, tags),
    surrogate, private and unassigned characters, variation selectors, letters and symbols without a
    glyph, and combining marks that follow nothing or more than `MARKS` others. Letters that look
    like others (homoglyphs) stay as they are. For HTML it still has to be escaped, as all text has.
    """
    if text.isascii() and text.isprintable():
        return text
    shown, marks = [], MARKS  # a mark at the start would sit on what is printed before the text
    for character in text:
        if unicodedata.category(character).startswith("M"):
            marks += 1
            shown.append(_shown(character) if marks <= MARKS else ascii(character)[1:-1])
            continue
        marks = MARKS if character in _KEPT else 0
        shown.append(_shown(character))
    return "".join(shown)


def _shown(character: str) -> str:
    if character in _KEPT or (character.isprintable() and not _HIDDEN.match(character)):
        return character
    if unicodedata.category(character) == "Zs":
        return " "  # one of the many spaces
    return ascii(character)[1:-1]


def first_hidden(text: str) -> str | None:
    """The first character of `text` that does not show itself, spelt out; None where all do."""
    if text.isascii() and text.isprintable():
        return None
    for character in text:
        if character not in _KEPT and unicodedata.category(character) != "Zs":
            shown = _shown(character)
            if shown != character:
                return shown
    return None


SHORT = 10
"""Digits of an id that are shown; any unique prefix of at least four is understood."""


def line(text: object) -> str:
    """Untrusted text as one line that is safe on a terminal."""
    return " ".join(neutralise(str(text)).split())


def short(agent_id: str) -> str:
    """The part of an id that is shown."""
    return agent_id[:SHORT]


def finite(value: Any) -> Any:
    """The same structure with every float that JSON cannot hold as None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return value
