"""A session: one sandbox, one agent, one job at a time.

`Session.job()` gives a `Channel` for the length of a job and a `Report` afterwards. At the first
irregularity (a failed job, a process or file that would not go) the session is `spent`: it must
be closed, and the next job gets a fresh one.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from cambrian.errors import SandboxBroken
from cambrian.sandbox.channel import Channel
from cambrian.sandbox.failures import LearnerFailed
from cambrian.sandbox.limits import Limits
from cambrian.sandbox.process import Backend, SandboxProcess
from cambrian.sandbox.runner.frames import (
    ChannelClosed,
    DeadlinePassed,
    Expect,
    Frame,
    FrameError,
    FrameSocket,
    Kind,
)

LAST_WORDS = 8000
REPORT_S = 5.0


@dataclass(frozen=True)
class Report:
    """How a job's process ended, as the zygote saw it from outside of it.

    Attributes:
        exit: exit status, negative for a signal.
        cpu_s: of all the sandbox's processes during the job, from its cgroup; where there is
            none, of the job's own process, from `wait4`.
        peak_bytes: of the job's process, from `wait4`.
        output: the last it printed; untrusted text.
        wall_s: host seconds.
    """

    exit: int
    cpu_s: float
    peak_bytes: int
    output: str
    output_bytes: int
    ended: str
    clean: bool
    wall_s: float = 0.0


class Session:
    """One running sandbox. Use as a context manager, or `close()` it."""

    def __init__(self, backend: Backend, limits: Limits | None = None) -> None:
        self.backend = backend
        self.limits = limits or Limits()
        self.spent = False
        self.report: Report | None = None
        self._jobs = 0
        self._folder = Path(tempfile.mkdtemp(prefix="cambrian-"))
        self._share = self._folder / "session"
        self._process: SandboxProcess | None = None
        self._control: FrameSocket | None = None
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        for folder in (self._share, self._share / "agent", self._share / "data"):
            folder.mkdir()
            folder.chmod(0o755)
        deadline = time.monotonic() + self.limits.start_s
        with _listen(self._share / "control.sock") as listener:
            self._process = self.backend.launch(self._share, self.limits)
            self._control = self._accept(listener, deadline)
        try:
            self._control.receive(Expect(frozenset({Kind.READY})), deadline=deadline)
        except (ChannelClosed, DeadlinePassed, FrameError) as error:
            raise SandboxBroken(f"the sandbox did not get ready: {error}. {self._log()}") from None

    def _accept(self, listener: socket.socket, deadline: float) -> FrameSocket:
        process = self._process
        while True:
            try:
                listener.settimeout(0.25)
                return FrameSocket(listener.accept()[0])
            except TimeoutError:
                if process is None or not process.alive():
                    raise SandboxBroken(f"the sandbox ended at its start. {self._log()}") from None
                if time.monotonic() > deadline:
                    raise SandboxBroken(
                        f"the sandbox was not ready within {self.limits.start_s:g} s. {self._log()}"
                    ) from None

    def install(self, files: Mapping[str, str]) -> None:
        """Show the agent's source tree to the sandbox. Once per session."""
        agent = self._share / "agent"
        for path, text in files.items():
            target = agent / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")
            target.chmod(0o644)
            target.parent.chmod(0o755)

    @contextmanager
    def job(self, mode: str = "learner") -> Iterator[Channel]:
        """Run one job; what the block does with the channel is the job.

        Raises:
            LearnerFailed: as the channel does, and for processes that died or went over limits.
            SandboxBroken: the sandbox itself is gone or misbehaves.
        """
        if self.spent or self._control is None:
            raise SandboxBroken("the session is spent; open another")
        began, before, cpu = time.monotonic(), self._oom_kills(), self._cpu()
        channel = self._begin(mode)
        try:
            yield channel
        except ChannelClosed:
            self.spent = True
            self.report = self._end(channel, began, cpu)
            raise self._why(before) from None
        except BaseException:
            self.spent = True
            self._end_quietly(channel, began, cpu)
            raise
        self.report = self._end(channel, began, cpu)
        self.spent = self._irregular(self.report, before)

    def _begin(self, mode: str) -> Channel:
        control = self._control
        if control is None:
            raise SandboxBroken("the session is closed")
        self._jobs += 1
        name = f"job-{self._jobs}-{secrets.token_hex(4)}.sock"
        deadline = time.monotonic() + self.limits.request_s
        with _listen(self._share / name) as listener:
            try:
                control.send(Kind.JOB, self._jobs, {"socket": name, "mode": mode})
            except ChannelClosed as error:
                self.spent = True
                raise SandboxBroken(f"the sandbox is gone: {error}. {self._log()}") from None
            door = self._accept(listener, deadline)
        return Channel(door, self._share, self.limits)

    def _end(self, channel: Channel, began: float, cpu: float | None) -> Report:
        """Hang up, have whatever is left killed, and read the zygote's report."""
        control = self._control
        channel.door.close()
        if control is None:
            raise SandboxBroken("the session is closed")
        try:
            control.send(Kind.END, self._jobs)
            frame = control.receive(
                Expect(frozenset({Kind.REPORT}), max_meta=1 << 18),
                deadline=time.monotonic() + REPORT_S,
            )
            report = _report(frame)
        except (ChannelClosed, DeadlinePassed, FrameError, TypeError, ValueError) as error:
            self.spent = True
            raise self._gone(error) from None
        finally:
            for file in (self._share / "data").iterdir():
                file.unlink()
        now = self._cpu()
        if now is not None and cpu is not None:
            report = replace(report, cpu_s=now - cpu)
        return replace(report, wall_s=time.monotonic() - began)

    def _end_quietly(self, channel: Channel, began: float, cpu: float | None) -> None:
        """End a job that failed already: that failure is the verdict, whatever follows."""
        try:
            self.report = self._end(channel, began, cpu)
        except (SandboxBroken, LearnerFailed):
            self.report = None

    def _irregular(self, report: Report, oom_before: int | None) -> bool:
        killed = self._oom_kills() != oom_before
        return killed or not report.clean or report.exit not in (0, -9)

    def _why(self, oom_before: int | None) -> Exception:
        """The job's process is gone; say whose fault it was."""
        report = self.report
        if self._oom_kills() != oom_before:
            bound = self.limits.memory_bytes >> 20
            return LearnerFailed("memory", f"the learner needed more than {bound} MiB")
        if report is None:
            return SandboxBroken("the job's process ended without a report")
        if report.ended == "for its output":
            return LearnerFailed("output", f"the learner printed {report.output_bytes} bytes")
        how = f"signal {-report.exit}" if report.exit < 0 else f"exit status {report.exit}"
        return LearnerFailed("crash", f"the learner's process ended with {how}", report.output)

    def _gone(self, error: Exception) -> Exception:
        """The zygote does not answer: the learner's doing only if memory ran out."""
        if self._oom_kills():
            bound = self.limits.memory_bytes >> 20
            return LearnerFailed("memory", f"the learner needed more than {bound} MiB")
        return SandboxBroken(f"the sandbox is gone: {error}. {self._log()}")

    def _oom_kills(self) -> int | None:
        return self._process.oom_kills() if self._process else None

    def _cpu(self) -> float | None:
        return self._process.cpu_s() if self._process else None

    def _log(self) -> str:
        text = self._process.log().strip() if self._process else ""
        return f"It said: {text[-LAST_WORDS:]}" if text else "It said nothing."

    def close(self) -> None:
        """End the sandbox and remove its folder. Idempotent."""
        self.spent = True
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class SessionPool:
    """Keeps one session ready ahead of need, so that importing torch costs no latency."""

    def __init__(self, backend: Backend, limits: Limits | None = None) -> None:
        self.backend = backend
        self.limits = limits or Limits()
        self._spare: Session | None = None
        self._error: SandboxBroken | None = None
        self._thread: threading.Thread | None = None

    def prepare(self) -> None:
        """Start to make the spare session, in the background."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._make, name="session-pool", daemon=True)
            self._thread.start()

    def _make(self) -> None:
        try:
            self._spare = Session(self.backend, self.limits)
        except SandboxBroken as error:
            self._error = error

    def _taken(self) -> tuple[Session | None, SandboxBroken | None]:
        if self._thread is not None:
            self._thread.join()
        spare, error = self._spare, self._error
        self._thread, self._spare, self._error = None, None, None
        return spare, error

    def acquire(self) -> Session:
        """A fresh session; it belongs to the caller.

        Raises:
            SandboxBroken: none could be opened.
        """
        self.prepare()
        spare, error = self._taken()
        if spare is None:
            raise error or SandboxBroken("no session could be opened")
        return spare

    def close(self) -> None:
        spare, _ = self._taken()
        if spare is not None:
            spare.close()


@contextmanager
def _listen(path: Path) -> Iterator[socket.socket]:
    """A listening socket that is gone from the file system when the block ends."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.listen(1)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _report(frame: Frame) -> Report:
    meta: dict[str, Any] = frame.meta
    return Report(
        exit=int(meta["exit"]),
        cpu_s=float(meta["cpu_s"]),
        peak_bytes=int(meta["peak_bytes"]),
        output=str(meta["output"]),
        output_bytes=int(meta["output_bytes"]),
        ended=str(meta["ended"]),
        clean=bool(meta["clean"]),
    )
