"""A short trial of a model's variant before it is recorded, so that the model sees its own error.

A variant that crashes in the smoke stage would be lost, though the model could mend most of them in
one line. It is run here on the units of that stage, in their order, as long as none fails: no clock
decides, so that a busy host makes no other tree. What came of it is recorded before the model is
told, so that a killed run goes on with the same question. What was measured of a variant that is
kept counts as its smoke stage.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from cambrian.agents.tree import SourceTree
from cambrian.archive import Archive, Proposal
from cambrian.archive.trials import Trial
from cambrian.errors import SandboxBroken
from cambrian.evolution.admission.records import units
from cambrian.evolution.rewriting.learning import clean
from cambrian.evolution.runtime.workers import WorkerClient
from cambrian.failpoints import reach
from cambrian.measurement import Measurement

NOT_TOLD = frozenset({"timeout", "memory"})
"""Causes that may be a busy host's fault: these the smoke stage decides on."""
MAX_ERROR = 3_000

Try = Callable[[int, SourceTree], Awaitable[str]]
"""Tries a tree, the first one or the mended one (0, 1); why it failed, in words for the model, or
"" where it ran."""


async def untried(_attempt: int, _tree: SourceTree) -> str:
    """No trial at all."""
    return ""


@dataclass
class Trier:
    """Tries the variants of one proposal.

    Attributes:
        benchmarks: in the order in which the variant will meet them.
        measured, tried: what was measured of the tree that was tried last, and its identity.
    """

    archive: Archive
    proposal: Proposal
    benchmarks: Sequence[str]
    worker: WorkerClient
    measured: tuple[Measurement, ...] = ()
    tried: str = ""

    def of(self, tree: SourceTree) -> tuple[Measurement, ...]:
        """What was measured of a tree, if it was the one tried last."""
        return self.measured if self.tried == tree.identity else ()

    async def __call__(self, attempt: int, tree: SourceTree) -> str:
        """`Try`; a tree whose learner is its parent's is not run."""
        dropped = sum(one.cpu_s or 0.0 for one in self.measured)
        self.measured, self.tried = (), tree.identity
        known = self.archive.trials.of(self.proposal.id)
        for trial in known:
            if (trial.attempt, trial.identity) == (attempt, tree.identity):
                return trial.problem
        if self._learns_as_its_parent(tree):
            return ""
        try:
            problem = await self._run(tree)
        except SandboxBroken:  # ours: the smoke stage will say, and it is not tried again
            problem = ""
        reach("trial.done")
        with self.archive.transaction():
            self.archive.steering.count(self.proposal.run_id, cpu_s=dropped)
            trial = Trial(attempt, tree.identity, problem)
            self.archive.trials.record(self.proposal.id, trial)
        reach("trial.recorded")
        return problem

    def _learns_as_its_parent(self, tree: SourceTree) -> bool:
        parent = SourceTree(self.archive.agents.files(self.proposal.parents[0]))
        learner = tree.learner_fingerprint
        return learner is not None and learner == parent.learner_fingerprint

    async def _run(self, tree: SourceTree) -> str:
        for unit in units(self.archive, "smoke", self.benchmarks):
            request = self.worker.evaluate(tree.identity, dict(tree), [unit], "cpu")
            for found in [one async for one in request]:  # to its end: the worker is used again
                if found.verdict == "broken" or found.cause in NOT_TOLD:
                    return ""
                self.measured = (*self.measured, found)
                if found.verdict == "failed":
                    return _told(found)
        return ""


def keep_measured(archive: Archive, proposal: Proposal, measured: Sequence[Measurement]) -> None:
    """Record what was measured in the trial of a proposal's variant as its smoke stage."""
    for one in measured:
        if proposal.agent_id and archive.evaluations.record(proposal.agent_id, one):
            archive.steering.count(proposal.run_id, evaluations=1.0, cpu_s=one.cpu_s or 0.0)


def _told(found: Measurement) -> str:
    return (
        "Your changes were made: the code has them. The agent was then tried for a moment on "
        f"{found.benchmark}, and failed. Mend this, and give only what is to be changed, against "
        f"the code as it is now.\n{clean(found.explained, MAX_ERROR)}"
    )
