"""Van de Ven & Tolias 2019: penalties on weights do nothing where classes arrive."""

from __future__ import annotations

from cambrian.claims.agents import composed
from cambrian.claims.claim import Claim, Close
from cambrian.claims.rig import Run

CLAIM = Claim(
    name="three_scenarios",
    citation="van de Ven & Tolias 2019, Three scenarios for continual learning, arXiv 1904.07734",
    says="In the class-incremental scenario regularisation of weights fails: EWC is no better than "
    "fine-tuning.",
    experiment="The composed seed agent without and with EWC on class-incremental split-mnist. "
    "Refuted if final accuracies differ by three points or more.",
    controls="The same network, rate, batches and seeds; the same strength with which EWC gains on "
    "domain-incremental streams (see `ewc`).",
    conditions={
        "fine-tuning": Run(composed(), "split-mnist"),
        "EWC": Run(composed(("ewc", {"strength": 100.0})), "split-mnist"),
    },
    tests=(Close("EWC is fine-tuning to three points", "EWC", "fine-tuning", within=0.03),),
)
