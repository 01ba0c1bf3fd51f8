"""Ji-An et al. 2025: a language model reports and steers some of its activations, not others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cambrian.claims.claim import Claim, Close, Derived, Figures, Gain

if TYPE_CHECKING:
    from cambrian.claims.rig import Rig

COMPONENTS = ("PC1", "PC2", "PC4", "PC8", "PC16", "PC32")
FIRST, LAST, TOPIC, HELD_OUT = COMPONENTS[0], COMPONENTS[-1], "topic", "held out"
SHOTS = (0, 1, 2, 4, 8)
MOST = f"report_{SHOTS[-1]}"


@dataclass(frozen=True)
class Axis:
    """A condition: what a model says of one axis of its activations, and does with it. The model of
    a seed is the same for all of them."""

    name: str

    def __call__(self, rig: Rig, seed: int) -> Mapping[str, float]:
        """The figures of one seed; torch is imported only now."""
        from cambrian.claims.language.session import session

        return session(rig.stage == "smoke", seed)[self.name]


def coin(rig: Rig, seed: int) -> Mapping[str, float]:
    """A condition: labels are split at the median, so that a coin is right half of the time."""
    del rig, seed
    return {MOST: 0.5}


def slope(table: list[list[float]]) -> list[float]:
    """The least-squares slope from one row to the next, per seed."""
    return [float(each) for each in np.polyfit(np.arange(len(table)), table, 1)[0]]


def rise(figures: Figures) -> list[float]:
    """The slope of report accuracy on the first component, from one N to the next."""
    return slope([figures.each(FIRST, f"report_{n}") for n in SHOTS])


def fall(figure: str) -> Callable[[Figures], list[float]]:
    """How much a figure falls from one component to the next that is asked about."""
    return lambda figures: [-s for s in slope([figures.each(name, figure) for name in COMPONENTS])]


def by_shots(figures: Figures) -> str:
    """Report accuracy on the first component by N."""
    means = (f"{n} → {figures.mean(FIRST, f'report_{n}'):.3f}" for n in SHOTS)
    return f"{FIRST}: {', '.join(means)}"


def by_component(figure: str) -> Callable[[Figures], str]:
    """A figure on each component."""
    return lambda figures: (
        f"{figure}: " + ", ".join(f"{name} {figures.mean(name, figure):.3f}" for name in COMPONENTS)
    )


def turned(figures: Figures) -> list[float]:
    """How far below 0 the effect is on the first component, with labels turned round."""
    return [-effect for effect in figures.each(FIRST, "control_turned")]


CLAIM = Claim(
    name="metacognition",
    row=31,
    citation="Ji-An et al. 2025, Language Models Are Capable of Metacognitive Monitoring and "
    "Control of Their Internal Activations, arXiv 2505.13763",
    says="From examples in context a language model can report and control its activations along "
    "some directions, those of high variance or clear meaning, and not along most others.",
    experiment="A transformer of two layers, 32 wide, learns from synthetic documents whose scores "
    "follow a rule of their own. Then sentences are labelled by the median split of their mean "
    "activations after the first layer, along principal components 1 to 32 and a logistic axis of "
    "the topic; it reports labels after 0 to 8 examples, and writes sentences for a label after 8 "
    "(Cohen's d). Refuted if report does not rise with the examples, or is no better on the first "
    "component than on the last, or what is written does not follow the labels.",
    controls="One model a seed, the same prompts for each axis; no label of an axis is used in "
    "training. Sizes, language and the way of training are ours, tuned on another seed only until "
    "scores of new documents by the topic were learned in context, with no axis looked at; the "
    "topic alone is the rule of the first documents, and is the most spoken of. A model that is "
    "trained to foresee scores in context is not a pretrained one: this shows which directions "
    "such learning reaches, not that it comes by itself with language, and nothing of awareness. "
    "A ridge regression on the activations of the same examples stands beside: where it falls as "
    "well, examples are too few there for any learner.",
    conditions={
        **{name: Axis(name) for name in (*COMPONENTS, TOPIC, HELD_OUT)},
        "coin": coin,
    },
    tests=(
        Derived("report of PC1 rises with the number of examples", rise, by_shots),
        Gain("PC1 is reported better than the last component", FIRST, LAST, MOST),
        Close(
            "the last component is reported at chance, to five points",
            *(LAST, "coin", MOST),
            within=0.05,
        ),
        Derived("report falls with the component's number", fall(MOST), by_component(MOST)),
        Gain("the topic is reported better than the last component", TOPIC, LAST, MOST),
        Derived(
            "what is written for score 1 lies above that for score 0 on PC1 (d)",
            lambda figures: figures.each(FIRST, "control"),
            by_component("control"),
        ),
        Gain("the effect is larger on PC1 than on the last component", FIRST, LAST, "control"),
        Derived(
            "with the examples' labels turned round it is turned round on PC1 (−d)",
            turned,
            by_component("control_turned"),
        ),
        Derived(
            "scores by the topic are foreseen in new documents, above chance",
            lambda figures: [each - 0.5 for each in figures.each(HELD_OUT, "attribute_0")],
            lambda figures: ", ".join(
                f"attribute {n} {figures.mean(HELD_OUT, f'attribute_{n}'):.3f}" for n in range(3)
            ),
            control=True,
        ),
        Derived(
            "a ridge regression on the same examples' activations falls with the component too",
            fall("outside"),
            by_component("outside"),
            control=True,
        ),
    ),
)
