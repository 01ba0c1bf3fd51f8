"""Which of an agent's parts it needs: ablations with intervals, and the smallest core.

Each optional part of a composed agent is taken out, and each pair of them, by editing the code. All
are run on the seeds of a search, so that what is compared is paired. Then parts are given up one
after the other, each time the one whose loss costs least on these seeds: a chain of ever smaller
agents. The chain is judged on fresh seeds, from the largest on, each by the rule of "not worse"
with the thresholds of admission, until one fails. Tested in an order that was fixed on other seeds,
the chance that any is wrongly called not worse stays that of one test (fixed-sequence testing,
Maurer et al. 1995). The core is the last that passed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

from cambrian.agents.edits import EditError
from cambrian.agents.recombine.agent import Agent
from cambrian.agents.tree import SourceTree
from cambrian.errors import InvalidAgent, UsageError
from cambrian.evaluators.benchmarks import STAGES, sealed_names
from cambrian.evaluators.statistics import Estimate, mean_interval, paired_difference
from cambrian.evaluators.statistics.suite import FAILED
from cambrian.evaluators.suites import sealed_part
from cambrian.evolution.admission.results import SEARCH_SEEDS
from cambrian.evolution.admission.thresholds import Rules
from cambrian.measurement import Unit
from cambrian.suite import Suite

Removed = tuple[str, ...]
"""The classes of the parts that were taken out, in the order of the parts list."""

Scores = Mapping[tuple[str, str, int], float | None]
"""By benchmark, stage and seed; None for a failure."""

Judge = Callable[[Sequence[tuple[SourceTree, Sequence[Unit]]]], None]
"""Has source trees run on units, as far as they were not."""

Known = Callable[[SourceTree], Scores]
"""What is known of a source tree."""


@dataclass(frozen=True)
class Effect:
    """What parts are worth: the score with them minus the score without, paired over seeds.

    Attributes:
        without: the score without them. interaction: of a pair, what it is worth minus what its two
            parts are worth alone; above 0 where one stands in for the other, below 0 where one is
            of use with the other only.
        failed: the agent fails on a benchmark without them; it counts `FAILED` there.
    """

    parts: Removed
    without: Estimate
    worth: Estimate
    interaction: Estimate | None = None
    failed: bool = False


@dataclass(frozen=True)
class Step:
    """An agent of the chain: without which parts, and its paired difference to the original on the
    seeds that chose it, and on fresh ones; `fresh` is None where the test had ended before."""

    removed: Removed
    chosen: Estimate
    fresh: Estimate | None = None
    passed: bool = False


@dataclass(frozen=True)
class Distilled:
    """The answer.

    Attributes:
        parts: the optional ones. kept: those of the core. margin, confidence: of "not worse".
        sealed, core_sealed, sealed_apart: on the suite's families on sealed data and the families
            that no search draws: the original, the core, and core minus original.
    """

    suite: str
    parts: Removed
    original: Estimate
    effects: tuple[Effect, ...]
    steps: tuple[Step, ...]
    removed: Removed
    kept: Removed
    margin: float
    confidence: float
    sealed: Estimate | None = None
    core_sealed: Estimate | None = None
    sealed_apart: Estimate | None = None
    files: Mapping[str, str] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """Plain data; the core's files are not in it."""
        return {name: value for name, value in asdict(self).items() if name != "files"}


class Ablation:
    """The variants of one agent without some of its parts.

    Raises:
        UsageError: it has no parts that it could do without.
    """

    def __init__(self, tree: SourceTree) -> None:
        try:
            self._agent = Agent.of(tree)
            self.parts: Removed = tuple(part.cls for part in self._agent.optional)
        except EditError as error:
            raise UsageError(f"expected an agent that is composed of parts; {error}") from error
        if not self.parts:
            raise UsageError(
                "expected an agent that is composed of parts, some of them optional, got one with "
                "none: there is nothing to take out (`cambrian agent code ID` shows its list)"
            )
        self._tree = tree
        self._known: dict[Removed, SourceTree] = {(): tree}

    def ordered(self, names: Iterable[str]) -> Removed:
        """Names of parts, in the order of the parts list."""
        wanted = set(names)
        return tuple(name for name in self.parts if name in wanted)

    def without(self, removed: Removed) -> SourceTree:
        """The agent without some parts.

        Raises:
            UsageError: what is left is no agent.
        """
        if removed not in self._known:
            left = [part for part in self._agent.parts if part.cls not in removed]
            made = self._agent.with_parts(left)
            try:
                self._known[removed] = SourceTree(dict(made.files))
            except InvalidAgent as error:
                raise UsageError(f"without {', '.join(removed)} it is no agent: {error}") from error
        return self._known[removed]


def search_units(suite: Suite) -> list[Unit]:
    """What an ablation is judged by: the seeds of a search."""
    return [
        Unit(name, "screen" if seed in STAGES["screen"] else "full", seed)
        for seed in SEARCH_SEEDS[: suite.seeds]
        for name in suite.benchmarks
    ]


def fresh_units(suite: Suite) -> list[Unit]:
    """What the core is judged by: seeds that neither a search nor the choosing used."""
    return [Unit(name, "race", seed) for seed in STAGES["race"] for name in suite.benchmarks]


def sealed_units(suite: Suite) -> list[Unit]:
    """The suite's families on sealed data, and its families that no search draws."""
    unseen = sealed_part(suite.name) if suite.name else sealed_names(suite.benchmarks)
    names = dict.fromkeys((*suite.benchmarks, *unseen))
    return [Unit(name, "sealed", seed) for seed in STAGES["sealed"] for name in names]


def distil(tree: SourceTree, suite: Suite, judge: Judge, known: Known) -> Distilled:
    """Find the core of an agent. Sealed scores are for `sealed_beside`.

    Raises:
        UsageError: it has no optional parts. Others: what `judge` raises.
    """
    ablation, rules = Ablation(tree), Rules()
    table = _Table(ablation, suite, judge, known)
    singles = [(name,) for name in ablation.parts]
    pairs = list(combinations(ablation.parts, 2))
    search = search_units(suite)
    table.run([(), *singles, *pairs], search)
    chain = _chain(ablation, table, search, rules)
    steps, removed = _tested(chain, table, search, fresh_units(suite), rules)
    return Distilled(
        suite.name or ", ".join(suite.benchmarks),
        ablation.parts,
        mean_interval(table.per_seed((), search)),
        tuple(_effect(one, table, search) for one in [*singles, *pairs]),
        tuple(steps),
        removed,
        tuple(name for name in ablation.parts if name not in removed),
        rules.margin,
        rules.confidence,
        files=dict(ablation.without(removed)),
    )


class _Table:
    """The scores of variants, by what was removed."""

    def __init__(self, ablation: Ablation, suite: Suite, judge: Judge, known: Known) -> None:
        self._ablation, self._judge, self._known = ablation, judge, known
        self._weights = suite.weights

    def run(self, variants: Sequence[Removed], units: Sequence[Unit]) -> None:
        self._judge([(self._ablation.without(one), units) for one in variants])

    def per_seed(self, removed: Removed, units: Sequence[Unit]) -> list[float]:
        return per_seed(self._known(self._ablation.without(removed)), units, self._weights)

    def failed(self, removed: Removed, units: Sequence[Unit]) -> bool:
        scores = self._known(self._ablation.without(removed))
        return any(scores.get(_key(unit)) is None for unit in units)


def per_seed(
    scores: Scores, units: Sequence[Unit], weights: Mapping[str, float] | None = None
) -> list[float]:
    """For each seed of some units, the (weighted) mean over their benchmarks; `FAILED` for what was
    failed on."""
    rows: dict[int, list[tuple[float, float]]] = {}
    for unit in units:
        score = scores.get(_key(unit))
        weight = 1.0 if weights is None else weights[unit.benchmark]
        rows.setdefault(unit.seed, []).append((weight, FAILED if score is None else score))
    return [sum(w * s for w, s in row) / sum(w for w, _ in row) for row in rows.values()]


def _key(unit: Unit) -> tuple[str, str, int]:
    return unit.benchmark, unit.stage, unit.seed


def _effect(removed: Removed, table: _Table, units: Sequence[Unit]) -> Effect:
    whole, without = table.per_seed((), units), table.per_seed(removed, units)
    interaction = None
    if len(removed) == 2:
        one, other = (table.per_seed((name,), units) for name in removed)
        # (whole − without) − (whole − one) − (whole − other), seed by seed
        interaction = mean_interval(
            [a + b - w - p for a, b, w, p in zip(one, other, whole, without, strict=True)]
        )
    return Effect(
        removed,
        mean_interval(without),
        paired_difference(whole, without),
        interaction,
        table.failed(removed, units),
    )


def _chain(ablation: Ablation, table: _Table, units: Sequence[Unit], rules: Rules) -> list[Removed]:
    """Ever smaller agents, as long as the mean stays within the margin on the seeds that choose."""
    whole, chain = table.per_seed((), units), list[Removed]()
    gone: Removed = ()
    while len(gone) < len(ablation.parts):
        options = [ablation.ordered({*gone, name}) for name in ablation.parts if name not in gone]
        table.run(options, units)
        means = {one: sum(table.per_seed(one, units)) / len(whole) for one in options}
        best = max(options, key=lambda one: means[one])
        if means[best] - sum(whole) / len(whole) < -rules.margin:
            break
        gone = best
        chain.append(best)
    return chain


def _tested(
    chain: Sequence[Removed],
    table: _Table,
    search: Sequence[Unit],
    fresh: Sequence[Unit],
    rules: Rules,
) -> tuple[list[Step], Removed]:
    """The chain on fresh seeds, in its order, until one is not shown to be not worse."""
    steps, going = list[Step](), bool(chain)
    core: Removed = ()
    for removed in chain:
        chosen = paired_difference(table.per_seed(removed, search), table.per_seed((), search))
        found = None
        if going:
            table.run([(), removed], fresh)
            mine, its = table.per_seed(removed, fresh), table.per_seed((), fresh)
            found = paired_difference(mine, its, rules.confidence)
            going = found.lower > -rules.margin
            core = removed if going else core
        steps.append(Step(removed, chosen, found, going))
    return steps, core


def sealed_beside(
    found: Distilled, original: SourceTree, suite: Suite, judge: Judge, known: Known
) -> Distilled:
    """The same with the core's score on sealed data beside the original's.

    Raises:
        What `judge` raises.
    """
    core, units = SourceTree(dict(found.files)), sealed_units(suite)
    judge([(original, units), (core, units)])
    its, mine = (per_seed(known(tree), units) for tree in (original, core))
    return replace(
        found,
        sealed=mean_interval(its),
        core_sealed=mean_interval(mine),
        sealed_apart=paired_difference(mine, its),
    )


def markdown(found: Distilled) -> str:
    """Tables, with what the figures are below them."""
    lines = [
        f"Suite {found.suite}. The original: {_told(found.original)}.",
        "",
        "| without | score | what it is worth | interaction |",
        "|---|---|---|---|",
    ]
    for one in found.effects:
        failed = " (fails)" if one.failed else ""
        more = "" if one.interaction is None else _told(one.interaction, "+")
        lines.append(
            f"| {' + '.join(one.parts)} | {_told(one.without)}{failed} | {_told(one.worth, '+')} | "
            f"{more} |"
        )
    lines += ["", *_steps(found), "", _core(found), ""]
    if found.sealed and found.core_sealed and found.sealed_apart:
        apart = _told(found.sealed_apart, "+")
        told = f"the original {_told(found.sealed)}, the core {_told(found.core_sealed)}"
        lines += [f"On sealed data: {told}, core minus original {apart}.", ""]
    return "\n".join([*lines, _MEANING, ""])


_MEANING = (
    "Worth: the score with the parts minus the score without, on the seeds of a search, with 95 % "
    "intervals paired over seeds; they are not corrected for their number. Interaction: what a "
    "pair is worth minus what its two parts are worth alone: above 0 where one stands in for the "
    "other, below 0 where one is of use with the other only. A benchmark that a variant fails on "
    "counts -1."
)


def _steps(found: Distilled) -> list[str]:
    if not found.steps:
        return ["No part can be given up within the margin on the seeds of a search."]
    lines = [
        "| given up, in this order | on the seeds that chose | on fresh seeds | not worse |",
        "|---|---|---|---|",
    ]
    for one in found.steps:
        fresh = "not tested" if one.fresh is None else _told(one.fresh, "+")
        verdict = "–" if one.fresh is None else ("yes" if one.passed else "not shown")
        lines.append(
            f"| {' + '.join(one.removed)} | {_told(one.chosen, '+')} | {fresh} | {verdict} |"
        )
    return lines


def _core(found: Distilled) -> str:
    rule = f"(lower bound at {found.confidence:.0%} above -{found.margin:g} on fresh seeds)"
    if not found.removed:
        return f"The core is the original: nothing less was shown to be not worse {rule}."
    kept = ", ".join(found.kept) or "none"
    return (
        f"The core does without {', '.join(found.removed)} and is not worse {rule}; of the "
        f"optional parts it keeps {kept}."
    )


def _told(found: Estimate, sign: str = "") -> str:
    return f"{found.mean:{sign}.3f} [{found.lower:{sign}.3f}, {found.upper:{sign}.3f}]"
