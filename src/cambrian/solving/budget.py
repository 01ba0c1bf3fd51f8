"""How the minutes of a solution are spent: what comes before the search, the search, and the rest.

The search gets what is left when the usual choices were judged, less what its end will take: the
proposals that are under way then, sealed runs, the package.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from cambrian.agents.seeds import seed_names
from cambrian.errors import Refused
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.stages import STAGES
from cambrian.evolution.settings import LAG
from cambrian.reports.plan import COSTLIER, OPENING_S

SHARE = 0.3
"""Of the minutes, the most that the usual choices may take."""
PACKING_S = 10.0
SEALED = 2
"""Agents that sealed data is used for: the champion, and the best seed agent."""
SEEDS = len(STAGES["screen"]) + len(STAGES["full"])


@dataclass(frozen=True)
class Estimate:
    """Seconds, by what experience replay was measured to take on this table.

    Attributes:
        whole: what may be spent in all.
        baselines: the most that the usual choices may take.
        judging: the seed agents and guests, which the search begins with.
        under_way: what the search has begun, and may finish, when its time is over.
        closing: what comes after that: sealed runs, the package.
    """

    whole: float
    baselines: float
    judging: float
    under_way: float
    closing: float

    @property
    def search(self) -> float:
        """The least that is left for variants."""
        return self.whole - self.baselines - self.judging - self.after

    @property
    def after(self) -> float:
        """All that comes when the search's time is over."""
        return self.under_way + self.closing

    def require_enough(self) -> None:
        """Raises Refused: the time is over before a variant could be judged."""
        if self.search <= 0:
            fixed = (self.judging + self.after) / (1 - SHARE)
            raise Refused(
                f"expected time to judge the seed agents and to report, about {fixed / 60:.1f} "
                f"minutes on this table; got {self.whole / 60:.1f}: give --minutes "
                f"{math.ceil(fixed / 60 + 1)} or more"
            )


def estimate(bench: Any, whole_s: float, workers: int, guests: int = 0) -> Estimate:
    """What a solution will take, once the benchmark is calibrated.

    Args:
        whole_s: seconds that are left.
        guests: agents that come beside the seed agents.
    """
    replay_s = calibration(bench).cpu_s
    longer = bench.stream("sealed").observations / max(bench.stream("full").observations, 1)
    one = OPENING_S + COSTLIER * SEEDS * replay_s
    sealed = OPENING_S + COSTLIER * len(STAGES["sealed"]) * replay_s * longer
    begin = (len(seed_names()) + guests) * (OPENING_S + SEEDS * replay_s)
    return Estimate(
        whole_s,
        SHARE * whole_s,
        begin / workers,
        LAG * one / 2 / workers,
        SEALED * sealed / min(workers, SEALED) + PACKING_S,
    )
