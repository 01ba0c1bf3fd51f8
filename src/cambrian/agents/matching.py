"""Finding the one place that a SEARCH text means: exactly, up to trailing blanks, up to a uniform
indent. Never by likeness: what is only like it is another place."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

MAX_LINES_SHOWN = 6
MAX_LINES_COMPARED = 500
MAX_COMPARED = 60
"""Characters of a line that are compared, for that takes the square of them."""
MAX_PLACES = 10
"""More places than these are not looked for."""
MAX_CANDIDATES = 50
"""Places whose indentation is looked at."""


@dataclass(frozen=True)
class Place:
    """Where a search text is in a text.

    Attributes:
        given, found: the indentation that all lines of the search text have, and that they have in
            the text instead; equal where it is there as it was given.
    """

    start: int
    end: int
    given: str = ""
    found: str = ""


def find_once(text: str, search: str, what: str, error: type[Exception]) -> Place:
    """Where `search` is in `text`.

    Raises:
        error: it is empty, nowhere or in several places; the message shows the first line that
            differs, or the lines at which it is.
    """
    if not search.strip():
        raise error(f"{what}: expected a search text; got nothing but white space")
    places = _exactly(text, search)
    lines = text.splitlines(keepends=True)
    places = places or _by_lines(lines, search)
    places = places or _by_indent(lines, search)
    if len(places) == 1:
        return places[0]
    if not places:
        raise error(
            f"{what}: expected the search text exactly once; got 0 matches.\n"
            f"{_difference(lines, search)}"
        )
    rows = ", ".join(str(text.count("\n", 0, place.start) + 1) for place in places[:MAX_PLACES])
    count = f"{len(places)}" if len(places) <= MAX_PLACES else f"more than {MAX_PLACES}"
    raise error(
        f"{what}: expected the search text exactly once; got {count} matches, at lines "
        f"{rows}. Add lines around it until it is unique."
    )


def _exactly(text: str, search: str) -> list[Place]:
    places: list[Place] = []
    start = text.find(search)
    while start >= 0 and len(places) <= MAX_PLACES:
        places.append(Place(start, start + len(search)))
        start = text.find(search, start + 1)
    return places


def _by_lines(lines: Sequence[str], search: str) -> list[Place]:
    """Whole lines that are equal but for trailing white space."""
    have = [line.rstrip() for line in lines]
    want = [line.rstrip() for line in search.splitlines()]
    found = _runs(have, want, MAX_PLACES)
    return [_place(lines, first, len(want), search) for first in found]


def _by_indent(lines: Sequence[str], search: str) -> list[Place]:
    """Whole lines that are equal but for one indentation that all of them share, and trailing white
    space."""
    want = [line.rstrip() for line in search.splitlines()]
    given = _indent(want)
    places = []
    starts = _runs(
        [line.strip() for line in lines], [line.strip() for line in want], MAX_CANDIDATES
    )
    for first in starts:
        have = [line.rstrip() for line in lines[first : first + len(want)]]
        found = _indent(have)
        if all(
            mine.removeprefix(given) == its.removeprefix(found)
            for mine, its in zip(want, have, strict=True)
        ):
            places.append(_place(lines, first, len(want), search, given, found))
    return places[: MAX_PLACES + 1]


def _indent(lines: Sequence[str]) -> str:
    """The white space with which every line that is not blank begins."""
    starts = [line[: len(line) - len(line.lstrip())] for line in lines if line]
    if not starts:
        return ""
    least, most = min(starts), max(starts)
    same = 0
    while same < min(len(least), len(most)) and least[same] == most[same]:
        same += 1
    return least[:same]


def _runs(have: Sequence[str], want: Sequence[str], most: int) -> list[int]:
    """The lines at which all of `want` begins in `have`: the first `most` and one more."""
    # One search over the joined lines: comparing line by line takes the product of both lengths.
    joined, wanted = "\n".join(["", *have, ""]), "\n".join(["", *want, ""])
    found: list[int] = []
    at, first, counted = joined.find(wanted), 0, 0
    while at >= 0 and len(found) <= most:
        first, counted = first + joined.count("\n", counted, at), at
        found.append(first)
        at = joined.find(wanted, at + 1)
    return found


def _place(
    lines: Sequence[str], first: int, count: int, search: str, given: str = "", found: str = ""
) -> Place:
    start = sum(map(len, lines[:first]))
    own = lines[first : first + count]
    end = start + sum(map(len, own))
    if not search.endswith("\n"):
        end -= len(own[-1]) - len(own[-1].rstrip("\r\n"))
    return Place(start, end, given, found)


def _difference(lines: Sequence[str], search: str) -> str:
    """The first line of the search text that is not in the file where those before it are."""
    have = [line.rstrip() for line in lines]
    want = [line.rstrip() for line in search.splitlines()]
    low, high = 0, len(want)  # so many lines are there in a row, and so many are not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _runs(have, want[:middle], 0) else (low, middle)
    if low == 0 or not any(want[:low]):
        return _nearest(lines, want)
    at = _runs(have, want[:low], 0)[0] + low
    there = repr(have[at][:200]) if at < len(have) else "the end of the file"
    return (
        f"The first line that differs is line {low + 1} of the search text, {want[low][:200]!r}: "
        f"line {at + 1} of the file is {there}.\n{_shown(lines, max(0, at - 2))}"
    )


def _nearest(lines: Sequence[str], want: Sequence[str]) -> str:
    """The lines of the file most like the search text, as a hint for mending it."""
    first = next((line.strip()[:MAX_COMPARED] for line in want if line.strip()), "")
    have = [line.strip()[:MAX_COMPARED] for line in lines[:MAX_LINES_COMPARED]]
    similar = difflib.get_close_matches(first, have, 1, 0.5)
    if not similar:
        return f"No line is like its first one, {first[:100]!r}."
    number = have.index(similar[0])
    return (
        f"The first line that differs is its first one, {first!r}. The nearest lines start at line "
        f"{max(1, number)}:\n{_shown(lines, max(0, number - 1))}"
    )


def _shown(lines: Sequence[str], first: int) -> str:
    return "\n".join(line.rstrip() for line in lines[first : first + MAX_LINES_SHOWN])
