"""Committing decisions, in proposal order or as they come, and keeping the lineage in step.

The lineage is written in a thread, over a connection of its own: git may take minutes to make a
large one anew, and the event loop turns meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import anyio
import anyio.to_thread

from cambrian.archive import Archive, Proposal
from cambrian.archive.lineage.lineage import Lineage
from cambrian.errors import CambrianError
from cambrian.evolution.runtime.context import RunContext
from cambrian.failpoints import reach


class Committer:
    """Decides what is ready."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._archive = context.archive
        self._timing = context.timing
        self._lineage: Lineage | None = None
        self._reader: Archive | None = None
        self._due = anyio.Event()
        self._writing = anyio.Lock()
        self._since_lineage = 0
        self._projected = self._timing.clock()

    def first(self) -> Proposal | None:
        """Decide the one proposal that has its turn, inside the caller's transaction; to be handed
        to `commit` once that is committed. None if nothing was decided."""
        for proposal in self._ready()[:1]:
            if self._context.pipeline.resolve(proposal):
                return proposal
        return None

    def commit(self, first: Proposal | None = None) -> None:
        """Commit what is ready: in proposal order, or as it comes where order is free.

        Args:
            first: what was decided already, but not announced yet.
        """
        if first is not None:
            self._decided(first)
        for proposal in self._ready():
            if self._context.pipeline.resolve(proposal):
                self._decided(proposal)
                continue
            reach("approval.asked")
            if self._fixed:
                break
        late = self._timing.clock() - self._projected >= self._timing.lineage_s
        if self._since_lineage >= (1 if late else self._timing.lineage_every):
            self._since_lineage, self._projected = 0, self._timing.clock()
            self._due.set()

    @property
    def _fixed(self) -> bool:
        return self._context.settings.order == "fixed"

    def _ready(self) -> Sequence[Proposal]:
        ready = []
        for proposal in self._archive.proposals.undecided():
            if proposal.state == "ready":
                ready.append(proposal)
            elif self._fixed:
                break
        return ready

    def _decided(self, proposal: Proposal) -> None:
        reach("proposal.decided")
        self._announce(self._archive.proposals.get(proposal.id))
        self._since_lineage += 1

    def _announce(self, proposal: Proposal) -> None:
        name = (proposal.agent_id or "")[:10]
        parts = [f"#{proposal.idx} {proposal.state}", name, proposal.title or ""]
        if proposal.state in ("admitted", "rejected") and proposal.agent_id:
            agent = self._archive.agents.get(proposal.agent_id)
            parts.append(f"score {agent.score:.3f}" if agent.score is not None else "")
        self._context.tell(" · ".join(part for part in [*parts, proposal.reason or ""] if part))

    async def keep_projecting(self) -> None:
        """Bring the lineage up to date whenever enough was decided; for ever."""
        while True:
            await self._due.wait()
            self._due = anyio.Event()
            await self.project()

    async def project(self) -> None:
        """Bring the git lineage up to date with the database."""
        async with self._writing:
            self._since_lineage, self._projected = 0, self._timing.clock()
            try:
                await anyio.to_thread.run_sync(self._update)
            except (CambrianError, OSError, sqlite3.Error) as error:
                self._context.tell(
                    f"the git lineage is behind ({error}); `cambrian db lineage` rebuilds it"
                )

    def _update(self) -> None:
        """In a thread: what was committed when it begins, as one state."""
        if self._reader is None or self._lineage is None:
            self._reader = Archive.open(self._archive.path, read_only=True)
            self._lineage = Lineage(self._reader)
        connection = self._reader.database.connection
        connection.execute("BEGIN")
        try:
            self._lineage.update()
        finally:
            connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close what it reads with. Idempotent."""
        if self._reader is not None:
            self._reader.close()
            self._reader = self._lineage = None
