"""Bornschein et al. 2022: which task to start from, on a stream of unlike tasks, error and cost."""

from __future__ import annotations

import math

from cambrian.claims.agents import patched, seed_agent
from cambrian.claims.claim import Claim, Close, Derived, Figures, Gain, Somewhere
from cambrian.claims.rig import Run
from cambrian.evaluators import metrics
from cambrian.evaluators.benchmarks.base import Outcome
from cambrian.evaluators.benchmarks.mixed_tasks import STATIONS

STREAM = "mixed-tasks"
LEARNING = "        loss = F.cross_entropy(self.forward(x), y)\n"
AFRESH = """        if self.ended:
            self.__init__(self.spec, seed=self.seed + 1, device=str(self.device))
            self.ended = False
"""
ENDED = """
    ended = False

    def task_boundary(self) -> None:
        self.ended = True  # what was learned is still to be tested
"""
PICKING = """        if self.ended:
            self.pick(x, y)
            self.ended = False
"""
PICK = """
    ended = False
    kept: tuple[list[Tensor], ...] = ()

    def task_boundary(self) -> None:
        self.kept = (*self.kept, [weight.detach().clone() for weight in self.weights])
        self.ended = True

    @torch.no_grad()
    def pick(self, x: Tensor, y: Tensor) -> None:
        nearest = max(reversed(self.kept), key=lambda weights: self.agreement(weights, x, y))
        self.weights = [weight.clone().requires_grad_() for weight in nearest]

    def agreement(self, weights: list[Tensor], x: Tensor, y: Tensor) -> float:
        w1, b1, w2, b2, *_ = weights
        features = F.linear(F.linear(x.reshape(len(x), -1), w1, b1).relu(), w2, b2).relu()
        apart = torch.cdist(features, features).fill_diagonal_(torch.inf)
        return float((y[apart.argmin(1)] == y).float().mean())
"""
"""Start from the network of that earlier task in whose features the nearest neighbours of the first
batch share their labels most often: the paper's dynamic choice, by one batch."""

LEARNERS = {
    "previous": seed_agent("finetune"),
    "independent": patched(seed_agent("finetune"), {LEARNING: AFRESH + LEARNING}, ENDED),
    "nearest": patched(seed_agent("finetune"), {LEARNING: PICKING + LEARNING}, PICK),
    "replay": seed_agent("replay"),
    "frozen features": seed_agent("random_features"),
}


def tasks(outcome: Outcome) -> dict[str, float]:
    """The accuracy on each task right after it was learned, and the cost of all training."""
    right = zip(STATIONS, outcome.curves["newest_accuracy"], strict=True)
    cost = math.log10(outcome.metrics["train_flops"])
    return {"log10_flops": cost, **{task.name: float(accuracy) for task, accuracy in right}}


def on_the_front(figures: Figures) -> list[float]:
    """How many learners beside one are on the front of error and training FLOPs, per seed."""
    costs, errors = ([figures.each(c, f) for c in LEARNERS] for f in ("log10_flops", "error"))
    points = zip(zip(*costs, strict=True), zip(*errors, strict=True), strict=True)
    return [len(metrics.pareto_front(cost, error)) - 1.0 for cost, error in points]


def points(figures: Figures) -> str:
    """Error and cost of each learner."""
    return ", ".join(
        f"{c} {figures.mean(c, 'error'):.3f} at {10 ** figures.mean(c, 'log10_flops'):.2g}"
        for c in LEARNERS
    )


CLAIM = Claim(
    name="nevis",
    row=15,
    citation="Bornschein et al. 2022, NEVIS'22: A Stream of 100 Tasks Sampled from 30 Years of "
    "Computer Vision Research, arXiv 2211.11747",
    says="Learners that transfer reach a lower error for their compute; to fine-tune from the "
    "previous task is not always better than to start afresh; to choose the task to start from is.",
    experiment="mixed-tasks (eighteen unlike tasks in the order of their years) with three ways to "
    "start a task: from the last one, afresh, or from the nearest by neighbours in feature space. "
    "Refuted if transfer does not lower the error at equal FLOPs, if it hurts on no task, or if "
    "the nearest is no better than the last.",
    controls="The same network, rate, batches and seeds; previous and independent take the same "
    "FLOPs, nearest one more forward pass per earlier task. Nearest keeps eighteen networks.",
    conditions={name: Run(agent, STREAM, tasks) for name, agent in LEARNERS.items()},
    tests=(
        Gain("starting from the last task beats starting afresh", "previous", "independent"),
        Close("at the same cost", "previous", "independent", "log10_flops", within=0.01),
        Somewhere(
            "on some task it is worse than starting afresh",
            tuple(("independent", "previous", task.name) for task in STATIONS[1:]),
        ),
        Gain("starting from the nearest task beats starting from the last", "nearest", "previous"),
        Derived("more than one learner is on the front of error and cost", on_the_front, points),
    ),
)
