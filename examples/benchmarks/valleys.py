"""Optimisation: find the lowest point of a function that only its values tell of."""

from __future__ import annotations

import numpy as np

from cambrian.benchmarks import Benchmark, Bounds, Card, Lab, Outcome, TaskSpec

SIDES, AT_ONCE = 4, 5


class Valleys(Benchmark):
    name, version = "valleys", "1"
    verbs = ("suggest", "observe")
    raw_range = (-np.inf, 0.0)  # minus the regret
    bounds = Bounds(floor="finetune", ceiling="finetune", close="an example without reference")
    card = Card(
        task="Suggest points in [-1, 1]^4; the smallest value counts, and how soon it is found.",
        data="None: bowls with ripples, drawn from the seed.",
        hidden="Where the lowest point is, and the seed.",
        floor="The middle of the box, again and again.",
        ceiling="The lowest point itself: regret 0.",
        shortcuts="The lowest point is never near the edge.",
        reference="None; a shifted Rastrigin function, as in COCO (Hansen 2021).",
    )

    def stream(self, stage: str) -> TaskSpec:
        return TaskSpec(
            "optimisation", (SIDES,), 1, label_budget=self._budget(stage), batch_size=AT_ONCE
        )

    def _budget(self, stage: str) -> int:
        return 50 if stage == "smoke" else 300

    def conduct(self, lab: Lab) -> Outcome:
        lowest = lab.rng.uniform(-0.7, 0.7, SIDES)
        best: list[float] = []
        with lab.learner() as channel:
            for _ in range(self._budget(lab.stage) // AT_ONCE):
                x = channel.suggest(AT_ONCE)
                values = _height(np.clip(x, -1, 1) - lowest)
                channel.observe(x, values[:, None])
                best.append(min([*best[-1:], float(values.min())]))
        regret = np.array(best)
        return Outcome(
            -float(regret.mean()),
            {"final_regret": float(regret[-1])},
            {"regret": regret},
        )


def _height(x: np.ndarray) -> np.ndarray:
    """A bowl with ripples, 0 at its lowest point: (B, SIDES) to (B,) float32."""
    ripples = 0.1 * (1 - np.cos(6 * np.pi * x))
    return np.asarray((x**2 + ripples).sum(axis=1), np.float32)
