#!/usr/bin/env python3
"""Measure which orderings of the literature hold here, and write docs/orderings.json.

    tools/orderings.py [--seeds N] [--more] [--check]

Each is a comparison between seed agents, or the composed seed agent with mechanisms, on the same
streams and seeds, which are N from 100 on (`REPORTED`: nothing was tuned on them); what did not
reproduce, or is not settled by as many, is written down as such and decides nothing. `--more`
keeps what the file holds of as many seeds, and measures what it lacks. `--check`
measures nothing: it says what the file holds, and fails where it is missing or cut short. Our own
code only, so it runs without a sandbox.
"""

from __future__ import annotations

import argparse
import atexit
import dataclasses
import functools
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.agents.compose import compose
from cambrian.agents.seeds import load_seed
from cambrian.evaluators import benchmarks, metrics
from cambrian.evaluators.benchmarks.base import REPORTED, Benchmark, Outcome
from cambrian.evaluators.benchmarks.scenarios import Scenario, Views
from cambrian.evaluators.benchmarks.streams import SCENARIOS
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.job import drive
from cambrian.evaluators.protocols.views import permutations, rotations
from cambrian.evaluators.statistics import Estimate, mean_interval, paired_difference
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

TARGET = Path(__file__).resolve().parent.parent / "docs/orderings.json"
AGAIN = """
    ended = False

    def task_boundary(self) -> None:
        self.ended = True  # what was learned is still to be tested
"""
"""Fine-tuning that starts afresh with each task: a network for each, one at a time."""

LEARNING = "        loss = F.cross_entropy(self.forward(x), y)\n"
AFRESH = """        if self.ended:
            self.__init__(self.spec, seed=self.seed + 1, device=str(self.device))
            self.ended = False
"""


def afresh() -> dict[str, str]:
    plain = dict(load_seed("finetune"))
    learner = plain["learner.py"].replace(LEARNING, AFRESH + LEARNING)
    return {**plain, "learner.py": learner + AGAIN}


AGENTS: dict[str, Callable[[], Mapping[str, str]]] = {
    "finetune": lambda: load_seed("finetune"),
    "replay": lambda: load_seed("replay"),
    "random_features": lambda: load_seed("random_features"),
    "afresh": afresh,
    "plain": compose,
    "ewc": functools.partial(compose, ("ewc", {"strength": 100.0})),
    "plain at 0.05": functools.partial(compose, lr=0.05),
    "ewc at 0.05": functools.partial(compose, ("ewc", {"strength": 30.0}), lr=0.05),
    "er": functools.partial(compose, ("reservoir", {})),
    "er-ace": functools.partial(compose, ("reservoir", {"asymmetry": 1.0})),
    "label_map": functools.partial(compose, ("reservoir", {}), ("label_map", {})),
}


@functools.cache
def session_of(agent: str) -> Session:
    session = Session(PlainBackend())
    session.install(dict(AGENTS[agent]()))
    atexit.register(session.close)
    return session


_OUTCOMES: dict[tuple[str, str, int], Outcome] = {}


def outcome(agent: str, bench: Benchmark, seed: int) -> Outcome:
    """What an agent did on a stream, run once."""
    key = agent, bench.name, seed
    if key not in _OUTCOMES:
        _OUTCOMES[key] = _run(agent, bench, seed)
    return _OUTCOMES[key]


def _run(agent: str, bench: Benchmark, seed: int) -> Outcome:
    stream = dataclasses.replace(bench.stream("full"), flops=1 << 60, memory_bytes=ROOM)
    with session_of(agent).job() as channel:
        found, _ = drive(channel, bench, stream, Unit(bench.name, "full", seed))
    return found


ROOM = 6 << 20
"""Bytes of state: what most streams allow."""


SETTLING = 20
"""Seeds where the difference is small beside its spread: EWC and fine-tuning, and the stability gap
by angle, which five seeds did not settle."""


@dataclass
class Measured:
    """Means over seeds, measured when they are asked for."""

    seeds: int

    def __call__(self, agent: str, bench: Benchmark | str, figure: str = "accuracy") -> float:
        return float(np.mean(self.each(agent, bench, figure)))

    def each(self, agent: str, bench: Benchmark | str, figure: str = "accuracy") -> list[float]:
        return [found.metrics[figure] for found in self.outcomes(agent, bench)]

    def outcomes(self, agent: str, bench: Benchmark | str) -> list[Outcome]:
        stream = benchmarks.benchmark(bench) if isinstance(bench, str) else bench
        return [outcome(agent, stream, REPORTED + number) for number in range(self.seeds)]

    def score(self, agent: str, name: str) -> float:
        bench = benchmarks.benchmark(name)
        return calibration(bench).normalise(self(agent, name))

    def gain(
        self, better: str, worse: str, bench: Benchmark | str, figure: str = "accuracy"
    ) -> Estimate:
        return paired_difference(self.each(better, bench, figure), self.each(worse, bench, figure))


Finding = tuple[bool | None, str]
"""Whether it holds (None: the mean says so and the interval does not), and by what figures."""


def beside(found: Estimate) -> str:
    return f"{found.mean:+.3f} [{found.lower:+.3f}, {found.upper:+.3f}]"


def settled(found: Estimate) -> bool | None:
    """Whether a difference is above 0: no, yes, or (None) by its mean only."""
    if found.mean <= 0:
        return False
    return True if found.lower > 0 else None


def consolidation(m: Measured, bench: str) -> Finding:
    m = Measured(SETTLING)
    reach = m.gain("ewc", "plain", bench)
    figures = f"fine-tuning {m('plain', bench):.3f}, EWC {m('ewc', bench):.3f}; paired "
    return settled(reach), f"{figures}{beside(reach)}, {m.seeds} seeds"


def consolidation_as_measured_before(m: Measured) -> Finding:
    """The set-up in which EWC was seen to gain before there were benchmarks: five permutations of
    all training images, three epochs, a rate of 0.05 for both, a strength of 30."""
    base = next(s for s in SCENARIOS if s.name == "permuted-mnist")
    stream = dataclasses.replace(
        base,
        name="permuted-5",
        split=Views(10, 5, permutations),
        shape=(28, 28),
        prepare=None,
        samples=3600,
        epochs=3,
        probe_every=100,
    )
    m = Measured(2 * m.seeds)
    reach = m.gain("ewc at 0.05", "plain at 0.05", stream)
    means = (m(agent, stream) for agent in ("plain at 0.05", "ewc at 0.05"))
    figures = "fine-tuning {:.3f}, EWC {:.3f}; paired ".format(*means)
    return settled(reach), f"{figures}{beside(reach)}, {m.seeds} seeds"


def no_consolidation(m: Measured) -> Finding:
    plain, ewc = m("plain", "split-mnist"), m("ewc", "split-mnist")
    found = m.gain("ewc", "plain", "split-mnist")
    said = f"fine-tuning {plain:.3f}, EWC {ewc:.3f}; paired {beside(found)}"
    return max(abs(found.lower), abs(found.upper)) < 0.03, said


def asymmetry(m: Measured, bench: str) -> Finding:
    """Equal: within five points in the mean. Far apart: by ten points, in the interval too."""
    final = [m(agent, bench) for agent in ("er", "er-ace")]
    lows = [m(agent, bench, "min_accuracy") for agent in ("er", "er-ace")]
    end = m.gain("er-ace", "er", bench)
    low = m.gain("er-ace", "er", bench, "min_accuracy")
    said = "in the end ER {:.3f}, ER-ACE {:.3f}, paired {}; min-ACC {:.3f} and {:.3f}, paired {}"
    holds: bool | None = abs(end.mean) < 0.05 and low.mean > 0.1
    if holds and low.lower <= 0:
        holds = None
    return holds, said.format(*final, beside(end), *lows, beside(low))


def difficulty(m: Measured) -> Finding:
    names = ("split-mnist-tasks", "split-mnist-domains", "split-mnist")
    found = [m("replay", name) for name in names]
    holds = found[0] >= found[1] - 0.01 and found[1] >= found[2] - 0.01
    return holds, "replay: task {:.3f}, domain {:.3f}, class {:.3f}".format(*found)


def gap_by_angle(m: Measured) -> Finding:
    m = Measured(SETTLING)
    base = next(s for s in SCENARIOS if s.name == "rotated-mnist")

    def gap(step: float) -> NDArray[np.float64]:
        stream: Scenario = dataclasses.replace(
            base,
            name=f"rotated-{step:g}",
            split=Views(10, 2, functools.partial(rotations, step)),
            probe_every=1,
        )
        first = [o.matrices["accuracy"][0, 0] for o in m.outcomes("er", stream)]
        return np.array(first) - m.each("er", stream, "min_accuracy")

    small, large = gap(15.0), gap(90.0)
    found = mean_interval([float(d) for d in large - small])
    return settled(found), (
        f"fall of the first task with ER, every batch probed: 15° {small.mean():.3f}, 90° "
        f"{large.mean():.3f}; paired {beside(found)}, {m.seeds} seeds"
    )


SHORTCUT = (
    *("split-mnist", "online-mnist", "session-mnist", "permuted-mnist"),
    *("digit-sums", "label-drift", "stagger-drift", "led-drift"),
)


def shortcut(m: Measured) -> Finding:
    found = {name: m.score("random_features", name) for name in SHORTCUT}
    strong, weak = [n for n in found if found[n] > 0.7], [n for n in found if found[n] < 0.1]
    figures = ", ".join(f"{name} {score:.2f}" for name, score in found.items())
    return len(strong) >= 2 and len(weak) >= 2, f"normalised: {figures}"


FAMILIES = ("finetune", "replay", "random_features", "ewc", "label_map")


def _on(m: Measured, stream: str, agent: str) -> float:
    return m(agent, stream)


def no_best(m: Measured) -> Finding:
    best = {n: max(FAMILIES, key=functools.partial(_on, m, n)) for n in SHORTCUT}
    return len(set(best.values())) > 1, "best: " + ", ".join(f"{n} {a}" for n, a in best.items())


def from_previous(m: Measured) -> Finding:
    stream = benchmarks.benchmark("mixed-tasks")
    on, anew = (
        np.mean([o.curves["newest_accuracy"] for o in m.outcomes(a, stream)], axis=0)
        for a in ("finetune", "afresh")
    )
    better, worse = int((on > anew + 0.01).sum()), int((on < anew - 0.01).sum())
    figures = f"from the last task better on {better}, worse on {worse} of {len(on)} tasks"
    return worse > 0, figures


def fronts(m: Measured) -> Finding:
    names = ("finetune", "afresh", "replay", "random_features")
    flops = [m(agent, "mixed-tasks", "train_flops") for agent in names]
    errors = [m(agent, "mixed-tasks", "error") for agent in names]
    front = [names[i] for i in metrics.pareto_front(flops, errors)]
    area = metrics.front_hypervolume(flops, errors, (1e12, 1.0))
    points = ", ".join(
        f"{n} {e:.3f} at {f:.2g}" for n, f, e in zip(names, flops, errors, strict=True)
    )
    text = f"front: {', '.join(front)}; hypervolume {area:.3f} to (1e12 FLOPs, error 1); {points}"
    return len(front) > 1, text


def plasticity(m: Measured) -> Finding:
    """Less well: a negative slope over tasks, in the interval too."""
    slopes = mean_interval(m.each("finetune", "permuted-plasticity", "newest_task_slope"))
    dormant = m("finetune", "permuted-plasticity", "claimed_dormant_share")
    falls = settled(Estimate(-slopes.mean, -slopes.upper, -slopes.lower, slopes.seeds))
    return falls, (
        f"slope {slopes.mean:+.4f} [{slopes.lower:+.4f}, {slopes.upper:+.4f}] a task over thirty; "
        f"dormant units in the end {dormant:.2f} (claimed)"
    )


def replayed(m: Measured) -> Finding:
    plain, replay = m("finetune", "split-mnist"), m("replay", "split-mnist")
    found = m.gain("replay", "finetune", "split-mnist")
    said = f"fine-tuning {plain:.3f}, replay {replay:.3f}; paired {beside(found)}"
    return found.lower > 0.4, said


ORDERINGS: tuple[tuple[str, Callable[[Measured], Finding]], ...] = (
    ("Replay prevents most forgetting, class-incremental split-mnist (Chaudhry 2019)", replayed),
    *(
        (f"EWC beats fine-tuning, domain-incremental {name} (Kirkpatrick 2017)",
         functools.partial(consolidation, bench=name))
        for name in ("permuted-mnist", "rotated-mnist", "split-mnist-domains")
    ),
    ("EWC beats fine-tuning, five permutations of all 28×28 images, both at a rate of 0.05",
     consolidation_as_measured_before),
    ("EWC does nothing, class-incremental split-mnist (van de Ven 2019)", no_consolidation),
    *(
        (f"ER and ER-ACE are equal in the end and far apart in min-ACC, {name} (De Lange 2023)",
         functools.partial(asymmetry, bench=name))
        for name in ("split-mnist", "split-mnist+each-batch", "online-mnist")
    ),
    ("The stability gap is larger between less similar tasks (De Lange 2023)", gap_by_angle),
    ("Task- is easier than domain- is easier than class-incremental (van de Ven 2022)", difficulty),
    ("The random-feature shortcut is strong on some streams and weak on others", shortcut),
    ("No family is best everywhere (Parisi 2019)", no_best),
    ("Fine-tuning on is not always better than starting afresh, mixed-tasks (NEVIS'22)",
     from_previous),
    ("More than one learner is on the front of error and cost, mixed-tasks (NEVIS'22)", fronts),
    ("The newest of many permuted tasks is learned ever less well (Dohare 2024)", plasticity),
)  # fmt: skip


def held(seeds: int | None = None) -> dict[str, dict[str, Any]]:
    """The rows of the file, by claim; none of another number of seeds."""
    if not TARGET.is_file():
        return {}
    found = json.loads(TARGET.read_text(encoding="utf-8"))
    if seeds is not None and (found["seeds"], found.get("from")) != (seeds, REPORTED):
        return {}
    return {row["claim"]: row for row in found["orderings"]}


def check() -> None:
    known = held()
    missing = [claim for claim, _ in ORDERINGS if claim not in known]
    if missing:
        sys.exit(f"docs/orderings.json lacks: {'; '.join(missing)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--more", action="store_true")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    if given.check:
        check()
        return
    measured, rows = Measured(given.seeds), []
    known = held(given.seeds) if given.more else {}
    for claim, measure in ORDERINGS:
        if claim in known:
            rows.append(known[claim])
        else:
            began = time.monotonic()
            holds, figures = measure(measured)
            rows.append({"claim": claim, "holds": holds if holds is None else bool(holds)})
            rows[-1]["figures"] = figures
            said = {True: "holds", None: "not settled"}.get(rows[-1]["holds"], "DID NOT REPRODUCE")
            took = time.monotonic() - began
            print(f"{said}: {claim}\n    {figures} ({took:.0f} s)", flush=True)
        found = {"seeds": given.seeds, "from": REPORTED, "orderings": rows}
        text = json.dumps(found, indent=2, ensure_ascii=False)
        TARGET.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
