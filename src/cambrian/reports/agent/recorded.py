"""What was recorded of an agent's evaluations, picked by benchmark, stage and seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cambrian.errors import NotFound
from cambrian.text import short

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive
    from cambrian.archive import Evaluation as Recorded


@dataclass(frozen=True)
class Picked:
    """Which evaluations are meant; None: all of that kind."""

    agent_id: str
    benchmark: str | None
    stage: str
    seed: int | None

    def of(self, archive: Archive) -> tuple[Agent, list[Recorded]]:
        """The agent, and what was recorded of it and counts.

        Raises:
            NotFound: no such agent or benchmark, or nothing was recorded there.
        """
        from cambrian.evaluators.benchmarks import benchmark as find

        agent = archive.agents.get(archive.resolve(self.agent_id))
        if self.benchmark is not None:
            find(self.benchmark)
        recorded = archive.evaluations.of(agent.id, self.stage, sealed=self.stage == "sealed")
        rows = [
            row
            for row in recorded
            if self.benchmark in (None, row.benchmark) and self.seed in (None, row.seed)
        ]
        if not rows:
            known = sorted({f"{row.benchmark} seed {row.seed}" for row in recorded})
            raise NotFound(
                f"expected recorded evaluations of {short(agent.id)} to repeat; of its "
                f"{self.stage} stage the archive has: {', '.join(known) or 'nothing'}"
            )
        return agent, rows
