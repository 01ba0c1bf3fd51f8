"""Text of untrusted code, made fit to be shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.sandbox.text import neutralise


@given(st.text(st.characters()))
def test_nothing_invisible_is_left_and_what_is_left_can_be_stored(text: str) -> None:
    shown = neutralise(text)
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb", "a\\rb"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("a\u200bb", "a\\u200bb"),
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
        ("plain\n\ttext, grüße 学习", "plain\n\ttext, grüße 学习"),
    ],
)
def test_control_bidi_and_hidden_characters_are_spelt_out(hostile: str, shown: str) -> None:
    assert neutralise(hostile) == shown
