"""Parisi et al. 2019: every family of methods helps somewhere, and none is best everywhere."""

from __future__ import annotations

from cambrian.claims.agents import composed, seed_agent
from cambrian.claims.claim import Claim, Somewhere
from cambrian.claims.rig import Run

STREAMS = ("split-mnist", "split-mnist-domains", "rotated-mnist", "digit-sums", "label-drift")
NAIVE = "fine-tuning"
FAMILIES = {
    NAIVE: composed(),
    "EWC": composed(("ewc", {"strength": 100.0})),
    "replay": composed(("reservoir", {})),
    "frozen features": seed_agent("random_features"),
    "label map": composed(("reservoir", {}), ("label_map", {})),
}


def helps(family: str) -> Somewhere:
    """A family beats fine-tuning on some stream."""
    pairs = ((f"{family}, {stream}", f"{NAIVE}, {stream}", "accuracy") for stream in STREAMS)
    return Somewhere(f"{family} beats fine-tuning on some stream", tuple(pairs))


def beaten(family: str) -> Somewhere:
    """Another family beats this one on some stream."""
    pairs = tuple(
        (f"{other}, {stream}", f"{family}, {stream}", "accuracy")
        for stream in STREAMS
        for other in FAMILIES
        if other not in (family, NAIVE)
    )
    return Somewhere(f"{family} is beaten on some stream", pairs)


CLAIM = Claim(
    name="lifelong_review",
    row=28,
    citation="Parisi et al. 2019, Continual Lifelong Learning with Neural Networks: A Review, "
    "Neural Networks 113, arXiv 1802.07569",
    says="Forgetting is the rule; regularisation, replay and separate systems each alleviate it, "
    "to different extents, and none of them always best.",
    experiment="Fine-tuning and one method of each kind on five streams of three scenarios. "
    "Refuted if a kind beats fine-tuning nowhere, or is beaten nowhere.",
    controls="The same batches, seeds and (frozen features apart) network and rate; knobs as they "
    "are in a search. Intervals share their 5 % over all pairs looked at.",
    conditions={
        f"{family}, {stream}": Run(agent, stream)
        for family, agent in FAMILIES.items()
        for stream in STREAMS
    },
    tests=tuple(make(family) for family in FAMILIES if family != NAIVE for make in (helps, beaten)),
)
