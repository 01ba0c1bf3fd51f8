#!/usr/bin/env python3
"""Write docs/images/loop-light.svg and loop-dark.svg: the loop in one picture; --check compares."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
WIDE, HIGH, GAP = 184, 92, 34
COLUMNS = [6 + at * (WIDE + GAP) for at in range(3)]
ROWS = [8 + at * (HIGH + 40) for at in range(3)]
SAID = (
    "The loop: pick a parent from the archive, rewrite its code, run it in a sandbox, score it on"
    " the host by hidden answers, admit it or turn it away. Sealed streams judge what is"
    " reported, and nothing else."
)


@dataclass(frozen=True)
class Box:
    """A step: where it is, its name, two lines below that, and whether the loop goes through it."""

    column: int
    row: int
    name: str
    first: str
    second: str
    inner: bool = True


@dataclass(frozen=True)
class Colours:
    """Of one scheme, as CSS colours."""

    text: str
    faint: str
    box: str
    edge: str
    aside: str


SCHEMES = {
    "light": Colours("#17292b", "#4c6063", "#e8f3f3", "#0b6e75", "#b26a00"),
    "dark": Colours("#e6eeee", "#a9bcbe", "#16353a", "#5fc4cb", "#f0b556"),
}
BOXES = (
    Box(0, 0, "Archive", "a tree of agents:", "SQLite beside git"),
    Box(1, 0, "1  Pick a parent", "one that is good, or", "has few children"),
    Box(2, 0, "2  Rewrite it", "recombination, or a", "model of your choice"),
    Box(2, 1, "3  Run it", "in a sandbox: no", "network, no labels"),
    Box(1, 1, "4  Score it", "on the host, paired", "over seeds"),
    Box(0, 1, "5  Decide", "gates say if it joins", "the tree, and why"),
    Box(1, 2, "Hidden answers", "labels and rewards", "stay on the host", False),
    Box(0, 2, "Sealed streams", "no search sees", "them: for reports", False),
)


def arrows() -> list[tuple[int, int, int, int, bool]]:
    """From x, y to x, y; and whether it is part of the loop."""
    left, middle, right = (column + WIDE / 2 for column in COLUMNS)
    top, below = ROWS[0] + HIGH / 2, ROWS[1] + HIGH / 2
    up, down = ROWS[0] + HIGH, ROWS[1] + HIGH
    ends = (
        (COLUMNS[0] + WIDE, top, COLUMNS[1], top, True),
        (COLUMNS[1] + WIDE, top, COLUMNS[2], top, True),
        (right, up, right, ROWS[1], True),
        (COLUMNS[2], below, COLUMNS[1] + WIDE, below, True),
        (COLUMNS[1], below, COLUMNS[0] + WIDE, below, True),
        (left, ROWS[1], left, up, True),
        (middle, ROWS[2], middle, down, False),
    )
    return [(int(a), int(b), int(c), int(d), loop) for a, b, c, d, loop in ends]


def picture(scheme: str) -> str:
    """The picture as SVG, in the colours of a scheme."""
    colours = SCHEMES[scheme]
    width, height = COLUMNS[2] + WIDE + 6, ROWS[2] + HIGH + 8
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="system-ui, sans-serif" role="img">'
        f"<title>{escape(SAID)}</title><defs>"
    )
    parts = [head]
    for name, colour in (("loop", colours.edge), ("aside", colours.aside)):
        parts.append(
            f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"'
            f' markerHeight="7" orient="auto"><path d="M0 0L10 5L0 10z" fill="{colour}"/></marker>'
        )
    parts.append("</defs>")
    for x, y, to_x, to_y, loop in arrows():
        name, colour = ("loop", colours.edge) if loop else ("aside", colours.aside)
        parts.append(
            f'<path d="M{x} {y}L{to_x} {to_y}" stroke="{colour}" stroke-width="2.5"'
            f' marker-end="url(#{name})"/>'
        )
    for box in BOXES:
        x, y = COLUMNS[box.column], ROWS[box.row]
        edge = f'stroke="{colours.edge}"' if box.inner else f'stroke="{colours.aside}"'
        dash = "" if box.inner else ' stroke-dasharray="6 4"'
        parts.append(
            f'<rect x="{x}" y="{y}" width="{WIDE}" height="{HIGH}" rx="10" fill="{colours.box}"'
            f' {edge} stroke-width="2"{dash}/>'
        )
        lines = ((box.name, 30, 18, 700, colours.text), (box.first, 56, 15.5, 400, colours.faint))
        for text, down, size, weight, fill in (*lines, (box.second, 77, 15.5, 400, colours.faint)):
            parts.append(
                f'<text x="{x + 12}" y="{y + down}" font-size="{size}" font-weight="{weight}"'
                f' fill="{fill}">{escape(text)}</text>'
            )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Write both, or compare."""
    for scheme in SCHEMES:
        target, text = IMAGES / f"loop-{scheme}.svg", picture(scheme)
        if "--check" not in sys.argv[1:]:
            target.write_text(text, encoding="utf-8")
        elif not target.is_file() or target.read_text(encoding="utf-8") != text:
            sys.exit(f"{target.name} is out of date: run tools/docs_site/loop_picture.py")


if __name__ == "__main__":
    main()
