"""Text that untrusted code wrote, made safe to store, log and show on a terminal."""

from __future__ import annotations

import unicodedata

_KEPT = "\n\t"
# Cc: control characters, escape sequences among them; Cf: bidirectional overrides, zero-width and
# invisible ones; Cs, Co, Cn: lone surrogates, private use, unassigned; Zl, Zp: line separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def neutralise(text: str) -> str:
    """`text` with everything that is no visible character spelt out (`\\x1b`, `\\u202e`).

    Line feeds and tabs stay. For HTML it still has to be escaped, as all text has.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _HIDDEN:
        return character
    return ascii(character)[1:-1]
