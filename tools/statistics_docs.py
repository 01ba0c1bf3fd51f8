#!/usr/bin/env python3
"""Simulate what the rules of comparison promise, and write the tables of docs/statistics.md.

    tools/statistics_docs.py [--trials N] [--only {rules,leaving,families,gaps}]

Replaces what stands between the marks in the page; about two minutes. The tests run the same
simulation, shorter, and hold the promises.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cambrian.evaluators.statistics import RACE
from cambrian.evaluators.statistics.racing import power
from cambrian.evaluators.statistics.sequential import CURTAILMENT
from cambrian.evaluators.statistics.simulation import (
    BEYOND,
    SKEWED,
    SPREADS,
    SYMMETRIC,
    Draw,
    Leaving,
    coverage,
    families_rate,
    fixed_rates,
    gap_rates,
    leaving,
    race_rates,
)

PAGE = Path(__file__).resolve().parent.parent / "docs/statistics.md"
BEGIN, END = "<!-- simulated -->", "<!-- /simulated -->"
FAMILIES = "<!-- families -->", "<!-- /families -->"
LEAVING = "<!-- leaving -->", "<!-- /leaving -->"
GAPS = "<!-- gaps -->", "<!-- /gaps -->"
MARGIN, CONFIDENCE, FIVE = 0.8, 0.90, 5
NOT_WORSE = -0.05


def tables(trials: int) -> Iterator[str]:
    shapes = {**SYMMETRIC, **SKEWED, **BEYOND}
    last = RACE.looks[-1]
    yield f"{trials:,} trials a row; differences in units of their own standard deviation, σ."
    yield ""
    yield "| differences | five seeds: false claim | power at 1 σ | raced: false claim "
    yield '| false "not worse" | power at 1 σ | seeds at 0 | seeds at 1 σ |'
    yield "|---|---|---|---|---|---|---|---|"
    for number, (name, draw) in enumerate(shapes.items()):
        rows = draw(np.random.default_rng(number), (trials, last))
        nothing, one = race_rates(rows, RACE), race_rates(rows + 1, RACE)
        worse = race_rates(rows - MARGIN, RACE, MARGIN)
        fixed = [fixed_rates(rows[:, :FIVE] + shift, CONFIDENCE) for shift in (0, 1)]
        yield (
            f"| {name} | {fixed[0].improvement:.1%} | {fixed[1].improvement:.0%} "
            f"| {nothing.improvement:.1%} | {worse.level:.1%} | {one.improvement:.0%} "
            f"| {nothing.seeds:.1f} | {one.seeds:.1f} |"
        )
    yield ""
    yield "Power of the rule of a fixed number of seeds (one-sided 5 %, normal differences):"
    yield ""
    seeds = (5, 6, 8, 10, 14, 20, 27)
    yield "| effect | " + " | ".join(f"{n} seeds" for n in seeds) + " |"
    yield "|---|" + "---|" * len(seeds)
    for effect in (0.5, 1.0, 1.5, 2.0):
        shares = " | ".join(f"{power(effect, n, 0.05):.0%}" for n in seeds)
        yield f"| {effect:g} σ | {shares} |"
    yield ""
    yield "How often a 90 % interval holds the truth, and how often the permutation test is wrong"
    yield "at 10 % (2,000 trials):"
    yield ""
    yield "| differences | seeds | Student's t | BCa bootstrap | permutation test wrong |"
    yield "|---|---|---|---|---|"
    for name in ("normal", "Student t, 3 df", "skewness −1"):
        for count in (5, 14):
            rows = shapes[name](np.random.default_rng(count), (2000, count))
            found = coverage(rows, CONFIDENCE)
            yield (
                f"| {name} | {count} | {found['t']:.1%} | {found['bootstrap']:.1%} "
                f"| {1 - found['permutation']:.1%} |"
            )


def leaving_table(trials: int) -> Iterator[str]:
    """How often the rule that lets variants leave early is wrong, by how wrong its guesses are."""
    yield f"Sent away of those that would have come out above the bound ({trials:,} trials, the"
    yield "worse of 3 and 8 benchmarks); the guesses right, or the truth half as much again, or"
    yield "twice as much. *At the bound*: the true difference is the bound itself, so that about"
    yield "half come out above it. *As good*: there is no difference to the parent."
    yield ""
    yield "| differences | at the bound | ×1.5 | ×2 | as good | ×1.5 | ×2 "
    yield "| units run at −0.3, of 15 |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, draw in {**SYMMETRIC, **SKEWED, **BEYOND}.items():
        cells = []
        for shift in (NOT_WORSE, 0.0):
            for times in (1.0, 1.5, 2.0):
                worst = max(_left(draw, trials, count, times, shift).false for count in (3, 8))
                cells.append(f"{worst:.1%}")
        units = _left(draw, trials, 3, 1.0, -0.3).units
        yield f"| {name} | {' | '.join(cells)} | {units:.1f} |"


def _left(draw: Draw, trials: int, benchmarks: int, times: float, shift: float) -> Leaving:
    rng = np.random.default_rng(benchmarks)
    noise = draw(rng, (trials * benchmarks, FIVE)).reshape(trials, benchmarks, FIVE)
    own = rng.normal(0, times * CURTAILMENT.between, (trials, benchmarks, 1))
    own -= own.mean(1, keepdims=True)
    return leaving(times * CURTAILMENT.spread * noise + own + shift, NOT_WORSE)


def families_table(trials: int) -> Iterator[str]:
    """How often a bound over families is wrong, and what it finds."""
    yield f"{trials:,} trials, fifteen families that count alike; the effect is in standard errors"
    yield "of the mean of one seed of each. *Unlike*: each family has a difference of its own as"
    yield "well, as large as the noise of a seed, with a mean of zero. Beside them Student's t on"
    yield "five seeds' means."
    yield ""
    yield "| spreads of the families | differences | two seeds: false claim | unlike "
    yield "| power at 2 | unlike | five seeds' means: false claim | power at 2 |"
    yield "|---|---|---|---|---|---|---|---|"
    shapes = {**SYMMETRIC, **SKEWED}
    for spreads, each in SPREADS.items():
        for name in (
            "normal",
            "Student t, 3 df",
            "two skewed agents",
            "skewness +1",
            "skewness −1",
        ):
            found = [
                families_rate(shapes[name], each, 2, trials, CONFIDENCE, effect, unlike)
                for effect in (0.0, 2.0)
                for unlike in (0.0, 1.0)
            ]
            rng = np.random.default_rng(FIVE)
            chance = shapes[name](rng, (trials * len(each), FIVE)).reshape(trials, -1, FIVE)
            means = (chance * each[:, None]).sum(1) / np.sqrt((each**2).sum())
            found += [fixed_rates(means + at, CONFIDENCE).improvement for at in (0.0, 2.0)]
            cells = [
                f"{one:.1%}" if at in (0, 1, 4) else f"{one:.0%}" for at, one in enumerate(found)
            ]
            yield f"| {spreads} | {name} | {' | '.join(cells)} |"


def gaps_table(trials: int) -> Iterator[str]:
    """How often a champion's gap is watched, and how often it is an alarm."""
    yield f"{trials:,} searches a figure; four seed agents, five seeds on either side; noise of one"
    yield "score σ = 1. *Alike*: all candidates are equally good; *spread*: their truth goes from 0"
    yield "to 2 σ. *Exploited*: the champion's scores are too high by so much in the search."
    yield ""
    yield "| candidates | alike: watched | alarm | spread: watched | alarm "
    yield "| exploited 2 σ: watched | alarm | 4 σ: watched | alarm |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for candidates in (1, 10, 60, 300):
        rng = np.random.default_rng(candidates)
        cells = []
        for spread, exploited in ((0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (2.0, 4.0)):
            found = gap_rates(rng, trials, candidates, spread=spread, exploited=exploited)
            cells += [f"{found.watched:.1%}", f"{found.alarmed:.1%}"]
        yield f"| {candidates} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200_000)
    names = ("rules", "leaving", "families", "gaps")
    parser.add_argument("--only", choices=names, help="one of the tables")
    given = parser.parse_args()
    if given.only in (None, "families"):
        _put(*FAMILIES, families_table(given.trials // 10))
    if given.only in (None, "leaving"):
        _put(*LEAVING, leaving_table(given.trials // 10))
    if given.only in (None, "gaps"):
        _put(*GAPS, gaps_table(given.trials // 20))
    if given.only in (None, "rules"):
        _put(BEGIN, END, tables(given.trials))
    print(PAGE)


def _put(begin: str, end: str, lines: Iterator[str]) -> None:
    """Replace what stands between two marks of the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(begin)
    after = rest.split(end)[1]
    # The heads of two tables are written in parts to keep the lines short.
    joined = "\n".join(lines).replace(" \n| ", " | ")
    PAGE.write_text(f"{before}{begin}\n{joined}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
