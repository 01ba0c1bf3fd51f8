"""An evaluation worker: a trusted process that holds sessions and answers requests.

Requests come as JSON lines on standard input, answers go as JSON lines to standard output, and
nothing else does: what a benchmark prints goes to the log. A worker keeps the session of the agent
it judged last, so that an agent's stages share one, and has the next one made in the background.
It ends with its parent, and takes its sandboxes with it.

Operations: `evaluate` (an agent's units, one answer each; but for sealed ones, stopping at the
first that fails) and `improve` (run an improver; its questions go out as `ask` and come back as
`told`). While another agent has the stream that an agent is to be judged on, `waiting` goes out.

What breaks is said as `broken`; an error that trying again does not mend (no such benchmark, a GPU
that cannot be had) as `error`, with its kind.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TextIO

from cambrian.errors import CambrianError, SandboxBroken, StorageTrouble, Unreachable
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.job import evaluate
from cambrian.evaluators.workers.turns import StreamBusy
from cambrian.measurement import Unit
from cambrian.pipes import end_with_parent, private_input, private_output
from cambrian.sandbox.backends.gpu import Lease, lease
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.pool import SessionPool
from cambrian.sandbox.session.session import Session

FULL = Limits(request_s=40.0, job_s=240.0)
"""Of a session as it is made; each job has its benchmark's times."""
IMPROVER = Limits(request_s=60.0, job_s=120.0)
PASSING = (SandboxBroken, Unreachable, StorageTrouble)
"""What may pass by itself: it is retried, and pauses a run where it does not pass."""


class Refusal(Exception):
    """The other side would not answer a question; its reason is the message."""


class WorkerServer:
    """Serves requests one at a time."""

    def __init__(self, backend: Backend, source: TextIO, sink: TextIO) -> None:
        self.pool = SessionPool(backend, FULL)
        self.source = source
        self.sink = sink
        self._agent = ""
        self._lease: Lease | None = None
        self._session: Session | None = None

    def serve(self) -> None:
        """Until standard input ends."""
        try:
            for line in self.source:
                request = _object(line)
                try:
                    self._operations[request["op"]](self, request)
                except (BrokenPipeError, KeyboardInterrupt):
                    raise
                except PASSING as error:
                    self._say(broken(error))
                except CambrianError as error:
                    kind = type(error).__name__
                    self._say({"event": "error", "kind": kind, "message": str(error)})
                except Exception as error:  # noqa: BLE001 - a benchmark's own mistake, say
                    traceback.print_exc()
                    self._drop()
                    self._say(broken(error))
                self._say({"event": "done"})
        finally:
            self.close()

    def close(self) -> None:
        """End the sessions and give the GPU back."""
        self._drop()
        self.pool.close()
        if self._lease is not None:
            self._lease.release()

    def _compute_on(self, device: str) -> None:
        """For "cuda" this worker's sessions get a GPU to themselves, leased until it ends.

        Raises:
            Refused: there is none, or none is left.
        """
        if device == "cuda" and self._lease is None:
            self._lease = lease()
            self._drop()
            self.pool.close()
            self.pool = SessionPool(self.pool.backend, replace(FULL, gpu=self._lease.gpu))

    def _give_memory(self, memory_bytes: int) -> None:
        """Sessions of this worker have so much memory from now on."""
        limits = self.pool.limits
        if limits.memory_bytes != memory_bytes:
            self._drop()
            self.pool.close()
            self.pool = SessionPool(self.pool.backend, replace(limits, memory_bytes=memory_bytes))

    def _evaluate(self, request: Mapping[str, Any]) -> None:
        self._compute_on(request.get("device", "cpu"))
        units = [
            Unit(one["benchmark"], one["stage"], one["seed"], one.get("offset", 0))
            for one in request["units"]
        ]
        for unit in units:
            bench = benchmark(unit.benchmark)
            calibration(bench, unit.stage, unit.seed)  # what cannot be judged here needs no session
        for unit in units:
            limits = benchmark(unit.benchmark).limits(unit.stage)
            self._give_memory(limits.memory_bytes)
            session = self._hold(request["agent"], request["files"])
            session.limits = replace(session.limits, request_s=limits.request_s, job_s=limits.job_s)
            device = request.get("device", "cpu")
            result = evaluate(session, unit, device=device, waiting=self._wait)
            if session.spent:
                self._drop()
            self._say({"event": "evaluation", "evaluation": result.to_json()})
            if result.verdict == "broken":
                kind = StreamBusy.__name__ if result.cause == "busy" else ""
                self._say({"event": "broken", "kind": kind, "message": result.reason})
                return
            if result.verdict == "failed" and unit.stage != "sealed":
                return  # a sealed report wants every unit, whatever fails

    def _improve(self, request: Mapping[str, Any]) -> None:
        try:
            with self.pool.acquire() as session:
                session.limits = replace(
                    session.limits, request_s=IMPROVER.request_s, job_s=IMPROVER.job_s
                )
                session.install(request["files"])
                with session.job("improver") as channel:
                    edit = channel.improve(request["evidence"], self._ask)
            self._say({"event": "edit", "edit": edit})
        except LearnerFailed as failure:
            said = {"event": "failed", "cause": failure.cause, "message": str(failure)}
            self._say(said | {"trace": failure.trace})
        except Refusal as refusal:
            self._say({"event": "failed", "cause": "refused", "message": str(refusal)})
        except (SandboxBroken, ValueError) as error:  # say, evidence too long for a frame: ours
            self._say(broken(error))

    _operations = {"evaluate": _evaluate, "improve": _improve}  # noqa: RUF012

    def _ask(self, messages: list[dict[str, str]]) -> str:
        self._say({"event": "ask", "messages": messages})
        told = _object(
            self.source.readline() or '{"error": "no answer can be given: the other end is closed"}'
        )
        if "error" in told:
            raise Refusal(str(told["error"]))
        return str(told["text"])

    def _hold(self, agent: str, files: Mapping[str, str]) -> Session:
        """The agent's session: the one at hand, or a fresh one with its code installed."""
        if self._session is None or agent != self._agent:
            self._drop()
            session = self.pool.acquire()
            try:
                session.install(files)
            except BaseException:
                session.close()
                raise
            self._session, self._agent = session, agent
            self.pool.prepare()
        return self._session

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _wait(self) -> None:
        self._say({"event": "waiting"})

    def _say(self, answer: Mapping[str, Any]) -> None:
        say(self.sink, answer)


def say(sink: TextIO, answer: Mapping[str, Any]) -> None:
    """Send one answer."""
    sink.write(json.dumps(answer) + "\n")
    sink.flush()


def broken(error: Exception) -> dict[str, str]:
    """What goes over the pipe for an error that is not the agent's."""
    known = isinstance(error, CambrianError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    return {"event": "broken", "kind": type(error).__name__, "message": text[:8000]}


def _object(line: str) -> dict[str, Any]:
    """A line of JSON from the other side.

    Raises:
        SandboxBroken: it is none.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SandboxBroken(f"expected a line of JSON, got {line[:100]!r}") from error
    if not isinstance(found, dict):
        raise SandboxBroken(f"expected a JSON object on a line, got {line[:100]!r}")
    return found


def main() -> None:
    """`python -m cambrian.evaluators.workers.worker SANDBOX [PARENT]` (the process to end with)."""
    end_with_parent(int(sys.argv[2]) if sys.argv[2:] else None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = private_input(), private_output()
    from cambrian.sandbox.backends.registry import choose

    with contextlib.suppress(BrokenPipeError):
        try:
            backend = choose(sys.argv[1], announce=lambda _: None)
        except CambrianError as error:  # it worked when the run began, so it may again
            source.readline()
            say(sink, broken(error))
            say(sink, {"event": "done"})
            return
        WorkerServer(backend, source, sink).serve()


if __name__ == "__main__":
    main()
