#!/usr/bin/env python3
"""Simulate what the rules of comparison promise, and write the tables of docs/statistics.md.

    tools/statistics_docs.py [--trials N]

Replaces what stands between the two marks in the page; about two minutes. The tests run the same
simulation, shorter, and hold the promises.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cambrian.evaluators.statistics import RACE
from cambrian.evaluators.statistics.racing import power
from cambrian.evaluators.statistics.simulation import (
    BEYOND,
    SKEWED,
    SYMMETRIC,
    coverage,
    fixed_rates,
    race_rates,
)

PAGE = Path(__file__).resolve().parent.parent / "docs/statistics.md"
BEGIN, END = "<!-- simulated -->", "<!-- /simulated -->"
MARGIN, CONFIDENCE, FIVE = 0.8, 0.90, 5


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200_000)
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    lines = list(tables(parser.parse_args().trials))
    # The head of the first table is written in two parts to keep the line short.
    joined = "\n".join(lines).replace("false claim \n| ", "false claim | ")
    PAGE.write_text(f"{before}{BEGIN}\n{joined}\n{END}{after}", encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
