"""De Lange et al. 2023: what was learned is lost for a few batches and comes back."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from cambrian.claims.agents import composed
from cambrian.claims.claim import Claim, Close, Derived, Figures, Gain, Test
from cambrian.claims.rig import Run
from cambrian.evaluators.benchmarks.base import Outcome
from cambrian.evaluators.benchmarks.scenarios import Scenario, Views
from cambrian.evaluators.benchmarks.streams import SCENARIOS
from cambrian.evaluators.protocols.views import rotations

ER = composed(("reservoir", {}))
ACE = composed(("reservoir", {"asymmetry": 1.0}))
DER = composed(("dark_replay", {}))
EWC = composed(("ewc", {"strength": 100.0}))
STREAMS = ("split-mnist", "split-mnist+each-batch", "online-mnist")
CLOSE_UP = "split-mnist+each-batch"


def rotated(step: float) -> Scenario:
    """Two tasks so many degrees apart, every batch probed."""
    base = next(stream for stream in SCENARIOS if stream.name == "rotated-mnist")
    split = Views(10, 2, functools.partial(rotations, step))
    return dataclasses.replace(base, name=f"rotated-{step:g}", split=split, probe_every=1)


def first_task(outcome: Outcome) -> dict[str, float]:
    """Of the first of two tasks: how far its accuracy falls while the second is learned, and how
    much of that has come back at the end, by the same probes."""
    probes = outcome.matrices["probes"]
    while_second = probes[probes[:, 0] == 1, 1].astype(np.float64)
    lowest = outcome.metrics["min_accuracy"]
    return {
        "fall": float(outcome.matrices["accuracy"][0, 0]) - lowest,
        "recovered": float(while_second[-1] - while_second.min()),
    }


def gap(condition: str) -> Callable[[Figures], list[float]]:
    """Final accuracy less min-ACC, per seed."""

    def values(figures: Figures) -> list[float]:
        ends, lows = (figures.each(condition, name) for name in ("accuracy", "min_accuracy"))
        return [end - low for end, low in zip(ends, lows, strict=True)]

    return values


def halved(figures: Figures) -> list[float]:
    """Half of ER's gap less that of ER-ACE, per seed."""
    pairs = zip(gap(f"ER, {CLOSE_UP}")(figures), gap(f"ER-ACE, {CLOSE_UP}")(figures), strict=True)
    return [0.5 * er - ace for er, ace in pairs]


def asymmetric(stream: str) -> tuple[Test, Test]:
    """ER and ER-ACE: the same in the end, and far apart on the way."""
    pair = f"ER-ACE, {stream}", f"ER, {stream}"
    return (
        Close(f"ER-ACE ends where ER does, to five points, {stream}", *pair, within=0.05),
        Gain(f"its min-ACC is ten points higher, {stream}", *pair, "min_accuracy", by=0.1),
    )


CLAIM = Claim(
    name="stability_gap",
    row=49,
    citation="De Lange et al. 2023, Continual evaluation for lifelong learning: Identifying the "
    "stability gap, ICLR, arXiv 2205.13452",
    says="Replay and regularisation alike lose earlier tasks for the first batches of a new one "
    "and recover; the less alike the tasks are, the more; final accuracy does not show it.",
    experiment="Min-ACC beside final accuracy with every batch probed: ER, ER-ACE, DER++ on "
    "split-mnist; ER and EWC on two rotations, 15° or 90° apart. Refuted if min-ACC is not below "
    "what is reached in the end, or the fall is no larger at 90°.",
    controls="The same images, permutation of labels, rates and seeds in each pair; fixed subsets "
    "to probe with (a subset drawn anew would bias minima down). ER and ER-ACE differ by their "
    "loss alone (Caccia et al. 2022, arXiv 2104.05025).",
    conditions={
        **{f"ER, {name}": Run(ER, name) for name in STREAMS},
        **{f"ER-ACE, {name}": Run(ACE, name) for name in STREAMS},
        f"DER++, {CLOSE_UP}": Run(DER, CLOSE_UP),
        "ER, 15°": Run(ER, rotated(15.0), first_task),
        "ER, 90°": Run(ER, rotated(90.0), first_task),
        "EWC, 90°": Run(EWC, rotated(90.0), first_task),
    },
    tests=(
        Derived(f"ER's min-ACC is 0.15 below its end, {CLOSE_UP}", gap(f"ER, {CLOSE_UP}"), by=0.15),
        Derived(f"so is that of DER++, {CLOSE_UP}", gap(f"DER++, {CLOSE_UP}"), by=0.15),
        Derived(
            "EWC regains five points of the first of two tasks, 90° apart",
            lambda figures: figures.each("EWC, 90°", "recovered"),
            by=0.05,
        ),
        Gain("ER's fall is larger at 90° than at 15°", "ER, 90°", "ER, 15°", "fall"),
        Derived(f"ER-ACE halves the gap, {CLOSE_UP}", halved),
        *(test for stream in STREAMS for test in asymmetric(stream)),
    ),
)
