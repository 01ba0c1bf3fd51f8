"""Finding the one place that a SEARCH text means."""

from __future__ import annotations

import difflib

MAX_LINES_SHOWN = 6
MAX_LINES_COMPARED = 2000


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
    lines = ", ".join(str(text.count("\n", 0, start) + 1) for start, _ in places[:10])
    raise error(
        f"{what}: expected the search text exactly once; got {len(places)} matches, at lines "
        f"{lines}. Add lines around it until it is unique."
    )


def _exactly(text: str, search: str) -> list[tuple[int, int]]:
    places, start = [], text.find(search)
    while start >= 0:
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
    places = []
    for first in range(len(have) - len(want) + 1):
        if have[first : first + len(want)] == want:
            last = first + len(want) - 1
            ends_line = search.endswith("\n")
            end = starts[last + 1] if ends_line else starts[last] + len(lines[last].rstrip("\r\n"))
            places.append((starts[first], end))
    return places


def _nearest(text: str, search: str) -> str:
    """The lines of the file most like the search text, for whoever has to mend it."""
    lines = text.splitlines()[:MAX_LINES_COMPARED]
    want = [line.strip() for line in search.splitlines() if line.strip()][:3]
    similar = difflib.get_close_matches(want[0], [line.strip() for line in lines], 2, 0.5)
    for number, line in enumerate(lines):
        if line.strip() in similar[:1]:
            shown = lines[max(0, number - 1) : number + MAX_LINES_SHOWN - 1]
            return f"The nearest lines start at line {max(1, number)}:\n" + "\n".join(shown)
    return f"No line is like {want[0][:100]!r}."
