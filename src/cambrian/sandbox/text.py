"""Text that untrusted code wrote, made safe to store, log and show on a terminal."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t"


def neutralise(text: str) -> str:
    """`text` with everything that is no visible character spelt out (`\\x1b`, `\\u202e`).

    Line feeds and tabs stay. For HTML it still has to be escaped, as all text has.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable() or character in _KEPT:
        return character
    if unicodedata.category(character) == "Zs":
        return " "  # one of the many spaces
    return ascii(character)[1:-1]
