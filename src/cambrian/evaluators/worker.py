"""An evaluation worker: a trusted process that holds sessions and answers requests.

Requests come as JSON lines on standard input, answers go as JSON lines to standard output. It
keeps the session of the agent it judged last, so that an agent's stages share one, and has the
next one made in the background. It ends with its parent, and takes its sandboxes with it.

Operations: `evaluate` (an agent's units, one answer each; but for sealed ones, stopping at the
first that fails) and `improve` (run an improver; its questions go out as `ask` and come back as
`told`).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TextIO

from cambrian.errors import CambrianError, SandboxBroken
from cambrian.evaluators.job import Unit, evaluate
from cambrian.evaluators.wire import to_json
from cambrian.sandbox.failures import LearnerFailed
from cambrian.sandbox.gpu import Lease, lease
from cambrian.sandbox.limits import Limits
from cambrian.sandbox.process import Backend
from cambrian.sandbox.session import Session, SessionPool

PR_SET_PDEATHSIG = 1
# Generous, because a verdict must not depend on how busy the host is: replay takes two seconds.
SMOKE = Limits(request_s=15.0, job_s=60.0)
FULL = Limits(request_s=40.0, job_s=240.0)
IMPROVER = Limits(request_s=60.0, job_s=120.0)


class Refusal(Exception):
    """The other side would not answer a question; its reason is the message."""


class Worker:
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
                request = json.loads(line)
                try:
                    self._operations[request["op"]](self, request)
                except CambrianError as error:
                    self._say({"event": "error", "message": str(error)})
                self._say({"event": "done"})
        finally:
            self.close()

    def close(self) -> None:
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

    def _evaluate(self, request: Mapping[str, Any]) -> None:
        self._compute_on(request.get("device", "cpu"))
        for given in request["units"]:
            unit = Unit(given["benchmark"], given["stage"], given["seed"])
            try:
                session = self._hold(request["agent"], request["files"])
            except SandboxBroken as error:
                self._say({"event": "broken", "message": str(error)})
                return
            limits = SMOKE if unit.stage == "smoke" else FULL
            session.limits = replace(session.limits, request_s=limits.request_s, job_s=limits.job_s)
            result = evaluate(session, unit, device=request.get("device", "cpu"))
            if session.spent:
                self._drop()
            self._say({"event": "evaluation", "evaluation": to_json(result)})
            if result.verdict == "broken":
                self._say({"event": "broken", "message": result.reason})
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
            self._say({"event": "broken", "message": str(error)[:8000]})

    _operations = {"evaluate": _evaluate, "improve": _improve}  # noqa: RUF012

    def _ask(self, messages: list[dict[str, str]]) -> str:
        self._say({"event": "ask", "messages": messages})
        told = json.loads(self.source.readline() or '{"error": "nobody is there to answer"}')
        if "error" in told:
            raise Refusal(str(told["error"]))
        return str(told["text"])

    def _hold(self, agent: str, files: Mapping[str, str]) -> Session:
        """The agent's session: the one at hand, or a fresh one with its code installed."""
        if self._session is None or agent != self._agent:
            self._drop()
            session = self.pool.acquire()
            session.install(files)
            self._session, self._agent = session, agent
            self.pool.prepare()
        return self._session

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _say(self, answer: Mapping[str, Any]) -> None:
        self.sink.write(json.dumps(answer) + "\n")
        self.sink.flush()


def main() -> None:
    """`python -m cambrian.evaluators.worker SANDBOX`."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from cambrian.sandbox.backends import choose

    backend = choose(sys.argv[1], announce=lambda _: None)
    with contextlib.suppress(BrokenPipeError):
        Worker(backend, sys.stdin, sys.stdout).serve()


if __name__ == "__main__":
    main()
