"""Bubblewrap: the same session where there is no Docker engine.

As root the sandbox is bounded by control groups and runs as an unprivileged user of this host; an
ordinary user gets a user namespace and per-process limits only, and the isolation is "reduced": the
memory of all processes together, and the share of the processor, cannot be bounded.

PID 1 inside is the zygote. `/proc/1/environ` would show the launcher's environment, so that is
empty; `/dev` is made read-only, for it is a writable, unbounded tmpfs otherwise.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from cambrian.errors import NotFound, Refused, SandboxBroken
from cambrian.sandbox.backends import cgroups, mounts, owner, seccomp, spawn
from cambrian.sandbox.backends.cgroups import Group, OomKills
from cambrian.sandbox.backends.process import (
    COUNTERS,
    ENVIRONMENT,
    MACHINE_DIRECTORIES,
    MACHINE_FILES,
    SIGNALS,
    USER,
    ZYGOTE,
    draw_user,
    kernel_lacks,
    users_here,
)
from cambrian.sandbox.session.limits import Limits, require_bound_memory

TRY_S = 20
# Enter the groups, lower the limits, become bwrap: no step in which the sandbox is unbounded.
# -f counts blocks of 512 bytes in every POSIX shell.
ENTER = (
    'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; '
    'ulimit -c 0 && ulimit -n "$1" && ulimit -f "$2" || exit 125; shift 2; exec "$@"'
)
UNGROUPED = {
    "memory": "without control groups memory is bounded for each process alone",
    "cpu": "without control groups nothing bounds a share of the processors",
}
ROOTS = {"processes": "the kernel does not count root's processes"}
"""Where root runs it as if it were an ordinary user."""

UNREADABLE = tuple(f"/proc/{name}" for name in (*MACHINE_DIRECTORIES, *MACHINE_FILES))


class BubblewrapProcess:
    """A running bwrap, its control group and its compiled filter."""

    def __init__(self, command: list[str], group: Group | None) -> None:
        self._group = group
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        self._last = ""
        self._kills: OomKills | None = None
        self._cpu_s: float | None = None
        try:
            with tempfile.TemporaryFile() as rules:
                rules.write(seccomp.program())
                rules.seek(0)
                filled = [word.replace("{rules}", str(rules.fileno())) for word in command]
                self._process = spawn.start(
                    filled, output=self._said, env={}, descriptors=[rules.fileno()]
                )
        except BaseException:
            self._said.close()
            raise

    def kill(self) -> None:
        """Kill process 1, on which the kernel kills all others, and remove the control group."""
        if self._said.closed:
            return
        self._last, self._kills, self._cpu_s = self.log(), self.oom_kills(), self.cpu_s()
        self._process.kill()
        if self._group is not None:
            self._group.remove()
        # One that is stuck in the kernel cannot be waited for; nothing more is to be done here.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._said.close()

    def alive(self) -> bool:
        """Whether bubblewrap itself has not ended."""
        return self._process.poll() is None

    def ended_from_inside(self) -> bool:
        """Never: the kernel protects process 1 of a namespace."""
        return False  # the kernel protects process 1 of a namespace

    def oom_kills(self) -> OomKills | None:
        """As the control group counts them; None without one."""
        if self._said.closed:
            return self._kills
        return self._group.usage.oom_kills() if self._group else None

    def cpu_s(self) -> float | None:
        """Processor seconds by the control group; None without one."""
        if self._said.closed:
            return self._cpu_s
        return self._group.usage.cpu_s() if self._group else None

    def log(self) -> str:
        """The last that it wrote to its output; kept after `kill`."""
        return self._last if self._said.closed else spawn.tail(self._said)


class BubblewrapBackend:
    """Sandboxes made by `bwrap`.

    Args:
        as_root: use a real unprivileged user, and control groups where they can be made; None:
            where this process is root. Otherwise a user namespace.

    Raises:
        NotFound: bwrap (0.8 or later) is not installed, or a tool that it needs here.
    """

    name = "bubblewrap"
    shares_memory = True

    def __init__(self, as_root: bool | None = None) -> None:
        self._bwrap = _tool("bwrap", "bubblewrap")
        self.version = _version(self._bwrap)
        self.as_root = os.geteuid() == 0 if as_root is None else as_root
        self.grouped = self.as_root and cgroups.usable()
        self._setpriv, self._prlimit = (
            _tool(name, "util-linux") for name in ("setpriv", "prlimit")
        )

    @property
    def reduced(self) -> Mapping[str, str]:
        """What it cannot enforce: without control groups, no bounds over all processes together."""
        if self.grouped:
            return kernel_lacks()
        roots = ROOTS if os.geteuid() == 0 and not self.as_root else {}
        return {**UNGROUPED, **roots, **kernel_lacks()}

    @property
    def isolation(self) -> str:
        """Whether it enforces everything: "full" or "reduced"."""
        return "reduced" if self.reduced else "full"

    def launch(self, share: Path, limits: Limits) -> BubblewrapProcess:
        """Start a sandbox on the folder `share`.

        Raises:
            Refused: a GPU is wanted, or memory that cannot be bounded and was not allowed to be
                unbounded.
            SandboxBroken: bubblewrap cannot be started.
        """
        if limits.gpu is not None:
            raise Refused("bubblewrap cannot pass a GPU through; use Docker, or `--device cpu`")
        if "memory" in self.reduced:
            require_bound_memory(limits)
        group = Group(limits) if self.grouped else None
        try:
            return BubblewrapProcess(self._command(share, limits, group), group)
        except BaseException as error:
            if group is not None:
                group.remove()
            if isinstance(error, OSError):
                raise SandboxBroken(f"bubblewrap could not be started: {error}") from None
            raise

    def _command(self, share: Path, limits: Limits, group: Group | None) -> list[str]:
        return [
            *("/bin/sh", "-c", ENTER, "sandbox", *(group.entries if group else ()), "--"),
            *(
                str(_at_most(limits.open_files, resource.RLIMIT_NOFILE)),
                str(limits.file_bytes // 512),
            ),
            *(self._bwrap, *self._namespaces(), *self._tree, *self._places(share, limits)),
            *("--seccomp", "{rules}", "--chdir", "/", "--"),
            *self._become(limits),
            *(mounts.interpreter(), "-s", "-P", "-m", ZYGOTE, "/session", "/tmp"),  # noqa: S108
        ]

    @cached_property
    def _tree(self) -> list[str]:
        return mounts.bind_arguments()

    def _namespaces(self) -> Iterator[str]:
        if self.as_root:  # no user namespace: it is to be a real user, without a way back
            yield from ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts")
            yield "--unshare-cgroup-try"
        else:
            yield from ("--unshare-all", "--unshare-user", "--disable-userns")
            yield from ("--uid", str(USER), "--gid", str(USER), "--cap-drop", "ALL")
        yield from ("--as-pid-1", "--die-with-parent", "--new-session", "--hostname", "sandbox")
        yield "--clearenv"
        for name, value in ENVIRONMENT.items():
            yield from ("--setenv", name, value)

    def _places(self, share: Path, limits: Limits) -> Iterator[str]:
        yield from ("--proc", "/proc", "--dev", "/dev")
        yield from ("--tmpfs", "/dev/pts", "--remount-ro", "/dev/pts", "--remount-ro", "/dev")
        for place in COUNTERS:  # of the sandbox's process 1, which is this process by then
            yield from ("--ro-bind", "/dev/null", place)
        for place in UNREADABLE:
            if Path(place).is_file():
                yield from ("--ro-bind", "/dev/null", place)
            elif Path(place).is_dir():
                yield from ("--tmpfs", place, "--remount-ro", place)
        yield from ("--perms", "1777", "--size", str(limits.scratch_bytes), "--tmpfs", "/tmp")  # noqa: S108
        yield from ("--perms", "0755", "--dir", "/session")
        yield from ("--ro-bind", str(share), "/session", "--remount-ro", "/")

    def _become(self, limits: Limits) -> Iterator[str]:
        """Inside, the last step before Python."""
        if self.as_root:
            user = draw_user(users_here())
            yield from (self._setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups")
            yield from ("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
            yield "--pdeathsig=KILL"  # a change of user clears what bwrap has set
        # After the change of user, who is the one they count for.
        yield from (self._prlimit, f"--sigpending={_at_most(SIGNALS, resource.RLIMIT_SIGPENDING)}")
        if not self.grouped:
            yield from (f"--nproc={limits.processes}", f"--data={limits.memory_bytes}")

    def try_out(self) -> None:
        """Start a Python in a sandbox.

        Raises:
            SandboxBroken: it does not work here; says what bwrap said.
        """
        with tempfile.TemporaryDirectory(dir=owner.temporary()) as share:
            group = Group(Limits()) if self.grouped else None
            command = self._command(Path(share), Limits(), group)
            at = command.index("-m")
            process = None
            try:
                process = BubblewrapProcess([*command[:at], "-c", "import numpy"], group)
                status = process._process.wait(TRY_S)
                said = process.log().strip()
            except (OSError, subprocess.TimeoutExpired) as error:
                status, said = 1, str(error)
            finally:
                if process is not None:
                    process.kill()
                elif group is not None:
                    group.remove()
        if status:
            raise SandboxBroken(f"bubblewrap does not work here (status {status}): {said[-1000:]}")

    def provenance(self) -> Mapping[str, str]:
        """Backend, isolation, and the versions of bubblewrap and Python."""
        return {
            "backend": self.name,
            "isolation": self.isolation,
            "bubblewrap": self.version,
            "python": ".".join(map(str, sys.version_info[:3])),
        }

    def reap(self) -> int:
        """Remove folders and control groups whose owner is gone; how many."""
        return owner.reap_folders() + cgroups.reap()


def _at_most(wanted: int, kind: int) -> int:
    """A limit, or what this process may allow of it."""
    most = resource.getrlimit(kind)[1]
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most)


def _tool(name: str, package: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/bin")
    if found is None:
        raise NotFound(f"expected {name} on the path; install the package {package}")
    return found


def _version(bwrap: str) -> str:
    try:
        said = subprocess.run([bwrap, "--version"], capture_output=True, text=True, timeout=TRY_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotFound(f"expected {bwrap} to run; got: {error}") from None
    numbers = re.findall(r"\d+", said.stdout)
    if [int(number) for number in numbers[:2]] < [0, 8]:
        raise NotFound(f"expected bubblewrap 0.8 or later, got {said.stdout.strip() or 'none'}")
    return ".".join(numbers)
