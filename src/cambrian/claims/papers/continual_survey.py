"""Wang et al. 2024: the less a learner is told, the harder the scenario."""

from __future__ import annotations

import functools

from cambrian.claims.agents import Maker, patched, seed_agent
from cambrian.claims.claim import Claim, Gain
from cambrian.claims.rig import Run
from cambrian.evaluators.benchmarks.base import Outcome

TASK, DOMAIN, CLASS = "split-mnist-tasks", "split-mnist-domains", "split-mnist"
CHANCE = {TASK: 0.5, DOMAIN: 0.5, CLASS: 0.1}
HEADS = 10
"""At most so many tasks have a head of their own."""

ANSWER = "        return self.forward(x).log_softmax(1)\n"
OF_ITS_HEAD = """        scores = self.forward(x)
        if task is not None:
            scores = scores[:, task * self.spec.outputs : (task + 1) * self.spec.outputs]
        return scores.log_softmax(1)
"""
OBSERVE = "    def observe(self, x: Tensor, y: Tensor, task: int | None = None) -> None:\n"
WIDE = f"{HEADS} * spec.outputs if spec.task_identity else spec.outputs]"


def with_heads(name: str) -> Maker:
    """A seed agent that has a head for each task where it is told the task, and is as it was where
    it is not."""
    inside = "self." if name == "replay" else ""
    return patched(
        seed_agent(name),
        {
            f"{inside}spec.outputs]": WIDE.replace("spec.", f"{inside}spec."),
            OBSERVE: OBSERVE
            + "        if task is not None:\n            y = y + task * self.spec.outputs\n",
            ANSWER: OF_ITS_HEAD,
        },
    )


def above_chance(outcome: Outcome, chance: float) -> dict[str, float]:
    """The share of what guessing leaves: 0 at chance, 1 where all is right."""
    return {"above_chance": (outcome.raw - chance) / (1 - chance)}


def runs(name: str, agent: Maker) -> dict[str, Run]:
    """A learner in each scenario."""
    return {
        f"{name}, {stream}": Run(agent, stream, functools.partial(above_chance, chance=chance))
        for stream, chance in CHANCE.items()
    }


def ordered(name: str, figure: str, control: bool) -> tuple[Gain, ...]:
    """Task- is at least as easy as domain- is at least as easy as class-incremental, to a point."""
    what = ", above chance" if control else ""
    return tuple(
        Gain(f"{name}: {easy} is no harder than {hard}{what}",
             f"{name}, {easy}", f"{name}, {hard}", figure, -0.01, control)
        for easy, hard in ((TASK, DOMAIN), (DOMAIN, CLASS))
    )  # fmt: skip


CLAIM = Claim(
    name="continual_survey",
    row=33,
    citation="Wang et al. 2024, A Comprehensive Survey of Continual Learning: Theory, Method and "
    "Application, arXiv 2302.00487; the ordering: van de Ven, Tuytelaars & Tolias 2022, Three "
    "types of incremental learning",
    says="For one and the same learner task-incremental is the easiest scenario, and "
    "class-incremental the hardest.",
    experiment="Fine-tuning and replay (with a head for each task where the task is told) on the "
    "same images under the three scenarios. Refuted if a scenario that tells more ends more than a "
    "point lower.",
    controls="The same network, rate and batches. Guessing is right half of the time with two "
    "labels and a tenth with ten, so the same is asked of accuracy above chance, (a - c)/(1 - c): "
    "it is shown beside the verdict, which is on accuracy as the papers report it.",
    conditions={
        **runs("fine-tuning", with_heads("finetune")),
        **runs("replay", with_heads("replay")),
    },
    tests=tuple(
        test
        for figure, control in (("accuracy", False), ("above_chance", True))
        for name in ("fine-tuning", "replay")
        for test in ordered(name, figure, control)
    ),
)
