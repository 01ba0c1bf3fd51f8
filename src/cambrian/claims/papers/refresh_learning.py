"""Wang et al. 2024: unlearning a little before each step helps what rehearses."""

from __future__ import annotations

from typing import Any

from cambrian.claims.agents import composed
from cambrian.claims.claim import Claim, Gain
from cambrian.claims.rig import Run

STREAM = "split-mnist"
Chosen = tuple[str, dict[str, Any]]
ER: Chosen = ("reservoir", {})
DARK: Chosen = ("dark_replay", {})
SMALL, OFFICIAL = {"size": 1e-3}, {"size": 1e-5}

CLAIM = Claim(
    name="refresh_learning",
    row=44,
    citation="Wang et al. 2024, A Unified and General Framework for Continual Learning, arXiv "
    "2403.13249",
    says="Methods that rehearse are enhanced by unlearning a little before every step.",
    experiment="The composed seed agent with reservoir replay and with dark replay, each with "
    "backpropagation and with refresh, on class-incremental split-mnist. Refuted for a method that "
    "ends no higher with refresh.",
    controls="The same network, rate, batches and seeds. Refresh asks for the gradient twice; two "
    "steps without it cost as much, and stand beside it. Sizes of the step up: 1e-3 of a tensor's "
    "length, and 1e-5 as in the paper's code.",
    conditions={
        "replay": Run(composed(ER), STREAM),
        "replay, refresh": Run(composed(ER, ("refresh", SMALL)), STREAM),
        "replay, refresh of 1e-5": Run(composed(ER, ("refresh", OFFICIAL)), STREAM),
        "replay, two steps": Run(composed(ER, steps=2), STREAM),
        "dark replay": Run(composed(DARK), STREAM),
        "dark replay, refresh": Run(composed(DARK, ("refresh", SMALL)), STREAM),
    },
    tests=(
        Gain("replay ends higher with refresh", "replay, refresh", "replay"),
        Gain("dark replay ends higher with refresh", "dark replay, refresh", "dark replay"),
        Gain(
            "replay ends higher with refresh of the paper's size",
            "replay, refresh of 1e-5",
            "replay",
            control=True,
        ),
        Gain(
            "refresh is better than a second step",
            "replay, refresh",
            "replay, two steps",
            control=True,
        ),
    ),
)
