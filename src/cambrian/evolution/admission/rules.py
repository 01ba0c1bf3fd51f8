"""What makes a variant a member: gates, each with its rule, threshold, value and verdict.

Admission is of one of two kinds. *Improvement*: better than its parent, paired over seeds, at a
stated confidence. *Stepping stone*: by the usual rule, above the floor, and either not worse than
its parent beyond a margin, or behaviourally new beyond seed noise, within a quota. Which gates lead
to which kind is data: `thresholds.ADMISSIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cambrian.archive import Gate
from cambrian.evaluators.statistics import RACE, claim, next_look, paired_difference
from cambrian.evaluators.statistics.families import is_over_families
from cambrian.evaluators.statistics.prospects import Bound
from cambrian.evolution.admission.neighbours import Neighbours
from cambrian.evolution.admission.results import Results
from cambrian.evolution.admission.thresholds import (
    ADMISSIONS,
    Admission,
    AdmissionName,
    Kind,
    Rules,
)

SAME_LEARNER = "another improver for its parent's learner"
"""The reason of those that learn as their parents do; the quota counts them too."""


@dataclass(frozen=True)
class Decision:
    """Admitted as `kind`, or rejected (None), with every gate that was looked at."""

    kind: Kind | None
    reason: str
    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class ArchiveState:
    """What a decision may know of the archive: decided before, in proposal order.

    Attributes:
        members: how every member behaves (seeds included).
        admitted: how many proposals were admitted, `novel` of them for novelty, or a new improver,
            alone.
    """

    members: Neighbours
    admitted: int
    novel: int


def verdict(passed: bool) -> Literal["pass", "fail"]:
    """A gate's verdict: "pass" or "fail"."""
    return "pass" if passed else "fail"


def least(admission: AdmissionName, rules: Rules, *, room: bool) -> float | None:
    """The mean paired difference to the parent below which no route leads into the tree; None:
    there is none. `room`: whether one more may be in for novelty."""
    bounds = {"improvement": 0.0, "not_worse": -rules.margin, "near": -rules.screen_margin}
    bounds["pareto"] = bounds["as_good"] = -rules.margin
    open_routes = [r for r in ADMISSIONS[admission].routes if room or "quota" not in r.gates]
    asked = [[bounds[g] for g in route.gates if g in bounds] for route in open_routes]
    return min(map(max, asked)) if all(asked) else None


_BOUNDS: Mapping[str, Callable[[Rules], Bound]] = {
    "improvement": lambda rules: Bound(0.0),
    "not_worse": lambda rules: Bound(-rules.margin),
    "pareto": lambda rules: Bound(-rules.margin, "mean"),
    "as_good": lambda rules: Bound(-rules.margin, "mean"),
    "near": lambda rules: Bound(-rules.screen_margin, "mean"),
}


def bounds(admission: AdmissionName, rules: Rules, *, novel: bool) -> list[Bound] | None:
    """What each route into the tree asks of the difference to the parent; None: one asks nothing.

    Args:
        novel: whether a variant may be in for novelty: there is room for it, and it behaves in a
            way that may be new.
    """
    routes = [r for r in ADMISSIONS[admission].routes if novel or "novelty" not in r.gates]
    asked = [next((gate for gate in _BOUNDS if gate in route.gates), None) for route in routes]
    return None if None in asked else [_BOUNDS[gate](rules) for gate in asked if gate]


def more_seeds(
    child: Results, parent: Results, benchmarks: Sequence[str], rules: Rules
) -> int | None:
    """How many seeds both should have before the variant is judged; None: those it has will do."""
    if rules.seeds == "fixed":
        return None
    return next_look(child.raced(parent, benchmarks), RACE)


def judge(
    child: Results,
    parent: Results,
    benchmarks: Sequence[str],
    standing: ArchiveState,
    rules: Rules,
    *,
    same_learner: bool = False,
    admission: AdmissionName = "stepping-stones",
) -> Decision:
    """Judge a variant that has been through the full stage. Every gate is looked at and kept.

    Args:
        same_learner: its learner is its parent's, so that its results are too, and say nothing
            for it; its improver may be better, which only its descendants will show.
        admission: which rule its gates are held to.
    """
    rule = ADMISSIONS[admission]
    gates = [
        improvement(child, parent, benchmarks, rules),
        above_floor(child, benchmarks),
        not_worse(child, parent, benchmarks, rules),
        near(child, parent, benchmarks, rules),
        novelty(child, standing.members, benchmarks, rules),
        quota(standing, rules),
    ]
    for name, more in (("pareto", pareto), ("as_good", as_good)):
        if name in rule.gates:
            gates.append(more(child, parent, benchmarks, rules))
    passed = {gate.gate for gate in gates if gate.verdict == "pass"}
    if same_learner and rule.another_improver:
        return _another_improver(passed, tuple(gates))
    said = Gate(gate="admission", rule=f"the rule is {admission}", verdict="info")
    every = (*gates, said)
    for route in rule.routes:
        if passed.issuperset(route.gates):
            return Decision(route.kind, route.reason, every)
    return Decision(None, _why_not(rule, passed), every)


def _why_not(rule: Admission, passed: set[str]) -> str:
    """Why no route leads in, in the words of the gate that was in the way."""
    if "floor" in rule.gates and "floor" not in passed:
        return "not above the floor"
    lacking = [set(route.gates) - passed for route in rule.routes]
    if {"quota"} in lacking:
        return "new, but the quota for novelty is full"
    return rule.otherwise


def _another_improver(passed: set[str], gates: tuple[Gate, ...]) -> Decision:
    """A stepping stone within the quota, and never for scores that are its parent's."""
    same = Gate(
        gate="learner",
        rule="the learner is another than its parent's; if not, only the quota lets it in",
        verdict="info",
        detail="the same learner: the results are its parent's",
    )
    if "floor" not in passed:
        return Decision(None, "not above the floor", (*gates, same))
    if "quota" in passed:
        return Decision("stepping_stone", SAME_LEARNER, (*gates, same))
    return Decision(None, f"{SAME_LEARNER}, but the quota is full", (*gates, same))


def improvement(child: Results, parent: Results, benchmarks: Sequence[str], rules: Rules) -> Gate:
    """Paired over seeds (common random numbers)."""
    return _paired("improvement", 0.0, child, parent, benchmarks, rules)


def _paired(
    name: str,
    threshold: float,
    child: Results,
    parent: Results,
    benchmarks: Sequence[str],
    rules: Rules,
) -> Gate:
    """Whether the paired difference to the parent is shown to be above the threshold."""
    if rules.seeds == "raced":
        found = claim(child.raced(parent, benchmarks), RACE, threshold)
        estimate, passed = found.estimate, found.holds
        how = (
            f"one-sided {(1 + estimate.confidence) / 2:.1%} t bound over {estimate.seeds} seeds, "
            f"look {found.look} of {len(RACE.looks)}"
        )
    else:
        estimate = child.gain(parent, benchmarks, rules.confidence)
        passed = estimate.lower > threshold
        how = f"{rules.confidence:.0%} two-sided t interval over {estimate.seeds} seeds"
        if is_over_families(len(benchmarks), estimate.seeds):
            how = f"{rules.confidence:.0%} two-sided t interval over {len(benchmarks)} benchmarks"
            how += f" of {estimate.seeds} seeds each"
    return Gate(
        gate=name,
        rule=f"lower bound of the paired difference to the parent ({how}) is above the threshold",
        verdict=verdict(passed),
        threshold=threshold,
        value=estimate.mean,
        lower=estimate.lower,
        upper=estimate.upper,
    )


def above_floor(child: Results, benchmarks: Sequence[str]) -> Gate:
    """The gate `floor`: the mean normalised score over the search's seeds is above 0, fine-
    tuning's."""
    estimate = child.estimate(benchmarks, child.search)
    return Gate(
        gate="floor",
        rule="mean normalised score is above the threshold",
        verdict=verdict(estimate.mean > 0),
        threshold=0.0,
        value=estimate.mean,
        lower=estimate.lower,
        upper=estimate.upper,
    )


def not_worse(child: Results, parent: Results, benchmarks: Sequence[str], rules: Rules) -> Gate:
    """Non-inferiority: the lower bound of the paired difference stays above −margin."""
    return _paired("not_worse", -rules.margin, child, parent, benchmarks, rules)


def near(child: Results, parent: Results, benchmarks: Sequence[str], rules: Rules) -> Gate:
    """Not so far below its parent that no novelty makes up for it."""
    return _on_average("near", -rules.screen_margin, child, parent, benchmarks)


def as_good(child: Results, parent: Results, benchmarks: Sequence[str], rules: Rules) -> Gate:
    """As good as its parent on average, give or take the margin; no proof is asked for."""
    return _on_average("as_good", -rules.margin, child, parent, benchmarks)


def _on_average(
    name: str, threshold: float, child: Results, parent: Results, benchmarks: Sequence[str]
) -> Gate:
    mine, its = (one.per_seed(benchmarks, child.search) for one in (child, parent))
    mean = float(np.mean(np.subtract(mine, its)))
    return Gate(
        gate=name,
        rule="mean paired difference to the parent is at least the threshold",
        verdict=verdict(mean >= threshold),
        threshold=threshold,
        value=mean,
    )


def pareto(child: Results, parent: Results, benchmarks: Sequence[str], rules: Rules) -> Gate:
    """Better on one benchmark, at the stated confidence for all of them together (Bonferroni), and
    on none worse on average beyond the margin."""
    each = 1 - (1 - rules.confidence) / len(benchmarks)
    found = {}
    for name in benchmarks:
        mine, its = (one.per_seed([name], child.search) for one in (child, parent))
        found[name] = paired_difference(mine, its, each)
    best = max(found, key=lambda name: found[name].lower)
    worst = min(found, key=lambda name: found[name].mean)
    level = found[worst].mean >= -rules.margin
    return Gate(
        gate="pareto",
        rule=f"on one benchmark the lower bound of the paired difference ({each:.1%} two-sided t "
        "interval) is above the threshold, and on none is the mean below minus the margin",
        verdict=verdict(level and found[best].lower > 0),
        threshold=0.0,
        value=found[best].mean,
        lower=found[best].lower,
        upper=found[best].upper,
        detail=f"best on {best}; worst on {worst}, {found[worst].mean:+.3f} for a margin of "
        f"{rules.margin:g}",
    )


def novelty(child: Results, members: Neighbours, benchmarks: Sequence[str], rules: Rules) -> Gate:
    """Mean distance to the nearest members (Lehman & Stanley 2011), in units of seed noise.

    The distance of two agents is the root mean square, over the entries of their behaviours'
    means over seeds, of the difference divided by the noise: the standard deviation over seeds
    of the child, at least `noise_floor`. Of a few seeds of many benchmarks it is the root mean
    square over benchmarks, entry by entry.
    """
    mine = child.behaviour(benchmarks, child.search)
    noise = _noise(mine, len(benchmarks), rules)
    if not len(members):
        return Gate(gate="novelty", rule="nothing to compare with", verdict="pass")
    nearest = float(members.nearest(mine.mean(axis=0), noise, rules.neighbours).mean())
    return Gate(
        gate="novelty",
        rule=f"mean distance to the {rules.neighbours} nearest members, in units of seed noise, is "
        "above the threshold",
        verdict=verdict(nearest > rules.novelty),
        threshold=rules.novelty,
        value=nearest,
    )


def _noise(behaviour: np.ndarray, benchmarks: int, rules: Rules) -> np.ndarray:
    """What of a behaviour (seeds, entries) is chance, (entries,)."""
    spread = behaviour.std(axis=0, ddof=1)
    if is_over_families(benchmarks, len(behaviour)):
        each = spread[:-1].reshape(benchmarks, -1)
        spread[:-1] = np.tile(np.sqrt((each**2).mean(axis=0)), benchmarks)
    floors = np.full(len(spread), rules.noise_floor)
    floors[-1] = rules.flops_noise  # they hardly vary; spending more is not behaving new
    found: np.ndarray = np.maximum(spread, floors)
    return found


def nearest_so_far(
    child: Results,
    others: Sequence[Results],
    whole: Sequence[str],
    seen: Sequence[str],
    rules: Rules,
) -> float:
    """The least distance to some members on the first seed of what a variant has met, in units of
    the noise that the members have on the whole: what `novelty` may hardly come out above.

    Args:
        whole: the suite's benchmarks, on which every member was run. seen: those met.
    """
    noise = np.mean(
        [_noise(o.behaviour(whole, o.search), len(whole), rules) for o in others], axis=0
    )
    entries = len(noise) // len(whole)
    kept = np.append(np.tile(noise[:entries], len(seen)), noise[-1])
    first = child.search[:1]
    mine, *its = (one.behaviour(seen, first)[0] for one in (child, *others))
    return min(float(np.sqrt((((mine - one) / kept) ** 2).mean())) for one in its)


def quota(standing: ArchiveState, rules: Rules) -> Gate:
    """Whether one more may be in for novelty, or a new improver, alone; the first always may."""
    share = (standing.novel + 1) / (standing.admitted + 1)
    allowed = standing.novel == 0 or share <= rules.quota
    return Gate(
        gate="quota",
        rule="share of members admitted for novelty alone, this one included, is at most the "
        "threshold (the first always may)",
        verdict=verdict(allowed),
        threshold=rules.quota,
        value=share,
    )
