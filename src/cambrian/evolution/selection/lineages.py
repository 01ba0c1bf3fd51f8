"""The tree of improvers, with what was made by each, for strategies that draw by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from cambrian.archive import Archive
from cambrian.evolution.selection.improver_credit import ImproverCredit
from cambrian.evolution.sources.honesty import has_dropped

SPREAD = 0.02
"""The least standard deviation of what proposals come to that is believed (normalised scores)."""


@dataclass
class Lineage:
    """One improver, and what was made by it and by its rewrites.

    Attributes:
        own, clade: number of proposals and sum of their gains; `clade` with all rewrites of it.
        squares: sum of the squares of its own.
        below: its rewrites.
        held: it has come to claim more than comes (`honesty.has_dropped`).
    """

    own: tuple[int, float] = (0, 0.0)
    clade: tuple[int, float] = (0, 0.0)
    squares: float = 0.0
    below: list[str] = field(default_factory=list)
    held: bool = False


class Lineages(Protocol):
    """What a strategy may ask of improvers."""

    def name(self, agent_id: str) -> str:
        """The improver of an agent."""

    def tree(self) -> Mapping[str, Lineage]:
        """Every improver; those that are rewrites of no other are below ""."""


class KnownLineages:
    """Those of an archive, as decided through a proposal."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._credit = ImproverCredit(archive)

    def see(self, through: int | None) -> None:
        """Know what was decided through a proposal; None: by now."""
        latest = self._archive.counts()["proposals"]
        self._credit.see(latest if through is None else through)

    def name(self, agent_id: str) -> str:
        """The improver of an agent."""
        return self._credit.name(agent_id)

    def tree(self) -> Mapping[str, Lineage]:
        """Every improver that made something, or was made."""
        found = lineages(
            {
                name: [one.gain for _, one in sorted(made.items())]
                for name, made in self._credit.made.items()
            },
            self._credit.above,
        )
        for name, stated in self._credit.stated.items():
            found[name].held = has_dropped(stated)
        return found


def lineages(gains: Mapping[str, list[float]], above: Mapping[str, str]) -> dict[str, Lineage]:
    """The tree of improvers.

    Args:
        gains: what each proposal came to, by the improver that made it.
        above: the improver that one is a rewrite of. A circle (code that came back) is opened.
    """
    names = sorted({*gains, *above, *above.values()} - {""})
    found = {"": Lineage()} | {name: Lineage() for name in names}
    for name in names:
        values = gains.get(name, [])
        found[name].own = (len(values), float(np.sum(values)))
        found[name].squares = float(np.sum(np.square(values)))
        parent = "" if name in _line(above, above.get(name, "")) else above.get(name, "")
        found[parent].below.append(name)
        for one in {name, *_line(above, name)}:
            count, total = found[one].clade
            found[one].clade = (count + len(values), total + found[name].own[1])
    return found


def _line(above: Mapping[str, str], name: str) -> list[str]:
    """An improver and those above it, to where they repeat themselves."""
    line: list[str] = []
    while name and name not in line:
        line.append(name)
        name = above.get(name, "")
    return line


@dataclass(frozen=True)
class Belief:
    """What is believed of an improver before anything is known of it: it is like the others.

    Attributes:
        centre, spread: mean and standard deviation of what proposals came to, over all improvers.
    """

    centre: float
    spread: float

    @staticmethod
    def of(tree: Mapping[str, Lineage]) -> Belief:
        """From all that was made; `SPREAD` at least, and 0 ± `SPREAD` where nothing was."""
        count = sum(one.own[0] for one in tree.values())
        if not count:
            return Belief(0.0, SPREAD)
        centre = sum(one.own[1] for one in tree.values()) / count
        variance = sum(one.squares for one in tree.values()) / count - centre * centre
        return Belief(centre, max(SPREAD, float(np.sqrt(max(variance, 0.0)))))

    def draw(self, made: tuple[int, float], rng: np.random.Generator) -> float:
        """One draw of what a proposal comes to on the mean, from the posterior of a normal mean.

        With a prior N(m, s^2) and n observations of standard deviation s with sum t, it is
        N((m + t) / (n + 1), s^2 / (n + 1)): Thompson (1933), "On the likelihood that one unknown
        probability exceeds another in view of the evidence of two samples".

        Args:
            made: number of proposals, and the sum of what they came to.
        """
        count, total = made
        return float(
            rng.normal((self.centre + total) / (count + 1), self.spread / np.sqrt(count + 1))
        )
