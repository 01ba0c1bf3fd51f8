"""Dohare et al. 2024: who goes on learning learns ever less well."""

from __future__ import annotations

from cambrian.claims.agents import seed_agent
from cambrian.claims.claim import Claim, Derived, Figures
from cambrian.claims.rig import Run


def falls(figures: Figures) -> list[float]:
    """How much the accuracy on the newest task falls from task to task, per seed."""
    return [-slope for slope in figures.each("fine-tuning", "newest_task_slope")]


def dormant(figures: Figures) -> str:
    """Units that are silent in the end, as the learner's own process says."""
    return f"dormant units in the end {figures.mean('fine-tuning', 'claimed_dormant_share'):.2f}"


CLAIM = Claim(
    name="loss_of_plasticity",
    citation="Dohare et al. 2024, Loss of plasticity in deep continual learning, Nature 632",
    says="Trained on ever more tasks, a standard network learns each new one less well.",
    experiment="The finetune seed agent on permuted-plasticity: thirty permutations of the same "
    "images. Refuted if the accuracy on the newest task does not fall over tasks.",
    controls="All tasks are equally hard. Thirty tasks are few beside the paper's hundreds: that "
    "nothing falls here does not say that nothing would.",
    conditions={"fine-tuning": Run(seed_agent("finetune"), "permuted-plasticity")},
    tests=(Derived("accuracy on the newest task falls from task to task", falls, dormant),),
)
