"""Kirkpatrick et al. 2017: a quadratic pull on important weights overcomes forgetting."""

from __future__ import annotations

import dataclasses

from cambrian.claims.agents import composed
from cambrian.claims.claim import Claim, Gain
from cambrian.claims.rig import Run
from cambrian.evaluators.benchmarks.scenarios import Scenario, Views
from cambrian.evaluators.benchmarks.streams import SCENARIOS
from cambrian.evaluators.protocols.views import permutations

STREAMS = ("permuted-mnist", "rotated-mnist", "split-mnist-domains")
PLAIN, EWC = composed(), composed(("ewc", {"strength": 100.0}))
SLOW = {"lr": 0.05}


def five_permutations() -> Scenario:
    """The set-up in which EWC was seen to gain before there were benchmarks: five permutations of
    all training images at full size, three epochs."""
    base = next(stream for stream in SCENARIOS if stream.name == "permuted-mnist")
    return dataclasses.replace(
        base,
        name="permuted-5",
        split=Views(10, 5, permutations),
        shape=(28, 28),
        prepare=None,
        samples=3600,
        epochs=3,
        probe_every=100,
    )


FIVE = five_permutations()

CLAIM = Claim(
    name="ewc",
    citation="Kirkpatrick et al. 2017, Overcoming catastrophic forgetting in neural networks, "
    "PNAS 114, arXiv 1612.00796",
    says="Pulling weights back to where they were, each by its Fisher information, lets a network "
    "learn many permutations of MNIST one after the other.",
    experiment="The composed seed agent without and with EWC (strength 100) on three "
    "domain-incremental streams, and with a strength of 30, both at a learning rate of 0.05, on "
    "five permutations of all images at full size. Refuted on a stream where EWC ends no higher.",
    controls="The same network, rate, batches and seeds; no knob was tried on these seeds. "
    "Fine-tuning at a smaller rate forgets less by itself: hence the last pair.",
    conditions={
        **{f"fine-tuning, {name}": Run(PLAIN, name) for name in STREAMS},
        **{f"EWC, {name}": Run(EWC, name) for name in STREAMS},
        "fine-tuning at 0.05": Run(composed(**SLOW), FIVE),
        "EWC at 0.05": Run(composed(("ewc", {"strength": 30.0}), **SLOW), FIVE),
    },
    tests=(
        *(
            Gain(f"EWC beats fine-tuning, {name}", f"EWC, {name}", f"fine-tuning, {name}")
            for name in STREAMS
        ),
        Gain(
            "EWC beats fine-tuning, five permutations at a rate of 0.05",
            "EWC at 0.05",
            "fine-tuning at 0.05",
        ),
    ),
)
