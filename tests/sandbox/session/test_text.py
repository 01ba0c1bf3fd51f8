"""Text of untrusted code, made fit to be shown."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cambrian.text import MARKS, first_hidden, neutralise

SEEN = {"L", "N", "P", "S"}


@given(st.text(st.characters()))
def test_nothing_invisible_is_left_and_what_is_left_can_be_stored(text: str) -> None:
    shown = neutralise(text)
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    shown.encode("utf-8")


@given(st.text(st.characters()))
def test_what_was_made_safe_stays_as_it_is(text: str) -> None:
    assert neutralise(neutralise(text)) == neutralise(text)


def test_every_category_of_characters_is_either_seen_or_spelt_out() -> None:
    """All of Unicode, one by one: control, format, surrogate, private, unassigned, separators."""
    passed: set[str] = set()
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        shown = neutralise("a" + character)[1:]
        if shown == character and category[0] not in SEEN:
            passed.add(category)
        elif shown != character:
            assert shown.isascii(), hex(code)
    assert passed == {"Mn", "Mc", "Me", "Zs", "Cc"}, "marks on a letter, the space, tab and newline"
    controls = [chr(c) for c in range(0xA0) if unicodedata.category(chr(c)) == "Cc"]
    assert {c for c in controls if neutralise(c) == c} == {"\n", "\t"}
    spaces = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) == "Zs"]
    assert {neutralise(space) for space in spaces} == {" "}


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb", "a\\rb"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202etxt", "abc\\u202etxt"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("a\u200bb", "a\\u200bb"),
        ("\ufeffa", "\\ufeffa"),
        ("\ud800", "\\ud800"),
        ("\u2028", "\\u2028"),
        ("\x85", "\\x85"),
        ("a\U000e0041\U000e007f", "a\\U000e0041\\U000e007f"),
        ("a\ufe0f\U000e0101", "a\\ufe0f\\U000e0101"),
        ("\u3164\u115f\uffa0\u2800", "\\u3164\\u115f\\uffa0\\u2800"),
        ("a\u034fb\u00adc", "a\\u034fb\\xadc"),
        ("plain\n\ttext, grüße 学习", "plain\n\ttext, grüße 学习"),
        ("naïve cafe\u0301 हिन्दी ไทย", "naïve cafe\u0301 हिन्दी ไทย"),
    ],
)
def test_control_bidi_and_hidden_characters_are_spelt_out(hostile: str, shown: str) -> None:
    assert neutralise(hostile) == shown


def test_a_tower_of_marks_is_cut_and_one_at_the_start_sits_on_nothing() -> None:
    tower = neutralise("a" + "\u0301" * 40)
    assert tower == "a" + "\u0301" * MARKS + "\\u0301" * (40 - MARKS)
    assert neutralise("\u0301a") == "\\u0301a"
    assert neutralise("a\n\u0301b") == "a\n\\u0301b"


def test_letters_that_look_like_others_stay_for_that_is_out_of_scope() -> None:
    assert neutralise("\u0430dmin") == "\u0430dmin"


@pytest.mark.parametrize(("text", "found"), [("a = 1\t# grün", None), ("a\u202eb", "\\u202e")])
def test_the_first_hidden_character_is_named(text: str, found: str | None) -> None:
    assert first_hidden(text) == found
