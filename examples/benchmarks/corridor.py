"""Control: walk to the lit end of a corridor; which end is lit is seen at the start only."""

from __future__ import annotations

import numpy as np

from cambrian.benchmarks import Benchmark, Bounds, Card, Lab, Outcome, TaskSpec

LENGTH, ENVIRONMENTS, ACTIONS = 5, 16, 3  # left, stay, right


class Corridors:
    """E corridors side by side; the answers (where each light is) stay here."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.light, self.place = np.zeros((2, ENVIRONMENTS), np.int64)
        self.age = np.zeros(ENVIRONMENTS, np.int64)
        self.restart(np.ones(ENVIRONMENTS, bool))

    def restart(self, which: np.ndarray) -> None:
        self.light[which] = self.rng.choice([-1, 1], int(which.sum()))
        self.place[which] = self.age[which] = 0

    def seen(self) -> np.ndarray:
        """(E, 2): the light in an episode's first step, and the place."""
        return np.stack([self.light * (self.age == 0), self.place / LENGTH], 1).astype(np.float32)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rewards (E,), and whether each episode came to an end or was cut off."""
        self.place, self.age = self.place + actions - 1, self.age + 1
        ended = np.abs(self.place) == LENGTH
        reward = np.where(ended & (np.sign(self.place) == self.light), 1.0, 0.0)
        return reward.astype(np.float32), ended, ~ended & (self.age >= 4 * LENGTH)


class Corridor(Benchmark):
    name, version = "corridor", "1"
    verbs = ("act", "feedback")
    raw_range = (0.0, 1.0 / LENGTH)  # reward per step
    bounds = Bounds(floor="finetune", ceiling="finetune", close="an example without reference")
    card = Card(
        task="Walk to the end that was lit in the first step, again and again.",
        data="None: the corridors are drawn from the seed.",
        hidden="Where the light is after the first step, rewards to come, the seed.",
        floor="A learner that stays where it is.",
        ceiling="One that remembers the light and walks straight: a reward every five steps.",
        shortcuts="Walking one way always gets half of that.",
        reference="None; after the T-maze of Bakker 2001.",
    )

    def stream(self, stage: str) -> TaskSpec:
        return TaskSpec(
            "control", (2,), 0, actions=ACTIONS, environments=ENVIRONMENTS,
            episode_steps=4 * LENGTH, discount=0.95,
        )  # fmt: skip

    def conduct(self, lab: Lab) -> Outcome:
        world = Corridors(lab.rng)
        steps = 100 if lab.stage == "smoke" else 1000
        earned = np.zeros(steps)
        with lab.learner() as channel:
            for step in range(steps):
                reward, ended, cut = world.step(channel.act(world.seen()))
                channel.feedback(reward, ended, cut, world.seen())
                earned[step] = reward.mean()
                world.restart(ended | cut)
        late = float(earned[steps // 2 :].mean())
        return Outcome(late, {"reward_rate": float(earned.mean())}, {"reward": earned})
