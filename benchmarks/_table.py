"""The table that every benchmark ends with: figure, target, met or missed.

    from _table import Figure, report          (a benchmark's own folder is on the path)

`report` prints the table and gives the exit code: 1 if a target is missed, else 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        target: what it must not be over (or under, with `at_least`); None: only reported.
        spread: relative A/A spread of the measurement; a target for a ratio is never held against
            a difference smaller than that.
    """

    name: str
    value: float
    unit: str = ""
    target: float | None = None
    at_least: bool = False
    spread: float | None = None
    note: str = ""

    @property
    def met(self) -> bool:
        if self.target is None:
            return True
        slack = 1 + (self.spread or 0.0)
        if self.at_least:
            return self.value * slack >= self.target
        return self.value <= self.target * slack

    @property
    def verdict(self) -> str:
        if self.target is None:
            return "-"
        return "met" if self.met else "MISSED"


def report(title: str, figures: Sequence[Figure]) -> int:
    """Print the table; 1 if a target is missed, else 0."""
    width = max(len(figure.name) for figure in figures)
    print(f"\n{title}\n")
    print(f"{'figure':{width}}  {'value':>12}  {'target':>12}  verdict")
    for figure in figures:
        sign = ">=" if figure.at_least else "<="
        target = "" if figure.target is None else f"{sign} {figure.target:g} {figure.unit}".strip()
        value = f"{figure.value:.4g} {figure.unit}".strip()
        notes = [] if figure.spread is None else [f"A/A spread {figure.spread:.1%}"]
        notes += [figure.note] if figure.note else []
        line = f"{figure.name:{width}}  {value:>12}  {target:>12}  {figure.verdict:7} "
        print((line + "; ".join(notes)).rstrip())
    missed = sum(not figure.met for figure in figures)
    print(f"\n{missed} of {sum(f.target is not None for f in figures)} targets missed")
    return int(missed > 0)
