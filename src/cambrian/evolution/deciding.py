"""Committing decisions, in proposal order or as they come, and keeping the lineage in step."""

from __future__ import annotations

from collections.abc import Sequence

from cambrian.archive import Proposal
from cambrian.archive.lineage import Lineage
from cambrian.errors import CambrianError
from cambrian.evolution.stretch import Stretch
from cambrian.failpoints import reach

LINEAGE_EVERY, LINEAGE_SHARE = 32, 0.02
"""The lineage is brought up to date after so many decisions, or a share of all where that is more:
looking through its refs costs more the more there are."""


class Decider:
    """Decides what is ready."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._archive = stretch.archive
        self._lineage = Lineage(stretch.archive)
        self._since_lineage = 0

    def decide(self) -> None:
        """Commit what is ready: in proposal order, or as it comes where order is free."""
        fixed = self._stretch.settings.order == "fixed"
        for proposal in self._ready(fixed):
            if not self._stretch.pipeline.decide(proposal):
                if fixed:
                    break
                continue
            reach("proposal.decided")
            self._announce(self._archive.proposals.get(proposal.id))
            self._since_lineage += 1
        if self._since_lineage >= LINEAGE_EVERY and self._since_lineage >= self._share():
            self.project()

    def _ready(self, fixed: bool) -> Sequence[Proposal]:
        ready = []
        for proposal in self._archive.proposals.undecided():
            if proposal.state == "ready":
                ready.append(proposal)
            elif fixed:
                break
        return ready

    def _share(self) -> int:
        return int(LINEAGE_SHARE * self._archive.counts()["members"])

    def _announce(self, proposal: Proposal) -> None:
        name = (proposal.agent_id or "")[:10]
        parts = [f"#{proposal.idx} {proposal.state}", name, proposal.title or ""]
        if proposal.state in ("admitted", "rejected") and proposal.agent_id:
            agent = self._archive.agents.get(proposal.agent_id)
            parts.append(f"score {agent.score:.3f}" if agent.score is not None else "")
        self._stretch.tell(" · ".join(part for part in [*parts, proposal.reason or ""] if part))

    def project(self) -> None:
        """Bring the git lineage up to date with the database."""
        self._since_lineage = 0
        try:
            self._lineage.update()
        except (CambrianError, OSError) as error:
            self._stretch.tell(
                f"the git lineage is behind ({error}); `cambrian db lineage` makes it anew"
            )
