"""Unlearning: forget a class, and be as one that was never taught it."""

from __future__ import annotations

import numpy as np

from cambrian.benchmarks import Benchmark, Bounds, Card, Lab, LearnerChannel, Outcome, TaskSpec

CLASSES, SIDES, TEST = 4, 8, 200
RETRAINED = "retrained"


class Forgotten(Benchmark):
    name, version = "forgotten", "1"
    verbs = ("observe", "forget", "predict")
    learners = (RETRAINED,)
    bounds = Bounds(floor="finetune", ceiling="replay", close="an example without reference")
    card = Card(
        task="Learn four classes, then forget one of them, without forgetting the others.",
        data="None: clouds of points, drawn from the seed.",
        hidden="Which class has to go, test labels, the seed.",
        floor="As different from a learner retrained without the class as chance.",
        ceiling="The same answers as the retrained learner.",
        shortcuts="Answering anything but the class: what it answers instead is compared too.",
        reference="None; agreement with retraining, after Bourtoule 2021 (arXiv 1912.03817).",
    )

    def stream(self, stage: str) -> TaskSpec:
        return TaskSpec(
            "classification", (SIDES,), CLASSES, observations=self._rows(stage), batch_size=20
        )

    def _rows(self, stage: str) -> int:
        return 200 if stage == "smoke" else 800

    def conduct(self, lab: Lab) -> Outcome:
        rng = lab.rng
        centres = rng.normal(size=(CLASSES, SIDES))
        gone = int(rng.integers(CLASSES))
        x, y = _drawn(self._rows(lab.stage), centres, rng)
        test, labels = _drawn(TEST, centres, rng)
        with lab.learner() as channel:
            _teach(channel, x, y)
            channel.forget(x[y == gone], y[y == gone])
            after = channel.predict(test).argmax(1)
        with lab.learner(RETRAINED) as channel:
            _teach(channel, x[y != gone], y[y != gone])
            never = channel.predict(test).argmax(1)
        kept = labels != gone
        return Outcome(
            float((after == never).mean()),
            {
                "kept_accuracy": float((after == labels)[kept].mean()),
                "forgotten_accuracy": float((after == labels)[~kept].mean()),
            },
        )


def _teach(channel: LearnerChannel, x: np.ndarray, y: np.ndarray) -> None:
    for start in range(0, len(x), 20):
        channel.observe(x[start : start + 20], y[start : start + 20])


def _drawn(
    count: int, centres: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Points (count, SIDES) float32 around the centres, and whose each is."""
    y = rng.integers(0, CLASSES, count)
    return (centres[y] + rng.normal(size=(count, SIDES))).astype(np.float32), y
