"""Which source makes a proposal: recombination, or one of several models. A bandit over gain per
dollar.

Thompson sampling for a budget (Xia et al. 2015, "Thompson sampling for budgeted multi-armed
bandits", IJCAI): a source's mean gain is drawn from its Gaussian posterior, divided by what a
proposal of it costs on average, and the largest ratio is taken. A proposal costs what its questions
did, and what judging a variant is worth (`Settings.judging_price`), which every source pays: else
what asks nobody would cost nothing. The gain is that over the parent on the screen, 0 where it is
negative or where no variant came of it.

The choice for proposal k is drawn with a generator of (seed, k) from the archive as decided through
k - L, so that a run that is killed and resumed, with any number of workers, chooses the same. What
a kill cut off is paid for, and not counted here.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this package; values are parameters.
from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Row
from cambrian.archive.tables.clades import RUNS_OF_SUITE
from cambrian.archive.tables.ledger import CUT_OFF
from cambrian.evolution.models.prices import Price
from cambrian.evolution.rewriting.decided import Reader
from cambrian.evolution.settings import Settings
from cambrian.evolution.sources.honesty import Record, has_dropped

RECOMBINE = "recombine"
LEAST_SHARE = 0.05
"""The share of proposals that no source falls below, unless its section says otherwise."""
MOST_LEAST = 0.5
"""What the usual least shares sum to at most, where there are many sources."""
PRIOR_TRIES = 4
"""So many proposals' worth each source is believed to pay what all of them paid on average."""
LEAST_DEVIATION = 0.01
LEAST_GAIN = 1e-6
LEAST_DOLLARS = 1e-6
FloatArray = NDArray[np.float64]
GUESS = (8000, 1500)
"""Prompt and completion tokens of a proposal, while none of a model is known."""
UNIT = 10**6
"""Gains are kept in millionths, dollars in millionths of one: whole numbers have no order."""

_MADE = f"""
SELECT p.idx, p.state, p.rewriter, p.predicted_gain, g.value,
       CASE WHEN p.operation IS NULL THEN p.confidence END AS confidence,
       (SELECT s.model FROM spend s WHERE s.proposal_id = p.id ORDER BY s.id LIMIT 1) AS model,
       (SELECT ifnull(sum(s.dollars), 0) FROM spend s WHERE s.proposal_id = p.id
        AND s.refused IS NOT '{CUT_OFF}') AS dollars
FROM proposals p LEFT JOIN gate_rows g ON g.proposal_id = p.id AND g.gate = 'screen'
WHERE p.idx > :after AND p.idx <= :through AND p.run_id IN ({RUNS_OF_SUITE})
  AND p.state IN ('admitted', 'rejected', 'failed_smoke', 'duplicate', 'invalid', 'parked')
ORDER BY p.idx
"""


@dataclass
class Arm:
    """What a source has shown: how many proposals, and the sums of their gains, of these squared,
    and of their dollars, in whole numbers of `UNIT`."""

    tries: int = 0
    gains: int = 0
    squares: int = 0
    dollars: int = 0

    def learn(self, gain: float, dollars: float) -> None:
        """Take in one proposal."""
        reward = round(max(gain, 0.0) * UNIT)
        self.tries += 1
        self.gains += reward
        self.squares += reward * reward
        self.dollars += round(dollars * UNIT)


def draw(
    arms: Sequence[Arm],
    costs: Sequence[float],
    given: Sequence[float | None],
    rng: np.random.Generator,
    held: Sequence[bool] = (),
) -> int:
    """Which source is next.

    Args:
        arms: what each has shown. costs: dollars of a proposal of each, while that is not known.
        given: the least share of each, None for the usual one; where all are given, nothing is
            left to learn.
        held: those that get their least share and no more.
    """
    tries = np.array([arm.tries for arm in arms], float)
    paid = np.array([arm.dollars for arm in arms], float) / UNIT
    cost = np.maximum((paid + np.array(costs)) / (tries + 1), LEAST_DOLLARS)
    at = rng.random()
    for place, share in enumerate(least_shares(given, cost)):
        at -= share
        if at < 0:
            return place
    gains = np.array([arm.gains for arm in arms], float) / UNIT
    count = float(tries.sum())
    mean = float(gains.sum()) / count if count else 0.0
    square = sum(arm.squares for arm in arms) / UNIT**2 / count if count else 0.0
    deviation = math.sqrt(max(square - mean * mean, LEAST_DEVIATION**2))
    weight = tries + PRIOR_TRIES
    drawn = (gains + PRIOR_TRIES * mean) / weight
    drawn = drawn + deviation / np.sqrt(weight) * rng.standard_normal(len(arms))
    ratios = np.maximum(drawn, LEAST_GAIN) / cost
    free = [place for place in range(len(arms)) if not (held and held[place])]
    return max(free or range(len(arms)), key=lambda place: ratios[place])


def least_shares(given: Sequence[float | None], cost: Sequence[float] | FloatArray) -> list[float]:
    """The least share of each source: as given, else `LEAST_SHARE` of the cheapest, and of a dearer
    one so much less that it costs no more; less where there are many.

    What is given is taken as it is while it sums to at most 1, else in proportion. Where every
    source has one, they are the shares: each is taken as often as it says.
    """
    named = sum(share for share in given if share is not None)
    if all(share is not None for share in given) and named > 0:
        return [(share or 0.0) / named for share in given]
    over = max(1.0, named)
    open_ = [share for share in given if share is None]
    usual = min(LEAST_SHARE, MOST_LEAST * max(0.0, 1 - named) / max(1, len(open_)))
    cheap = min(cost)
    return [
        usual * float(cheap / own) if share is None else share / over
        for share, own in zip(given, cost, strict=True)
    ]


class Sources(Reader):
    """The sources of a run's proposals, and what each has shown.

    Args:
        names: the sources: `recombine` and models, or models alone.
        shares: the least share of each model, as its section says.
        prices: of models, for what a first proposal may cost.
        judging: dollars that judging one variant is worth.
    """

    sql = _MADE

    def __init__(
        self,
        archive: Archive,
        names: Sequence[str],
        seed: int,
        *,
        shares: Mapping[str, float | None],
        prices: Mapping[str, Price],
        judging: float,
    ) -> None:
        super().__init__(archive)
        self._names = tuple(names)
        self._seed = seed
        self._shares = dict(shares)
        self._prices = prices
        self._judging = judging
        self._arms: dict[str, Arm] = {}
        self._records: dict[str, dict[int, Record]] = {}

    def choose(self, index: int, through: int, among: Sequence[str] = ()) -> str:
        """The source of proposal `index`, as decided through proposal `through`; one of `among`
        where that is given."""
        names = [name for name in self._names if name in among] if among else list(self._names)
        if len(names) == 1:
            return names[0]
        self.see(through)
        place = draw(
            [self._arms.get(name, Arm()) for name in names],
            [self._guess(name) for name in names],
            [self._shares.get(name) for name in names],
            np.random.default_rng([self._seed, index, 3]),
            [has_dropped(self._records.get(name, {})) for name in names],
        )
        return names[place]

    def _guess(self, name: str) -> float:
        """Dollars of a proposal that nothing is known of."""
        price = self._prices.get(name)
        asked = price.dollars(*GUESS) if price is not None and name != RECOMBINE else 0.0
        return self._judging + asked

    def _learn(self, row: Row) -> None:
        name = RECOMBINE if row["rewriter"] == "recombine" else row["model"]
        if name is None:
            return  # no question was ever paid for
        gain = row["value"] or 0.0
        self._arms.setdefault(name, Arm()).learn(gain, self._judging + row["dollars"])
        if row["value"] is not None and row["confidence"] is not None:
            told = Record(row["confidence"], row["predicted_gain"] or 0.0, gain)
            self._records.setdefault(name, {})[row["idx"]] = told

    def _forget(self) -> None:
        self._arms.clear()
        self._records.clear()


def sources_of(archive: Archive, settings: Settings) -> Sources:
    """What may make a run's proposals."""
    own = () if settings.rewriter == "model" else (RECOMBINE,)
    return Sources(
        archive,
        (*own, *settings.models),
        settings.seed,
        shares={name: spec.share for name, spec in settings.endpoints.items()},
        prices=settings.prices,
        judging=settings.judging_price,
    )
