"""The evaluation workers, seen from the loop: subprocesses that take requests as JSON lines."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from cambrian.errors import SandboxBroken
from cambrian.evaluators.job import Evaluation, Unit
from cambrian.evaluators.wire import from_json
from cambrian.evolution.refusals import AskRefused, BudgetSpent, EndpointDown

MAX_LINE = 64 << 20
GRACE_S = 20.0
ANSWER_S = 900.0
"""Longer than any job may take with its sandbox's start: a worker that is silent so long hangs."""

Ask = Callable[[list[dict[str, str]]], Awaitable[str]]
Hire = Callable[[Path], "Worker"]
"""Makes a worker that logs to a file."""


class ImproverFailed(Exception):
    """The improver crashed, hung or returned no edit; its own fault.

    Attributes:
        cause: one of `cambrian.sandbox.failures.CAUSES`.
    """

    def __init__(self, message: str, cause: str = "protocol") -> None:
        super().__init__(message)
        self.cause = cause


class Worker:
    """One worker process. Not for use by several tasks at once.

    Every method raises `SandboxBroken` if the process or its sandbox broke; the next request then
    starts a new process.
    """

    def __init__(self, sandbox: str, log: Path) -> None:
        self.sandbox = sandbox
        self.log = log
        self._process: anyio.abc.Process | None = None
        self._lines: BufferedByteReceiveStream | None = None

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Evaluation]:
        """Judge an agent on units, in order, stopping after the first that is not scored."""
        request = {
            "op": "evaluate",
            "agent": agent_id,
            "files": dict(files),
            "device": device,
            "units": [vars(unit) for unit in units],
        }
        async for answer in self._request(request):
            if answer["event"] == "evaluation":
                yield from_json(answer["evaluation"])

    async def improve(
        self, files: Mapping[str, str], evidence: Mapping[str, Any], ask: Ask
    ) -> dict[str, Any]:
        """Run an improver in a session of its own; the edit it returns, unchecked.

        Raises:
            ImproverFailed: its own fault. AskRefused: a question could not be answered.
        """
        request = {"op": "improve", "files": dict(files), "evidence": evidence}
        edit: dict[str, Any] | None = None
        failed: Exception = ImproverFailed("the improver returned no edit")
        async for answer in self._request(request):
            if answer["event"] == "ask":
                try:
                    told = {"text": await ask(answer["messages"])}
                except AskRefused as refusal:
                    told, failed = {"error": str(refusal)}, refusal
                await self._send(told)
            elif answer["event"] == "edit":
                edit = answer["edit"]
            elif answer["event"] == "failed" and not isinstance(failed, AskRefused):
                trace = f"\n{answer['trace']}" if answer.get("trace") else ""
                cause = str(answer["cause"])
                failed = ImproverFailed(f"{cause}: {answer['message']}{trace}", cause)
        if edit is None:
            raise failed
        return edit

    async def _request(self, request: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Send a request and yield its answers until it is done."""
        await self._send(request)
        broken = ""
        while True:
            answer = await self._receive()
            if answer["event"] in ("broken", "error"):
                broken = str(answer["message"])
            elif answer["event"] == "done":
                break
            else:
                yield answer
        if broken:
            raise SandboxBroken(broken)

    async def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = await anyio.open_process(
                [sys.executable, "-m", "cambrian.evaluators.worker", self.sandbox],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=worker_environment(),
                start_new_session=True,
            )
        if self._process.stdout is None:
            raise SandboxBroken("the worker has no output")
        self._lines = BufferedByteReceiveStream(self._process.stdout)

    async def _send(self, message: Mapping[str, Any]) -> None:
        if self._process is None:
            await self._start()
        process = self._process
        if process is None or process.stdin is None:
            raise SandboxBroken("the worker could not be started")
        try:
            await process.stdin.send(json.dumps(message).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise await self._died() from None

    async def _receive(self) -> dict[str, Any]:
        if self._lines is None:
            raise SandboxBroken("the worker is not running")
        try:
            with anyio.fail_after(ANSWER_S):
                line = await self._lines.receive_until(b"\n", MAX_LINE)
        except TimeoutError:
            await self.close(now=True)
            raise SandboxBroken(
                f"the evaluation worker said nothing for {ANSWER_S:g} s; see {self.log}"
            ) from None
        except (anyio.IncompleteRead, anyio.DelimiterNotFound, anyio.ClosedResourceError):
            raise await self._died() from None
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _died(self) -> SandboxBroken:
        process, self._process, self._lines = self._process, None, None
        status = await process.wait() if process else None
        return SandboxBroken(f"the evaluation worker ended (status {status}); see {self.log}")

    async def close(self, *, now: bool = False) -> None:
        """Let it finish what it holds and close its sandboxes; `now` kills it."""
        process, self._process, self._lines = self._process, None, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.stdin is not None:
                await process.stdin.aclose()
            with anyio.move_on_after(0 if now else GRACE_S):
                await process.wait()
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
                await process.wait()
            await process.aclose()

    async def __aenter__(self) -> Worker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close(now=error is not None)


def worker_environment() -> dict[str, str]:
    """A worker's environment: one thread each, and no key of a model, which it does not need."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OPENAI_")}
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


__all__ = ["Ask", "AskRefused", "BudgetSpent", "EndpointDown", "Hire", "ImproverFailed", "Worker"]
