"""A worker as a process on this host, which takes requests as JSON lines."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.abc
import anyio.to_thread
from anyio.streams.buffered import BufferedByteReceiveStream

from cambrian.errors import CambrianError, SandboxBroken, StorageTrouble, UsageError, kinds
from cambrian.evaluators.workers.turns import StreamBusy
from cambrian.evolution.models.refusals import AskRefused
from cambrian.evolution.runtime.workers import Ask, ImproverFailed
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends import owner

MAX_LINE = 64 << 20
GRACE_S = 20.0
ANSWER_S, LOOKS = 900.0, 60
"""Longer than any job may take with its sandbox's start: a worker that is silent so long hangs. It
is looked at so many times meanwhile: a process that was stopped for an hour has looked once."""

SHORT = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
"""The machine is short of processes, memory or descriptors: that passes."""
WORKER = (sys.executable, "-m", "cambrian.evaluators.workers.worker")

T = TypeVar("T")


def _answer(line: bytes) -> dict[str, Any]:
    found = json.loads(line)
    if not isinstance(found, dict) or not isinstance(found.get("event"), str):
        raise ValueError("no event")
    return found


def _error(answer: Mapping[str, Any]) -> CambrianError:
    """The error of a worker, of its kind."""
    text, kind = str(answer.get("message")), str(answer.get("kind"))
    if kind == StreamBusy.__name__:
        return StreamBusy(text)
    known = kinds().get(kind, SandboxBroken) if answer["event"] == "error" else SandboxBroken
    return SandboxBroken(text) if issubclass(known, StorageTrouble) else known(text)


class ProcessWorker:
    """A `WorkerClient` that starts its process with the first request, and with the first one after
    it broke.

    Args:
        sandbox: what the process keeps its sessions in.
        log: where its words go.
        command: starts the process; the sandbox and our process id follow.
        answer_s: how long it may be silent while it is at work.
        max_line: bytes that an answer may have.
        hidden: variables of the environment that hold keys of models.
    """

    def __init__(
        self,
        sandbox: str,
        log: Path,
        *,
        command: Sequence[str] = WORKER,
        answer_s: float = ANSWER_S,
        max_line: int = MAX_LINE,
        hidden: Collection[str] = (),
    ) -> None:
        self.sandbox = sandbox
        self.log = log
        self._command = tuple(command)
        self._answer_s = answer_s
        self._max_line = max_line
        self._hidden = frozenset(hidden)
        self._process: anyio.abc.Process | None = None
        self._lines: BufferedByteReceiveStream | None = None

    async def evaluate(
        self, agent_id: str, files: Mapping[str, str], units: Sequence[Unit], device: str
    ) -> AsyncIterator[Measurement]:
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
                yield await self._understood(Measurement.from_json, answer["evaluation"])

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
        error: CambrianError | None = None
        while True:
            answer = await self._receive()
            if answer["event"] in ("broken", "error"):
                error = _error(answer)
            elif answer["event"] == "done":
                break
            elif answer["event"] != "waiting":
                yield answer
        if error is not None:
            raise error

    async def _start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.log.open("ab") as log:
                self._process = await anyio.open_process(
                    [*self._command, self.sandbox, str(os.getpid())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=worker_environment(self._hidden),
                    start_new_session=True,
                )
        except OSError as error:
            if error.errno not in SHORT:
                raise
            raise SandboxBroken(f"no evaluation worker can be started: {error}") from error
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
            with anyio.fail_after(self._answer_s):
                await process.stdin.send(json.dumps(message).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, TimeoutError):
            raise await self._ended("takes no request") from None

    async def _receive(self) -> dict[str, Any]:
        try:
            line = await self._line()
        except TimeoutError:
            raise await self._ended(f"said nothing for {self._answer_s:g} s") from None
        except anyio.DelimiterNotFound:
            raise await self._ended(f"gave an answer of over {self._max_line >> 20} MiB") from None
        except (anyio.IncompleteRead, anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise await self._ended("") from None
        return await self._understood(_answer, line)

    async def _line(self) -> bytes:
        """What it says next; raises TimeoutError if it is silent for too long."""
        lines = self._lines
        if lines is None:
            raise SandboxBroken("the worker is not running")
        for _ in range(LOOKS):
            with anyio.move_on_after(self._answer_s / LOOKS):
                return await lines.receive_until(b"\n", self._max_line)
        raise TimeoutError

    async def _understood(self, read: Callable[[Any], T], given: Any) -> T:
        """What `read` makes of an answer; a worker that talks nonsense is ended."""
        try:
            return read(given)
        except (ValueError, TypeError, KeyError, RecursionError, UsageError) as error:
            said = str(given)[:100]
            text = f"gave an answer that makes no sense ({type(error).__name__}: {error}): {said}"
            raise await self._ended(text) from None

    async def _ended(self, what: str) -> SandboxBroken:
        """The error for a worker that is of no more use; ends it, however it is."""
        process = self._process
        await self.close(now=True)
        status = process.returncode if process else None
        what = what or f"ended (status {status})"
        return SandboxBroken(f"the evaluation worker {what}; see {self.log}")

    async def close(self, *, now: bool = False) -> None:
        """Let it finish what it holds and close its sandboxes; `now` kills it."""
        process, self._process, self._lines = self._process, None, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.stdin is not None:
                await process.stdin.aclose()
            if not now:
                with anyio.move_on_after(GRACE_S):
                    await process.wait()
            killed = process.returncode is None
            if killed:
                with suppress(ProcessLookupError):  # with all that it started and did not part from
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
            await process.aclose()
            if killed or process.returncode:
                with suppress(OSError):  # else the next start removes what it left
                    await anyio.to_thread.run_sync(owner.reap_folders)


_KEYS = re.compile(r"^OPENAI_|(?:^|_)(?:KEY|APIKEY|TOKEN|SECRET|PASSWORD)$", re.I)


def worker_environment(hidden: Collection[str] = ()) -> dict[str, str]:
    """A worker's environment: one thread each, and no key, which it does not need: neither what is
    named like one, nor what `hidden` names."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if name not in hidden and not _KEYS.search(name)
    }
    return kept | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
