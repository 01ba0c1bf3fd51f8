"""Whether a run still finds anything: rising, flat or exhausted, with chance taken into account.

A window is the last `WINDOW` variants that the run has judged. It is *rising* if one of its members
is shown to be better than the champion as it was before the window: paired over the search's
seeds, one-sided t, at α / m for the m variants of the window that were judged (Bonferroni), so that
in a run that finds nothing a window is called rising in at most α of cases. (The champion was the
best of many, so that its score flatters it: that makes the rule more careful, never less.) A run
that has judged fewer than a window is called rising: it is too early to tell.

Not rising is *flat*; *exhausted*, if nothing in the last `EXHAUSTED` windows together is shown to
be better than the champion before them. It is a function of what was decided through a proposal,
and so of nothing that depends on workers or time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cambrian.agents.catalogue import catalogue
from cambrian.archive import Archive, Run

if TYPE_CHECKING:
    from cambrian.evolution.admission.results import Results

State = Literal["rising", "flat", "exhausted"]

WINDOW, EXHAUSTED = 30, 3
"""Judged variants in a window; windows without a gain after which a run is exhausted."""
ALPHA = 0.05
_EVERYTHING = 2**62

_JUDGED = """
SELECT idx, agent_id, state FROM proposals
WHERE state IN ('admitted', 'rejected') AND idx <= :through AND run_id = :run
ORDER BY idx DESC LIMIT :limit
"""
_TRIED = """
SELECT DISTINCT json_extract(s.value, '$.mechanism') AS mechanism
FROM proposals p, json_each(ifnull(json_extract(p.operation, '$.chain'),
                                   json_array(json(p.operation)))) s
WHERE p.operation IS NOT NULL AND p.state IN ('admitted', 'rejected', 'failed_smoke')
"""


@dataclass(frozen=True)
class Plateau:
    """How a run goes.

    Attributes:
        judged: variants that it has judged, up to `WINDOW * EXHAUSTED`.
        gain: of the window's best member over the champion before it, paired: mean and the bounds
            of a two-sided 1 − 2α/m interval; None where nobody can be compared.
        advice: what to add, where the run is not rising.
    """

    state: State
    judged: int
    gain: tuple[float, float, float] | None
    advice: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as plain JSON."""
        gain = self.gain and dict(zip(("mean", "lower", "upper"), self.gain, strict=True))
        about = {"state": self.state, "judged": self.judged, "window": WINDOW}
        return {**about, "gain": gain, "advice": list(self.advice)}


def plateau(archive: Archive, run: Run, through: int | None = None) -> State:
    """The state of a run as decided through a proposal (None: by now): see the module."""
    return _found(archive, run, through).state


def look(archive: Archive, run: Run, through: int | None = None) -> Plateau:
    """The state of a run, with what it was made of and what is advised; reads all proposals."""
    found = _found(archive, run, through)
    if found.state == "rising":
        return found
    return replace(found, advice=_advice(archive, run, found.state))


def _found(archive: Archive, run: Run, through: int | None) -> Plateau:
    limit = _EVERYTHING if through is None else through
    keys = {"run": run.id, "through": limit, "limit": WINDOW * EXHAUSTED}
    judged = archive.database.rows(_JUDGED, keys)
    names = tuple(run.settings.get("benchmarks", ()))
    if len(judged) < WINDOW or not names:
        return Plateau("rising", len(judged), None, ())
    gain, rising = _gain(archive, names, judged[:WINDOW])
    if rising:
        return Plateau("rising", len(judged), gain, ())
    state: State = "flat"
    if len(judged) == WINDOW * EXHAUSTED and not _gain(archive, names, judged)[1]:
        state = "exhausted"
    return Plateau(state, len(judged), gain, ())


def _gain(
    archive: Archive, names: Sequence[str], window: Sequence[dict[str, Any]]
) -> tuple[tuple[float, float, float] | None, bool]:
    """The largest gain of a window's members over the champion before it; whether one is shown."""
    from cambrian.evaluators.statistics.families import is_over_families
    from cambrian.evolution.admission.records import results_of

    before = archive.agents.champion(int(window[-1]["idx"]) - 1)
    if before is None:
        return None, False

    level = results_of(archive, before.id)
    over_families = is_over_families(len(names), len(level.search))

    def scores(results: Results) -> list[Any]:
        """Its means, a benchmark or a seed each, as a list of one; none if it lacks some."""
        with contextlib.suppress(KeyError):
            if over_families:
                return [results.table(names, level.search).mean(axis=1)]
            return [np.array(results.per_seed(names, level.search))]
        return []

    if not (base := scores(level)):
        return None, False
    members = [str(row["agent_id"]) for row in window if row["state"] == "admitted"]
    found = [one for member in members for one in scores(results_of(archive, member))]
    differences = np.array(found) - base[0] if found else np.empty((0, 0))
    return largest_gain(differences, len(window), level.shares(names) if over_families else None)


def largest_gain(
    differences: np.ndarray, tried: int, shares: Sequence[float] | None = None
) -> tuple[tuple[float, float, float] | None, bool]:
    """The largest of paired differences to one champion: mean and bounds, or None without members;
    and whether any is above 0, at α over `tried` looks.

    Args:
        differences: (members, seeds), or with `shares` of the benchmarks (members, benchmarks).
    """
    if not len(differences):
        return None, False
    if shares is None:
        mean = differences.mean(axis=1)
        spread = differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1])
        freedom = differences.shape[1] - 1.0
    else:
        from cambrian.evaluators.statistics.families import error_over_families

        mean, spread, freedom = error_over_families(differences, shares)
    reach = _quantile(tried, freedom) * spread
    shown = mean - reach > 0  # equal to the last bit is no gain
    best = int(np.argmax(mean - reach if shown.any() else mean))
    bounds = (float(mean[best]), float((mean - reach)[best]), float((mean + reach)[best]))
    return bounds, bool(shown.any())


@lru_cache
def _quantile(tried: int, freedom: float) -> float:
    """Of Student's t, what is exceeded with a chance of α over `tried` looks."""
    from scipy import stats  # heavy: a status of a young run does without

    return float(stats.t.isf(ALPHA / tried, freedom))


def _advice(archive: Archive, run: Run, state: State) -> tuple[str, ...]:
    """What a search that finds nothing more could be given."""
    rows = archive.database.rows(_TRIED)
    untried = sorted(set(catalogue()) - {str(row["mechanism"]) for row in rows})
    found = []
    if untried:
        found.append(f"mechanisms that were never tried: {', '.join(untried)}")
    if state == "exhausted":
        if run.settings.get("rewriter", "recombine") == "recombine":
            found.append("a model as the source of edits (--rewriter model)")
        found.append("new mechanisms in the catalogue (docs/extend.md), or another seed agent")
        found.append("another suite: on this one the search may be at its limit (`bench suites`)")
        if run.settings.get("rules", {}).get("seeds") != "raced":
            found.append("more seeds, to tell small gains from chance (--seeds raced)")
    return tuple(found)
