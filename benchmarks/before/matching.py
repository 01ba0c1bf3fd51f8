"""How the place of a SEARCH text was found before, kept as it was."""

from __future__ import annotations

import difflib

MAX_LINES_SHOWN = 6
MAX_LINES_COMPARED = 500
MAX_COMPARED = 60
"""Characters of a line that are compared, for that takes the square of them."""
MAX_PLACES = 10
"""More places than these are not looked for."""


def find_once(text: str, search: str, what: str, error: type[Exception]) -> tuple[int, int]:
    """Where `search` is in `text`: (start, end). Exactly first, then without trailing blanks.

    Raises:
        error: it is empty, nowhere or in several places; the message shows the nearest lines.
    """
    if not search.strip():
        raise error(f"{what}: expected a search text; got nothing but white space")
    places = _exactly(text, search) or _by_lines(text, search)
    if len(places) == 1:
        return places[0]
    if not places:
        nearest = _nearest(text, search)
        raise error(f"{what}: expected the search text exactly once; got 0 matches.\n{nearest}")
    lines = ", ".join(str(text.count("\n", 0, start) + 1) for start, _ in places[:MAX_PLACES])
    count = f"{len(places)}" if len(places) <= MAX_PLACES else f"more than {MAX_PLACES}"
    raise error(
        f"{what}: expected the search text exactly once; got {count} matches, at lines "
        f"{lines}. Add lines around it until it is unique."
    )


def _exactly(text: str, search: str) -> list[tuple[int, int]]:
    places: list[tuple[int, int]] = []
    start = text.find(search)
    while start >= 0 and len(places) <= MAX_PLACES:
        places.append((start, start + len(search)))
        start = text.find(search, start + 1)
    return places


def _by_lines(text: str, search: str) -> list[tuple[int, int]]:
    """Whole lines that are equal but for trailing white space."""
    lines = text.splitlines(keepends=True)
    have = [line.rstrip() for line in lines]
    want = [line.rstrip() for line in search.splitlines()]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    # One search over the joined lines: comparing line by line takes the product of both lengths.
    joined, wanted = "\n".join(["", *have, ""]), "\n".join(["", *want, ""])
    places: list[tuple[int, int]] = []
    at, first, counted = joined.find(wanted), 0, 0
    while at >= 0 and len(places) <= MAX_PLACES:
        first, counted = first + joined.count("\n", counted, at), at
        last = first + len(want) - 1
        ends_line = search.endswith("\n")
        end = starts[last + 1] if ends_line else starts[last] + len(lines[last].rstrip("\r\n"))
        places.append((starts[first], end))
        at = joined.find(wanted, at + 1)
    return places


def _nearest(text: str, search: str) -> str:
    """The lines of the file most like the search text, as a hint for mending it."""
    lines = text.splitlines()[:MAX_LINES_COMPARED]
    want = [line.strip()[:MAX_COMPARED] for line in search.splitlines() if line.strip()][:1]
    have = [line.strip()[:MAX_COMPARED] for line in lines]
    similar = difflib.get_close_matches(want[0], have, 2, 0.5)
    for number, line in enumerate(have):
        if line in similar[:1]:
            shown = lines[max(0, number - 1) : number + MAX_LINES_SHOWN - 1]
            return f"The nearest lines start at line {max(1, number)}:\n" + "\n".join(shown)
    return f"No line is like {want[0][:100]!r}."
