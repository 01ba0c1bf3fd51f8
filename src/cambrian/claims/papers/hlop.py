"""Xiao et al. 2024: lateral neurons that learn by a Hebbian rule keep old tasks out of the way."""

from __future__ import annotations

from cambrian.claims.agents import composed
from cambrian.claims.claim import Claim, Close, Gain
from cambrian.claims.papers.ewc import FIVE
from cambrian.claims.rig import Run

RATE = {"lr": 0.05}
FINE, HEBBIAN, EXACT, EWC = (
    "fine-tuning",
    "Hebbian projection",
    "exact projection (GPM)",
    "EWC",
)

CLAIM = Claim(
    name="hlop",
    row=8,
    citation="Xiao et al. 2024, Hebbian Learning based Orthogonal Projection for Continual "
    "Learning of Spiking Neural Networks, arXiv 2402.11984",
    says="A subspace that lateral neurons find by a Hebbian and anti-Hebbian rule is good enough "
    "to project on: learning has nearly no forgetting.",
    experiment="The composed seed agent without and with hebbian_projection (80 neurons a layer "
    "for each task, as the paper's first task has in its input layer), on five permutations of "
    "all images at full size, three epochs; networks without spikes. Refuted if it ends no higher "
    "than fine-tuning, or forgets as much.",
    controls="The same network, a rate of 0.05, batches and seeds. The exact projection (GPM, "
    "energy 0.95) and EWC (strength 30) stand beside it. No allowance of bytes is kept: five "
    "times 80 neurons on 784 inputs are 1.3 MB.",
    conditions={
        FINE: Run(composed(**RATE), FIVE),
        HEBBIAN: Run(composed(("hebbian_projection", {"neurons": 80}), **RATE), FIVE),
        EXACT: Run(composed(("gpm", {"energy": 0.95}), **RATE), FIVE),
        EWC: Run(composed(("ewc", {"strength": 30.0}), **RATE), FIVE),
    },
    tests=(
        Gain("it ends higher than fine-tuning", HEBBIAN, FINE),
        Gain("it forgets less than fine-tuning", FINE, HEBBIAN, "forgetting"),
        Close("it ends where the exact projection does", HEBBIAN, EXACT, within=0.02, control=True),
        Gain("it ends higher than EWC", HEBBIAN, EWC, control=True),
    ),
)
