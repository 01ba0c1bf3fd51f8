"""Chaudhry et al. 2019: a small memory of the past prevents most forgetting."""

from __future__ import annotations

from cambrian.claims.agents import seed_agent
from cambrian.claims.claim import Claim, Gain
from cambrian.claims.rig import Run

CLAIM = Claim(
    name="tiny_memories",
    citation="Chaudhry et al. 2019, On Tiny Episodic Memories in Continual Learning, "
    "arXiv 1902.10486",
    says="Training on a few stored samples beside each new batch prevents most forgetting.",
    experiment="The finetune and replay seed agents (200 samples kept) on class-incremental "
    "split-mnist. Refuted if replay gains less than forty points of final accuracy.",
    controls="The same network, learning rate, batches and seeds; replay takes twice the FLOPs. "
    "The rate is not tuned for either (split-mnist's floor is fine-tuning at its best rate: "
    "0.199).",
    conditions={
        "fine-tuning": Run(seed_agent("finetune"), "split-mnist"),
        "replay": Run(seed_agent("replay"), "split-mnist"),
    },
    tests=(Gain("replay beats fine-tuning by forty points", "replay", "fine-tuning", by=0.4),),
)
