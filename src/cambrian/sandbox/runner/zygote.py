"""The sandbox's first process: torch imported once, a fork per job, nothing left between jobs.

It connects to the control socket, then per job connects to that job's socket *before* it forks,
so the learner never sees a listening socket. It is not dumpable (else a job could write into it
through /proc/<pid>/mem; `PR_SET_DUMPABLE`), has no signal handler, captures a job's output through
a pipe with a cap, and ends a job by killing until nothing is left. It runs as process 1 of its own
process namespace; only then does it kill everything (`kill(-1)`), otherwise a process group.

It never touches CUDA, and never starts a thread, before a fork.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import os
import re
import resource
import select
import signal
import socket
import stat
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

import torch

from cambrian.sandbox.runner.counters import Counters
from cambrian.sandbox.runner.frames import (
    ChannelClosed,
    DeadlinePassed,
    Expect,
    FrameError,
    FrameSocket,
    Kind,
)
from cambrian.sandbox.runner.job import MODES
from cambrian.sandbox.runner.meter import FlopMeter
from cambrian.sandbox.runner.walls import raise_walls

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NO_NEW_PRIVS = 38
OUTPUT_KEPT = 16_384
OUTPUT_LIMIT = 64 << 20
CONTROL = Expect(frozenset({Kind.JOB, Kind.END}))
PIPE_READS = 64
CLEANING = 3.0  # seconds for what a job left in its scratch place; more spends the session
KILLING = 4.0  # seconds for its processes to be gone; one that is stuck in the kernel spends it too
COMPILER = re.compile(rb"\boptim\b|\btorch\.compile\b|\b_dynamo\b")
"""Code that may need torch's compiler."""
POLLED = 0.002  # between two looks at a job, where its end cannot be waited for
KILLED_AGAIN = 0.5  # seconds between two rounds of killing
LEAVING = 0.5  # seconds a learner has to go by itself once its channel is closed


@dataclass
class Output:
    """What a job printed: the last bytes of it, and how many there were."""

    tail: bytearray = field(default_factory=bytearray)
    total: int = 0

    def take(self, descriptor: int) -> bool:
        """Read once; False at the end."""
        try:
            data = os.read(descriptor, 65_536)
        except BlockingIOError:
            return True
        self.total += len(data)
        self.tail += data
        del self.tail[:-OUTPUT_KEPT]
        return bool(data)


class Zygote:
    """Process 1 of a sandbox: forks a process for each job, and clears up after it."""

    def __init__(self, session: Path, scratch: Path) -> None:
        self.session = session
        self.scratch = scratch
        self.alone = os.getpid() == 1
        self._prepared = False
        # Elsewhere processes and files of others are counted too.
        self.counters = Counters.now(scratch) if self.alone else None
        control = socket.socket(socket.AF_UNIX)
        control.connect(str(session / "control.sock"))
        self.control = FrameSocket(control)

    def run(self) -> None:
        """Serve jobs until the other side hangs up."""
        self.control.send(Kind.READY, 0, {"pid": os.getpid(), "torch": torch.__version__})
        while True:
            try:
                frame = self.control.receive(CONTROL)
            except (ChannelClosed, FrameError):
                return
            if frame.kind is Kind.END:
                continue
            report = self._job(str(frame.meta["socket"]), str(frame.meta["mode"]))
            if report is None:
                return
            try:
                self.control.send(Kind.REPORT, frame.sequence, report)
            except (ChannelClosed, DeadlinePassed):
                return

    def _prepare(self) -> None:
        """Import, before the first fork, what the agent's code would make every job import:
        `torch.optim` loads torch's compiler when it is first used, which takes a second."""
        if self._prepared:
            return
        self._prepared = True
        code = sorted((self.session / "agent").rglob("*.py"))
        if any(COMPILER.search(path.read_bytes()) for path in code):
            torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=0.1)
            gc.collect()
            gc.freeze()

    def _job(self, name: str, mode: str) -> dict[str, object] | None:
        self._prepare()
        door = socket.socket(socket.AF_UNIX)
        door.connect(str(self.session / name))
        reader, writer = os.pipe2(os.O_CLOEXEC)
        child = os.fork()
        if child == 0:
            os.close(reader)
            self._become(door, writer, mode)
        os.close(writer)
        door.close()
        os.set_blocking(reader, False)
        output = Output()
        try:
            reason = self._watch(child, reader, output)
        except ChannelClosed:
            self._kill(child)
            return None
        finally:
            os.close(reader)
        there, status, usage = os.wait4(child, os.WNOHANG)
        return {
            # One that no signal ends is as good as killed; the sandbox goes with it.
            "exit": os.waitstatus_to_exitcode(status) if there else -signal.SIGKILL,
            "cpu_s": usage.ru_utime + usage.ru_stime,
            "peak_bytes": usage.ru_maxrss * 1024,
            "output": output.tail.decode("utf-8", "replace"),
            "output_bytes": output.total,
            "ended": reason,
            "clean": bool(there) and self._clean(),
        }

    def _become(self, door: socket.socket, output: int, mode: str) -> None:
        """In the child: give up what is the zygote's, then run the job; never returns."""
        status = 1
        try:
            self._detach(door.fileno(), output)
            MODES[mode](self.session).serve(FrameSocket(door))
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        except BaseException:  # noqa: BLE001 - the end of the process: the job's last words
            traceback.print_exc()
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:  # whatever the learner has put in their place
                os._exit(status & 0xFF)

    def _detach(self, door: int, output: int) -> None:
        """Keep three standard streams and the door, and nothing else that the zygote holds."""
        libc = ctypes.CDLL(None)
        os.setsid()
        if not self.alone:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self is not its own
        _die_first()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.closerange(3, door)
        os.closerange(door + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        folder = self.scratch / "job"
        folder.mkdir()
        os.chdir(folder)
        if self.alone:
            raise_walls()

    def _watch(self, child: int, reader: int, output: Output) -> str:
        """Drain the job's output until its process ends, is ended, or prints without end; how it
        ended. One that does not go within `KILLING` seconds of being killed is left there.

        Raises:
            ChannelClosed: the other side is gone; so must be everything here.
        """
        ended, open_pipe = "by itself", True
        kill_at: float | None = None
        given_up: float | None = None
        exited = _exit_descriptor(child)
        try:
            while True:
                watched = [] if exited is None else [exited]
                watched += [self.control.fileno()] if kill_at is None else []
                watched += [reader] if open_pipe else []
                wait = None if kill_at is None else max(0.0, kill_at - time.monotonic())
                if exited is None:
                    wait = POLLED if wait is None else min(wait, POLLED)
                ready, _, _ = select.select(watched, [], [], wait)
                if reader in ready:
                    open_pipe = output.take(reader)
                if exited in ready if exited is not None else _has_exited(child):
                    break
                if self.control.fileno() in ready:
                    self.control.receive(CONTROL, deadline=time.monotonic() + 5)
                    ended, kill_at = "on request", time.monotonic() + LEAVING
                if output.total > OUTPUT_LIMIT and ended != "for its output":
                    ended, kill_at = "for its output", time.monotonic()
                now = time.monotonic()
                if given_up is not None and now >= given_up:
                    break
                if kill_at is not None and now >= kill_at:
                    given_up = given_up or now + KILLING
                    self._kill(child)
                    kill_at = time.monotonic() + KILLED_AGAIN
        finally:
            if exited is not None:
                os.close(exited)
        self._kill(child)
        for _ in range(PIPE_READS):  # what is left in the pipe; nobody writes to it any more
            if not (open_pipe and select.select([reader], [], [], 0)[0]):
                break
            open_pipe = output.take(reader)
        return ended

    def _put_back(self) -> bool:
        """What the next job could read of the last one in the scratch folder itself: its mode is
        set (no call that sets a time is allowed); of what is counted for good, a job may use up so
        little that it tells next to nothing. False where it used up more."""
        with contextlib.suppress(PermissionError):  # root's, and so not the job's to change either
            self.scratch.chmod(stat.S_IRWXU)
        before = self.counters
        if before is None:
            return True
        self.counters = Counters.now(self.scratch)
        return self.counters.since(before)

    def _kill(self, child: int) -> None:
        """Kill whatever a job may have started, until nothing is left, for a second at most."""
        deadline = time.monotonic() + 1.0
        while time.monotonic() < deadline:
            try:
                if self.alone:
                    os.kill(-1, signal.SIGKILL)
                else:
                    os.killpg(child, signal.SIGKILL)
            except ProcessLookupError:
                return
            except PermissionError:
                pass
            if not self._others(child):
                return
            time.sleep(0.005)

    def _others(self, child: int) -> bool:
        """Whether processes other than this one and the (unreaped) job are left."""
        if not self.alone:
            return False
        left = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()} - {
            1,
            child,
        }
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return bool(left)

    def _clean(self) -> bool:
        """Reap what was orphaned and empty every writable place; False if that failed."""
        deadline = time.monotonic() + CLEANING
        try:
            while self.alone:
                _in_time(deadline)
                pid, _ = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return False  # a process outlived the killing
        except ChildProcessError:
            pass
        except TimeoutError:
            return False
        try:
            _empty(str(self.scratch), deadline)
            return self._put_back()
        except (OSError, ValueError):
            return False  # a tree made to be hard to remove: the session goes, and it with it


def _exit_descriptor(child: int) -> int | None:
    """A descriptor that becomes readable when a child has ended; None where the kernel has none."""
    try:
        return os.pidfd_open(child)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM):  # gVisor of 2022 has no such call
            raise
        return None


def _has_exited(child: int) -> bool:
    """Whether a child has ended; it stays to be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _empty(place: str, deadline: float) -> None:
    """Remove all that is in a folder; links are never followed.

    One entry at a time, and no listing is kept: however many there are, and however deep they lie,
    it takes next to no memory and ends within the deadline.

    Raises:
        OSError: it cannot be done, or (TimeoutError) not in time.
    """
    folders = [place]
    while folders:
        folder = folders[-1]
        inner = _first_folder(folder, deadline)
        if inner is not None:
            os.chmod(inner, stat.S_IRWXU)  # noqa: PTH101 - a path object for each costs more
            folders.append(inner)
            continue
        folders.pop()
        if folders:
            os.rmdir(folder)  # noqa: PTH106


def _first_folder(folder: str, deadline: float) -> str | None:
    """Remove what is no folder from one, up to the first folder in it; that one's path. None once
    a look finds nothing at all: one that removes may pass over what is there."""
    found = True
    while found:
        found = False
        with os.scandir(folder) as entries:
            for entry in entries:
                _in_time(deadline)
                found = True
                if entry.is_dir(follow_symlinks=False):
                    return entry.path
                os.unlink(entry.path)  # noqa: PTH108
    return None


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError("the job left more than can be removed in time")


def _die_first() -> None:
    """Ask the kernel to prefer this process when memory runs out; the zygote shall outlive it."""
    try:
        Path("/proc/self/oom_score_adj").write_text("1000")
    except OSError:
        return  # not fatal: the memory limit holds all the same


def warm() -> None:
    """Have torch do now what it does on first use, for every fork.

    No backward pass: autograd's threads must not exist before a fork.
    """
    with torch.no_grad():
        FlopMeter().call(torch.nn.Linear(2, 2), torch.zeros(1, 2))


def main() -> None:
    """Be process 1: close what could be used against it, import torch, and serve jobs until hung
    up.

    Arguments of the process: the session's folder and the scratch folder.
    """
    session, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getpid() != 1:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)
    warm()
    gc.collect()
    gc.freeze()  # a collection in a job would copy every page that it shares with this process
    Zygote(session, scratch).run()


if __name__ == "__main__":
    main()
