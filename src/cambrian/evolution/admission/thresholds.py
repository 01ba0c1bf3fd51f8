"""The rules of admission as data, and their thresholds; a leaf, for a run's settings hold them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Seeds = Literal["fixed", "raced"]
AdmissionName = Literal["stepping-stones", "as-good", "not-worse", "better", "pareto", "keep-all"]
Kind = Literal["improvement", "stepping_stone"]

NEW = "behaves in a new way"
"""The reason of those admitted for novelty alone; the quota counts them by it."""
BETTER = "better than its parent"
LEVEL = "not worse than its parent beyond the margin"


@dataclass(frozen=True)
class Route:
    """One way into the tree: as what, through which gates (all of them), in which words."""

    kind: Kind
    gates: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Admission:
    """A rule of admission: a variant is admitted by the first route whose gates it passes.

    Attributes:
        otherwise: the reason of a rejection for which no gate has words of its own.
        another_improver: whether one that learns as its parent does, with another improver, may be
            admitted within the quota of those there for novelty.
    """

    routes: tuple[Route, ...]
    otherwise: str
    another_improver: bool = True

    @property
    def gates(self) -> tuple[str, ...]:
        """Every gate that some route asks for."""
        return tuple(dict.fromkeys(gate for route in self.routes for gate in route.gates))


_BETTER = Route("improvement", ("improvement",), BETTER)
_LEVEL = Route("stepping_stone", ("floor", "not_worse"), LEVEL)
_NEW = Route("stepping_stone", ("floor", "near", "novelty", "quota"), NEW)
_PARETO = Route(
    "stepping_stone", ("floor", "pareto"), "better on a benchmark, and level with its parent on all"
)
_AS_GOOD = Route(
    "stepping_stone", ("as_good",), "as good as its parent on average, within the margin"
)
_ANY = Route("stepping_stone", (), "every variant that runs is kept")

ADMISSIONS: Mapping[AdmissionName, Admission] = {
    "stepping-stones": Admission(
        (_BETTER, _LEVEL, _NEW), "neither better, nor level with its parent, nor new"
    ),
    "as-good": Admission(
        (_BETTER, _AS_GOOD), "worse than its parent on average, beyond the margin"
    ),
    "not-worse": Admission((_BETTER, _LEVEL), "neither better than its parent nor level with it"),
    "better": Admission((_BETTER,), "not shown to be better", another_improver=False),
    "pareto": Admission(
        (_BETTER, _PARETO), "not better on a benchmark while level with its parent on all"
    ),
    "keep-all": Admission((_BETTER, _ANY), "", another_improver=False),
}
"""By name. `keep-all` is that of the Darwin Gödel Machine (arXiv 2505.22954, section 3). `as-good`
asks for no proof: what looks as good as its parent is a parent, what is worse leaves early."""


@dataclass(frozen=True)
class Rules:
    """The thresholds of admission.

    Attributes:
        seeds: `fixed`: improvement and "not worse" are judged once, on five seeds; `raced`: in
            looks at up to 14 (`evaluators.statistics.racing`), `confidence` then plays no part.
        screen_margin: how far below its parent, on average, one may be that is there for novelty.
        confidence: of the two-sided paired interval whose lower bound must be above 0 for an
            improvement (0.90 two-sided is 95 % one-sided).
        margin: how much worse than its parent a stepping stone may be.
        novelty: mean distance to the nearest members, in units of seed noise.
        neighbours: how many nearest members that is a mean over.
        quota: at most this share of the admitted may be there for novelty alone.
        noise_floor: the least standard deviation over seeds that counts as noise.
        flops_noise: the same for log10 FLOPs.
        leaving: whether a variant leaves as soon as it can hardly be admitted any more
            (`admission.leaving`); off where that rule itself is measured.
    """

    seeds: Seeds = "fixed"
    screen_margin: float = 0.10
    confidence: float = 0.90
    margin: float = 0.05
    novelty: float = 3.0
    neighbours: int = 3
    quota: float = 0.25
    noise_floor: float = 0.02
    flops_noise: float = 0.5
    leaving: bool = True
