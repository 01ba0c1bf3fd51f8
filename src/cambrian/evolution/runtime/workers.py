"""The evaluation workers as the loop sees them: what one can do, whatever carries it out.

`ProcessWorker` (`process_worker`) is a process on this host. One on another host, or a test's,
implements the same three verbs; `cambrian.evaluators.workers.worker` is what answers at the other
end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from cambrian.evolution.models.refusals import AskRefused, BudgetSpent, EndpointDown
from cambrian.measurement import Measurement, Unit

Ask = Callable[[list[dict[str, str]]], Awaitable[str]]
"""Answers an improver's question; raises AskRefused if it cannot be answered."""


class ImproverFailed(Exception):
    """The improver crashed, hung or returned no edit; its own fault.

    Attributes:
        cause: one of `cambrian.sandbox.session.failures.CAUSES`.
    """

    def __init__(self, message: str, cause: str = "protocol") -> None:
        super().__init__(message)
        self.cause = cause


class WorkerClient(Protocol):
    """One worker. Not for use by several tasks at once.

    Every verb raises `SandboxBroken` if the worker or its sandbox broke (`StreamBusy` if another
    agent had the stream for too long); the next request then finds it fresh. Another
    `CambrianError` is the worker's own, and trying again does not mend it.
    """

    def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
        """Judge an agent on units, in order, stopping after the first that is not scored (sealed
        units apart: of these every one is judged, but for what comes after a broken one)."""

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        """Run an improver in a session of its own; the edit it returns, unchecked.

        Raises:
            ImproverFailed: its own fault. AskRefused: a question could not be answered.
        """

    async def close(self, *, now: bool = False) -> None:
        """Let it finish what it holds and give back its sandboxes; `now` ends it at once."""


class WorkerFactory(Protocol):
    """Makes workers."""

    def __call__(self, log: Path, /) -> WorkerClient:
        """One that logs to a file. It starts with its first request."""


W = TypeVar("W", bound=WorkerClient)


@asynccontextmanager
async def held(worker: W) -> AsyncIterator[W]:
    """A worker for the length of a block; closed then, at once if the block ends in an error."""
    try:
        yield worker
    except BaseException:
        await worker.close(now=True)
        raise
    await worker.close()


__all__ = [
    "Ask",
    "AskRefused",
    "BudgetSpent",
    "EndpointDown",
    "ImproverFailed",
    "WorkerClient",
    "WorkerFactory",
    "held",
]
