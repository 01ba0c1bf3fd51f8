"""Archives grown by hand, for tests of selection."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping

import numpy as np

from cambrian.archive import Archive, Gate, Measurement
from cambrian.evolution.selection.selection import NONE, Selection

GATE = Gate(gate="smoke", rule="runs", verdict="pass")


class Grove:
    """An archive grown by hand: each agent has a score and as many evaluations of it as asked."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.run = archive.runs.start(0, {}, 1000)
        self.ids: list[str] = []

    def code(self) -> tuple[str, dict[str, str]]:
        """The id and the files of an agent that is not there yet."""
        files = {"learner.py": f"agent {len(self.ids)}"}
        return hashlib.sha256(files["learner.py"].encode()).hexdigest(), files

    def seed(self, score: float, trials: int = 4) -> int:
        """Add a seed agent; its place in `ids`."""
        agent_id, files = self.code()
        self.archive.agents.add_seed(agent_id, files, "seed")
        self.evaluate(agent_id, score, trials)
        self.archive.agents.set_score(agent_id, score, score - 0.1, score + 0.1)
        self.ids.append(agent_id)
        return len(self.ids) - 1

    def child(self, *parents: int, score: float, trials: int = 4, admitted: bool = True) -> int:
        """Add a child of agents, by their places in `ids`; its place."""
        agent_id, files = self.code()
        idx = self.archive.counts()["proposals"]
        proposals = self.archive.proposals
        opened = proposals.open(
            self.run.id, idx, idx - 1, [self.ids[parent] for parent in parents], "recombine"
        )
        proposals.record_variant(
            opened.id, agent_id, files, title="t", hypothesis="h", stage="smoke"
        )
        self.evaluate(agent_id, score, trials)
        proposals.record(
            opened.id,
            "improvement" if admitted else None,
            "because",
            [GATE],
            score=score,
            lower=score - 0.1,
            upper=score + 0.1,
        )
        self.ids.append(agent_id)
        return len(self.ids) - 1

    def evaluate(self, agent_id: str, score: float, trials: int, stream: str = "b") -> None:
        """Record so many evaluations of a score."""
        for seed in range(trials):
            record = Measurement(
                benchmark=stream,
                version="1",
                stage="full",
                seed=seed,
                verdict="scored",
                score=score,
            )
            self.archive.evaluations.record(agent_id, record)


def frequencies(
    grove: Grove, name: str, draws: int, count: int = 1, streams: Mapping[str, str] = NONE
) -> dict[int, float]:
    """How often each agent is drawn (first of `count`, as positions in `ids`)."""
    selection, rng = Selection(grove.archive, name, streams), np.random.default_rng(5)
    names = {agent_id: at for at, agent_id in enumerate(grove.ids)}
    found = Counter(
        names[parent.agent_id] for _ in range(draws) for parent in selection.draw(None, count, rng)
    )
    return {at: n / draws for at, n in found.items()}


def chi_squared(found: dict[int, float], expected: dict[int, float], draws: int) -> float:
    """The statistic of shares that were found against those that are expected."""
    return sum(draws * (found.get(at, 0.0) - p) ** 2 / p for at, p in expected.items())
