"""A session: one sandbox, one agent, one job at a time.

`Session.job()` gives a `Channel` for the length of a job and a `Report` afterwards. At the first
irregularity (a failed job, a process or file that would not go) the session is `spent`: it must
be closed, and the next job gets a fresh one.
"""

from __future__ import annotations

import secrets
import shutil
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from cambrian.errors import SandboxBroken, UsageError
from cambrian.sandbox.backends import owner
from cambrian.sandbox.backends.cgroups import OomKills
from cambrian.sandbox.backends.halted import Halts, crowded, idle
from cambrian.sandbox.backends.process import Backend, SandboxProcess
from cambrian.sandbox.runner.frames import (
    STANDSTILL_S,
    ChannelClosed,
    DeadlinePassed,
    Expect,
    FrameError,
    FrameSocket,
    Kind,
)
from cambrian.sandbox.session.channel import Channel
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.report import Report, read_report
from cambrian.text import neutralise

LAST_WORDS = 8000
REPORT_S = 15.0
ENOUGH_S = 5.0
"""Processor seconds in which process 1 would have reported, had it not been stopped."""
KNOCK_S = 0.25


class Session:
    """One running sandbox. Use as a context manager, or `close()` it."""

    def __init__(self, backend: Backend, limits: Limits | None = None) -> None:
        self.backend = backend
        self.limits = limits or Limits()
        self.spent = False
        self.report: Report | None = None
        self._jobs = 0
        self._torch = ""
        self._folder = owner.folder()
        self._share = self._folder / "s"  # short: a socket's path holds 107 bytes
        self._peer: int | None = None
        self._process: SandboxProcess | None = None
        self._control: FrameSocket | None = None
        self._halts = Halts(0, protected=False)
        try:
            self._open()
        except OSError as error:
            self.close()
            raise SandboxBroken(f"expected to open a session; got: {error}") from None
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
            ready = self._control.receive(Expect(frozenset({Kind.READY})), deadline=deadline)
            self._torch = neutralise(str(ready.meta.get("torch", ""))[:40])
            self._peer = _peer(self._control.socket)
            self._halts = self._watched()
            self._control.watch = self._halts.look
        except (ChannelClosed, DeadlinePassed, FrameError) as error:
            raise SandboxBroken(f"the sandbox did not get ready: {error}. {self._log()}") from None

    def _accept(self, listener: socket.socket, deadline: float) -> FrameSocket:
        """The zygote's connection; anybody else's is closed."""
        process, seen = self._process, time.monotonic()
        listener.settimeout(KNOCK_S)
        while True:
            try:
                door, _ = listener.accept()
            except TimeoutError:
                now = time.monotonic()
                if now - seen > STANDSTILL_S + KNOCK_S:  # we did not run: that is not its time
                    deadline += now - seen
                seen = now
                if process is None or not process.alive():
                    raise SandboxBroken(f"the sandbox ended. {self._log()}") from None
                if now > deadline:
                    break
                continue
            if self._peer is None or _peer(door) == self._peer:
                return FrameSocket(door)
            door.close()
        raise SandboxBroken(f"the sandbox did not connect in time. {self._log()}")

    def _watched(self) -> Halts:
        protected = self.backend.isolation != "none"
        return Halts(self._peer or 0, protected=protected)

    def _held(self) -> bool:
        """Whether this machine kept the sandbox from running, now or a while ago in this job."""
        self._halts.look()
        return bool(self._halts.seen)

    def provenance(self) -> dict[str, str]:
        """What names this sandbox in a result: backend, image digest, torch version, ..."""
        return {**self.backend.provenance(), "torch": self._torch}

    def install(self, files: Mapping[str, str]) -> None:
        """Show the agent's source tree to the sandbox. Once per session.

        Raises:
            UsageError: a path that leads out of the tree.
        """
        agent = self._share / "agent"
        for path, text in files.items():
            if path.startswith("/") or ".." in path.split("/"):
                raise UsageError(f"expected a plain relative path in an agent's tree, got {path!r}")
            target = agent / path
            for folder in reversed(target.relative_to(agent).parents):
                (agent / folder).mkdir(exist_ok=True)
                (agent / folder).chmod(0o755)
            target.write_text(text, encoding="utf-8", newline="")
            target.chmod(0o644)

    @contextmanager
    def job(self, mode: str = "learner") -> Iterator[Channel]:
        """Run one job; what the block does with the channel is the job.

        Raises:
            LearnerFailed: as the channel does, and for processes that died or went over limits.
            SandboxBroken: the sandbox itself is gone or misbehaves.
        """
        if self.spent or self._control is None:
            raise SandboxBroken("the session is spent; open another")
        self.report = None  # not the last job's, should this one end without
        began, before, cpu = time.monotonic(), self._oom_kills(), self._cpu()
        try:
            channel = self._begin(mode)
        except SandboxBroken:
            self.spent = True
            raise
        try:
            yield channel
        except ChannelClosed:
            self.spent = True
            self.report = self._end(channel, began, cpu)
            raise self._why(before) from None
        except LearnerFailed as failure:
            self.spent = True
            if failure.cause == "timeout" and self._held():
                channel.door.close()
                raise SandboxBroken(
                    f"no answer came, and this machine held the sandbox up: {self._halts.seen}"
                ) from None
            self._end_quietly(channel, began, cpu)
            if self._starved(before):  # what the kernel saw says more than that no answer came
                raise self._out_of_memory(self.report.output if self.report else "") from None
            raise
        except BaseException:
            self.spent = True
            self._end_quietly(channel, began, cpu)
            raise
        self.report = self._end(channel, began, cpu)
        self.spent = self._irregular(self.report, before) or "between jobs" in self.backend.reduced

    def _begin(self, mode: str) -> Channel:
        control = self._control
        if control is None:
            raise SandboxBroken("the session is closed")
        self._jobs += 1
        name = f"{secrets.token_hex(6)}.sock"  # the job can read it: not a number that counts jobs
        # Before the first job the zygote may have more of torch to import, for this agent's code.
        limit = self.limits.start_s if self._jobs == 1 else self.limits.request_s
        deadline = time.monotonic() + limit
        with _listen(self._share / name) as listener:
            try:
                control.send(Kind.JOB, self._jobs, {"socket": name, "mode": mode})
            except ChannelClosed as error:
                self.spent = True
                raise SandboxBroken(f"the sandbox is gone: {error}. {self._log()}") from None
            door = self._accept(listener, deadline)
        self._halts = self._watched()
        door.watch = control.watch = self._halts.look
        return Channel(door, self._share, self.limits, shares_memory=self.backend.shares_memory)

    def _end(self, channel: Channel, began: float, cpu: float | None) -> Report:
        """Hang up, have whatever is left killed, and read the zygote's report."""
        control = self._control
        channel.door.close()
        if control is None:
            raise SandboxBroken("the session is closed")
        before = self._cpu() or 0.0
        try:
            control.send(Kind.END, self._jobs)
            frame = control.receive(
                Expect(frozenset({Kind.REPORT}), max_meta=1 << 18),
                deadline=time.monotonic() + REPORT_S,
            )
            report = read_report(frame, self._jobs)
        except (ChannelClosed, DeadlinePassed, FrameError) as error:
            self.spent = True
            raise self._gone(error, (self._cpu() or 0.0) - before) from None
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

    def _irregular(self, report: Report, before: OomKills | None) -> bool:
        return self._oom_kills() != before or not report.clean or report.exit != 0

    def _why(self, before: OomKills | None) -> Exception:
        """The job's process is gone; say whose fault it was."""
        report = self.report
        if report is None:
            return SandboxBroken("the job's process ended without a report")
        if report.ended == "for its output":
            return LearnerFailed("output", f"the learner printed {report.output_bytes} bytes")
        if self._starved(before):
            return self._out_of_memory(report.output)
        kills = self._oom_kills()
        if kills and before and kills.host > before.host and report.exit == -9:
            return SandboxBroken("the host ran out of memory, and the kernel chose the learner")
        how = f"signal {-report.exit}" if report.exit < 0 else f"exit status {report.exit}"
        return LearnerFailed("crash", f"the learner's process ended with {how}", report.output)

    def _starved(self, before: OomKills | None) -> bool:
        """Whether the kernel killed in here since, because the session's own bound was reached."""
        kills = self._oom_kills()
        return kills is not None and before is not None and kills.own > before.own

    def _gone(self, error: Exception, used_s: float) -> Exception:
        """The zygote does not answer: the learner's doing if memory ran out, or where a job can do
        something to process 1."""
        kills = self._oom_kills()
        if kills and kills.own:
            return self._out_of_memory("")
        if isinstance(error, DeadlinePassed) and self._stopped_from_inside(used_s):
            return LearnerFailed("crash", "the learner stopped process 1 of its sandbox")
        if self._process and self._process.ended_from_inside():
            return LearnerFailed("crash", "the learner ended process 1 of its sandbox")
        return SandboxBroken(f"the sandbox is gone: {error}. {self._log()}")

    def _stopped_from_inside(self, used_s: float) -> bool:
        """Whether a job stopped process 1, where it can. Not where this machine holds the sandbox
        up, or is so busy that the sandbox got no processor though it wanted one."""
        if "process 1" not in self.backend.reduced or self.backend.isolation == "none":
            return False
        if self._held():
            return False
        return used_s >= ENOUGH_S or not crowded() or idle(self._peer or 0)

    def _out_of_memory(self, output: str) -> LearnerFailed:
        bound = self.limits.memory_bytes >> 20
        return LearnerFailed("memory", f"the learner needed more than {bound} MiB", output)

    def _oom_kills(self) -> OomKills | None:
        return self._process.oom_kills() if self._process else None

    def cpu_s(self) -> float | None:
        """Processor seconds of the whole sandbox so far; None where nothing is counted."""
        return self._cpu()

    def _cpu(self) -> float | None:
        return self._process.cpu_s() if self._process else None

    def _log(self) -> str:
        text = neutralise(self._process.log().strip()) if self._process else ""
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


def _peer(sock: socket.socket) -> int:
    """The process at the other end, by its id on this side of the sandbox's wall."""
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", raw)[0])
