"""Where experiments run: sessions of our own learners, which need no sandbox."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from cambrian.agents.tree import SourceTree
from cambrian.claims.agents import Maker
from cambrian.errors import CambrianError
from cambrian.evaluators import benchmarks
from cambrian.evaluators.benchmarks.base import Benchmark, Outcome
from cambrian.evaluators.job import drive
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.session import Session

ROOM = 6 << 20
"""Bytes of state that a learner is told it may hold: what most streams allow."""

FREE_FLOPS = 1 << 60


class Rig(ExitStack):
    """Runs learners on streams, one at a time and one thread each; a session is kept for each
    learner, as torch is slow to import.

    Attributes:
        stage: of the streams; "smoke" is a much shorter one, to see whether an experiment runs.
    """

    def __init__(self, stage: str = "full") -> None:
        super().__init__()
        self.stage = stage
        self._sessions: dict[str, Session] = {}
        self._known: dict[tuple[str, str, int], Outcome] = {}

    def run(self, tree: SourceTree, bench: Benchmark, seed: int) -> Outcome:
        """What a learner does on a stream, without the allowances of a search; run once, however
        often it is asked for. Streams that differ have different names.

        Raises:
            CambrianError: it failed; SandboxBroken: the session did.
        """
        key = tree.identity, bench.name, seed
        if key not in self._known:
            self._known[key] = dataclasses.replace(self._run(tree, bench, seed), predictions={})
        return self._known[key]

    def _run(self, tree: SourceTree, bench: Benchmark, seed: int) -> Outcome:
        free = dataclasses.replace(
            bench.stream_of(self.stage, seed), flops=FREE_FLOPS, memory_bytes=ROOM
        )
        try:
            with self._session(tree).job() as channel:
                return drive(channel, bench, free, Unit(bench.name, self.stage, seed))[0]
        except LearnerFailed as failure:
            said = f"{failure}\n{failure.trace}".strip()
            raise CambrianError(f"{bench.name}, seed {seed}: the learner failed: {said}") from None

    def _session(self, tree: SourceTree) -> Session:
        held = self._sessions.get(tree.identity)
        if held is None or held.spent:
            held = self._sessions[tree.identity] = self.enter_context(Session(PlainBackend()))
            held.install(tree)
        return held


@dataclass(frozen=True)
class Run:
    """A condition: a learner on a stream. Its figures are the benchmark's metrics, and what `read`
    makes of the outcome.

    Attributes:
        agent: makes the learner.
        stream: a benchmark, or the name of one.
    """

    agent: Maker
    stream: Benchmark | str
    read: Callable[[Outcome], Mapping[str, float]] | None = None

    @property
    def sources(self) -> SourceTree:
        """The learner's files."""
        return self.agent()

    @property
    def benchmark(self) -> Benchmark:
        """The stream. Raises NotFound: there is no benchmark of that name."""
        if isinstance(self.stream, str):
            return benchmarks.benchmark(self.stream)
        return self.stream

    def __call__(self, rig: Rig, seed: int) -> dict[str, float]:
        """The figures of one seed. Raises CambrianError: the learner failed."""
        outcome = rig.run(self.sources, self.benchmark, seed)
        read = self.read(outcome) if self.read else {}
        return {**outcome.metrics, **read}
