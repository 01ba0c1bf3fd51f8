"""Which variants leave before all of their units were run, and in what order they meet these.

A decision is a function of the results of the first units in a fixed order, whatever else is
recorded by then; so it does not depend on who ran what when, nor on kills.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cambrian.archive import Archive, Gate, Proposal
from cambrian.evaluators.benchmarks import STAGES, benchmark
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.statistics.families import is_over_families
from cambrian.evaluators.statistics.prospects import LEAST, USUAL, Bound, chance
from cambrian.evaluators.statistics.sequential import CURTAILMENT, Outlook, outlook
from cambrian.evolution.admission import rules
from cambrian.evolution.admission.records import kind_of, results_of, units
from cambrian.evolution.admission.results import RACE_SEEDS, Results
from cambrian.evolution.admission.thresholds import NEW, AdmissionName, Rules
from cambrian.measurement import Unit


def in_turn(benchmarks: Sequence[str]) -> tuple[str, ...]:
    """The benchmarks, one of each kind of stream in turn, cheap ones of a kind first. What a change
    does differs more between kinds than within one, so that the first few speak for the rest."""
    cheap_first = sorted(benchmarks, key=lambda name: calibration(benchmark(name)).cpu_s)
    seen: Counter[str] = Counter()
    turns = []
    for name in cheap_first:
        kind = kind_of(name)
        turns.append((seen[kind], name))
        seen[kind] += 1
    return tuple(name for _, name in sorted(turns, key=lambda each: each[0]))


def order_of(turns: Sequence[str], place: int) -> tuple[str, ...]:
    """Benchmarks that stand in turn (`in_turn`), as the agent of a place meets them: every other
    one has neighbours changed, so that two that are judged side by side seldom wait for each
    other's stream."""
    found = list(turns)
    if place % 2:
        for at in range(0, len(found) - 1, 2):
            found[at], found[at + 1] = found[at + 1], found[at]
    return tuple(found)


class Leaving:
    """The rule over one archive, some benchmarks and one rule of admission."""

    def __init__(
        self,
        archive: Archive,
        benchmarks: Sequence[str],
        thresholds: Rules,
        admission: AdmissionName,
    ) -> None:
        self._archive = archive
        self._rules = thresholds
        raced = thresholds.seeds == "raced"
        self._seeds = len(RACE_SEEDS) if raced else archive.suites.seeds()
        self._admission: AdmissionName = admission
        self._over_families = not raced and is_over_families(len(benchmarks), self._seeds)
        self._in_turn = in_turn(benchmarks)

    def order(self, place: int) -> tuple[str, ...]:
        """The benchmarks as the agent of a place meets them."""
        return order_of(self._in_turn, place)

    def units(self, place: int) -> list[Unit]:
        """All units from the screen on, in the order in which an agent meets them."""
        names = self.order(place)
        return [one for stage in ("screen", "full") for one in units(self._archive, stage, names)]

    def gate(self, proposal: Proposal, child: Results, parent: Results) -> Gate | None:
        """The gate that a variant fails with the results it has: at the first look at which the
        final difference to its parent will hardly come out where any route into the tree begins.
        None: it goes on."""
        found = self._first(proposal, child, parent)
        return None if found is None else found[1]

    def leaves_after(self, proposal: Proposal, child: Results, parent: Results) -> int | None:
        """After how many units a variant leaves; None: it goes on, as far as is known."""
        found = self._first(proposal, child, parent)
        return None if found is None else found[0]

    def _first(
        self, proposal: Proposal, child: Results, parent: Results
    ) -> tuple[int, Gate] | None:
        if self._over_families:
            return self._prospects(proposal, child, parent)
        lowest = rules.least(self._admission, self._rules, room=True)
        highest = rules.least(self._admission, self._rules, room=False)
        if lowest is None or highest is None:
            return None
        seen: dict[str, list[float]] = {name: [] for name in self._in_turn}
        shares = child.shares(self._in_turn)
        every = self.units(proposal.idx)
        for count, unit in enumerate(every[:-1], start=1):
            try:
                mine, its = (one.score(unit.benchmark, unit.seed) for one in (child, parent))
            except KeyError:
                return None
            seen[unit.benchmark].append(mine - its)
            view = outlook(list(seen.values()), self._seeds, shares)
            most = view.most(CURTAILMENT.tail)
            if most < lowest or (most < highest and not self._room(proposal)):
                bound = lowest if most < lowest else highest
                return count, _failed(unit, f"{count} of {len(every)}", view, most, bound)
        return None

    def _prospects(
        self, proposal: Proposal, child: Results, parent: Results
    ) -> tuple[int, Gate] | None:
        """The same where a difference is shown over families: by its chance to be."""
        names, shares = self._in_turn, child.shares(self._in_turn)
        seen: dict[str, list[float]] = {name: [] for name in names}
        every = self.units(proposal.idx)
        for count, unit in enumerate(every[:-1], start=1):
            try:
                mine, its = (one.score(unit.benchmark, unit.seed) for one in (child, parent))
            except KeyError:
                return None
            seen[unit.benchmark].append(mine - its)
            met = [name for name in names if seen[name]]
            if len(met) < USUAL.fewest:
                continue
            for novel in (False, True):  # few may be in for novelty: asked of the others only
                bounds = rules.bounds(self._admission, self._rules, novel=novel)
                if bounds is None:
                    return None
                found = self._chance(seen, shares, bounds)
                if found >= LEAST or (not novel and not self._may_be_new(proposal, child, met)):
                    break
            if found < LEAST:
                expected = outlook(list(seen.values()), self._seeds, shares).expected
                return count, _unlikely(unit, f"{count} of {len(every)}", expected, found)
        return None

    def _chance(
        self, seen: dict[str, list[float]], shares: Sequence[float], bounds: Sequence[Bound]
    ) -> float:
        return chance(list(seen.values()), self._seeds, shares, bounds, self._rules.confidence)

    def _may_be_new(self, proposal: Proposal, child: Results, met: Sequence[str]) -> bool:
        """Whether a variant may still be in for novelty: there is room, and it is as far from its
        parent and every seed agent, on what it has met, as it would have to be from members."""
        if not self._room(proposal):
            return False
        seeds = [one.id for one in self._archive.agents.seeds() if one.score is not None]
        kin = dict.fromkeys((proposal.parents[0], *seeds))
        others = [results_of(self._archive, one) for one in kin]
        whole = [one for one in others if set(one.search) <= set(one.seeds(self._in_turn))]
        if not whole:
            return True
        far = rules.nearest_so_far(child, whole, self._in_turn, met, self._rules)
        return far > self._rules.novelty

    def passed(self, proposal: Proposal, child: Results, parent: Results) -> Gate:
        """The gate that a variant passes whose screen is done and does not send it away."""
        seeds = STAGES["screen"]
        seen = [
            [child.score(name, seed) - parent.score(name, seed) for seed in seeds]
            for name in self._in_turn
        ]
        view = outlook(seen, self._seeds, child.shares(self._in_turn))
        if self._over_families:
            return Gate(
                gate="screen",
                rule=CHANCE,
                verdict="pass",
                value=view.expected,
                detail=_after(len(seen)),
            )
        bound = rules.least(self._admission, self._rules, room=self._room(proposal))
        return Gate(
            gate="screen",
            rule=RULE,
            verdict="pass",
            threshold=bound,
            value=view.expected,
            upper=view.most(CURTAILMENT.tail),
            detail=f"after {len(seen)} units; `upper` is what is held against the threshold",
        )

    def _room(self, proposal: Proposal) -> bool:
        """Whether one more may be in for novelty, as the proposal sees the archive. When it is
        decided a few more will be in, and the quota may have opened by then: that is not waited
        for."""
        admitted, novel = self._archive.proposals.admitted_through(
            proposal.seen_through, (NEW, rules.SAME_LEARNER)
        )
        return novel == 0 or (novel + 1) / (admitted + 1) <= self._rules.quota


CHANCE = (
    "the chance of being admitted, by how the families' differences to the parent look, is at "
    f"least {LEAST:.0%}"
)


def _after(units: int | str) -> str:
    return f"after {units} units; `value` is the difference expected in the end"


def _unlikely(unit: Unit, after: str, expected: float, found: float) -> Gate:
    return Gate(
        gate="screen" if unit.stage == "screen" else "outlook",
        rule=CHANCE,
        verdict="fail",
        value=expected,
        detail=f"{_after(after)}; the chance is {found:.1%}",
    )


CAREFUL = 0.6
"""Of what is forecast, the share that is held against the allowance. Over 38 variants the growth
from the smoke stage to a whole stream differed by a factor of 1.1 to 1.7 on one benchmark."""


def forecast(archive: Archive, child: str, parent: str, benchmarks: Sequence[str]) -> Gate | None:
    """The gate that a variant fails which used so much in the smoke stage that it will be over an
    allowance on the whole stream, if it grows as its parent did. None: it may be within them, or
    its parent is a seed agent, which has no smoke stage."""
    tried = {row.benchmark: row for row in archive.evaluations.of(child, "smoke")}
    its = {row.benchmark: row for row in archive.evaluations.of(parent, "smoke")}
    whole = {row.benchmark: row for row in archive.evaluations.of(parent, "screen")}
    worst = 1.0, ""
    for name in benchmarks:
        if not (name in tried and name in its and name in whole):
            continue
        measure = calibration(benchmark(name), "screen", whole[name].seed)
        for what, most in (
            ("flops", measure.flops_allowed),
            ("state_bytes", measure.state_allowed),
        ):
            mine, before, after = (getattr(rows[name], what) or 0 for rows in (tried, its, whole))
            if before and most:
                worst = max(worst, (CAREFUL * mine * after / before / most, f"{what} on {name}"))
    share, where = worst
    if not where:
        return None
    return Gate(
        gate="forecast",
        rule=f"{CAREFUL:.0%} of what it will use on the whole stream, if it grows from the smoke "
        "stage on as its parent did, is within the allowance",
        verdict="fail",
        threshold=1.0,
        value=share,
        detail=f"{share / CAREFUL:.2g} times the allowance of {where.replace('_', ' ')}",
    )


RULE = (
    "what the mean difference to the parent over all benchmarks and seeds may still come to "
    f"(one-sided {1 - CURTAILMENT.tail:.1%} bound) is at least the threshold"
)


def _failed(unit: Unit, after: str, view: Outlook, most: float, bound: float) -> Gate:
    return Gate(
        gate="screen" if unit.stage == "screen" else "outlook",
        rule=RULE,
        verdict="fail",
        threshold=bound,
        value=view.expected,
        upper=most,
        detail=f"after {after} units; `upper` is what is held against the threshold",
    )
