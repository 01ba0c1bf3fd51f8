"""The thresholds of admission; a leaf, for the settings of a run hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Seeds = Literal["fixed", "raced"]


@dataclass(frozen=True)
class Rules:
    """The thresholds of admission.

    Attributes:
        seeds: `fixed`: improvement and "not worse" are judged once, on five seeds; `raced`: in
            looks at up to 14 (`evaluators.statistics.racing`), `confidence` then plays no part.
        screen_margin: how far below its parent a variant may be on the screen's one seed.
        confidence: of the two-sided paired interval whose lower bound must be above 0 for an
            improvement (0.90 two-sided is 95 % one-sided).
        margin: how much worse than its parent a stepping stone may be.
        novelty: mean distance to the nearest members, in units of seed noise.
        neighbours: how many nearest members that is a mean over.
        quota: at most this share of the admitted may be there for novelty alone.
        noise_floor: the least standard deviation over seeds that counts as noise.
        flops_noise: the same for log10 FLOPs.
    """

    seeds: Seeds = "fixed"
    screen_margin: float = 0.15
    confidence: float = 0.90
    margin: float = 0.05
    novelty: float = 3.0
    neighbours: int = 3
    quota: float = 0.25
    noise_floor: float = 0.02
    flops_noise: float = 0.5
