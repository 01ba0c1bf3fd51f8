"""What a session needs of a backend: how to start the zygote in isolation, and how to end it."""

from __future__ import annotations

import ctypes
import secrets
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Protocol

from cambrian.sandbox.backends.cgroups import OomKills
from cambrian.sandbox.session.limits import Limits

ZYGOTE = "cambrian.sandbox.runner.zygote"
USER = 65532
"""User and group id of everything untrusted where a sandbox has but one ("nonroot" in images)."""

USERS = range(1_900_000_000, 2_034_217_728)
"""Ids that no user of this host has (systemd leaves them free, nobody's subordinate ids reach up
there): each session gets one, so that what the kernel bounds by user (signals that wait, pipes,
watches) is nobody else's."""

USERS_MAPPED = range(20_000, 60_000)
"""The same inside an engine that maps its containers' users to a range of its own."""


SIGNALS = 1024
"""Signals that may wait for a session's processes: far below what the kernel lets a user have, so
that where sessions share a user none of them comes to its bound."""


def draw_user(among: range = USERS) -> int:
    """A user and group id for one session. It is drawn, so it tells nothing."""
    return among[secrets.randbelow(len(among))]


def users_here() -> range:
    """Which ids a process of this user namespace may become: all of `USERS` on a plain host, those
    of a mapped container's range where there are so many, else the one that is always tried."""
    for among in (USERS, USERS_MAPPED):
        if all(_maps(kind, among) for kind in ("uid", "gid")):
            return among
    return range(USER, USER + 1)


def _maps(kind: str, wanted: range) -> bool:
    """Whether a line of the namespace's map covers the whole range (user_namespaces(7))."""
    try:
        lines = Path(f"/proc/self/{kind}_map").read_text("ascii").splitlines()
    except OSError:
        return True
    spans = [(int(first), int(count)) for first, _, count in map(str.split, lines)]
    return any(first <= wanted[0] and wanted[-1] < first + count for first, count in spans)


MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""glibc keeps what a learner frees for what it asks for next, up to these sizes: else every step
gives its activations back to the kernel and has them zeroed again, page by page. Its memory is
bounded by the session's limit all the same."""

ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108 - the sandbox's own scratch place
    "LANG": "C.UTF-8",
    **MEMORY,
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "PYTHONPATH": "/opt/cambrian:/opt/site",
}
"""All that the zygote finds in its environment (where it is isolated)."""

COUNTERS = tuple(
    f"/proc/1/{task}{name}"
    for task in ("", "task/1/")
    for name in ("stat", "statm", "status", "sched", "schedstat", "oom_score")
)
"""Where the kernel adds up what all of the zygote's jobs took (page faults, processor time, how
often it slept): a job could leave a number there for the next one."""

MACHINE_DIRECTORIES = ("acpi", "bus", "driver", "fs", "irq", "pressure", "scsi", "sys", "tty")
MACHINE_FILES = (
    *("buddyinfo", "cgroups", "cmdline", "config.gz", "consoles", "crypto", "devices"),
    *("diskstats", "dma", "execdomains", "interrupts", "iomem", "ioports", "kallsyms", "kcore"),
    *("key-users", "keys", "kmsg", "kpagecgroup", "kpagecount", "kpageflags", "latency_stats"),
    *("loadavg", "locks", "mdstat", "meminfo", "misc", "modules", "mtrr", "pagetypeinfo"),
    *("partitions", "sched_debug", "schedstat", "slabinfo", "softirqs", "stat", "swaps"),
    *("sysrq-trigger", "timer_list", "timer_stats", "uptime", "vmallocinfo", "vmstat"),
    "zoneinfo",
)
"""What /proc tells of the whole machine, which a job in another sandbox can move (processes,
memory, open files, switches). What is left is of the process who asks, or never changes."""


NO_LANDLOCK = {
    "shared files": "this kernel has no Landlock (Linux 5.13, among its security modules): a "
    "job can tell which pages of a file another sandbox has mapped"
}


@cache
def kernel_lacks() -> Mapping[str, str]:
    """Walls that this machine's kernel cannot raise, by the name of their check, and why."""
    create_ruleset, version = 444, 1  # the same number on every processor
    libc = ctypes.CDLL(None, use_errno=True)
    found = libc.syscall(create_ruleset, None, ctypes.c_size_t(0), version)
    return {} if found > 0 else NO_LANDLOCK


class SandboxProcess(Protocol):
    """A running zygote with everything around it."""

    def kill(self) -> None:
        """End it and all that it started, and free what it held. Idempotent; never raises."""

    def alive(self) -> bool:
        """Whether it runs, as far as can be seen from outside."""

    def ended_from_inside(self) -> bool:
        """Whether a job ended the zygote, where a backend cannot keep it from doing so. False where
        it can, or where that is not known: then it was our own fault."""

    def oom_kills(self) -> OomKills | None:
        """What the kernel killed inside it for want of memory; None where nothing is counted."""

    def cpu_s(self) -> float | None:
        """Processor seconds of all its processes so far; None where nothing is counted."""

    def log(self) -> str:
        """The last the zygote itself printed (not the job); for messages about broken sandboxes."""


class Backend(Protocol):
    """A way to isolate.

    Attributes:
        name: "docker", "gvisor", "bubblewrap" or "none".
        isolation: "full", "reduced" (something cannot be enforced here) or "none".
        reduced: what cannot, by the name of its check (`cambrian.sandbox.conformance`), and why.
            Where "between jobs" is one of them, a session serves a single job.
        shares_memory: whether what is written to a mapped file here is seen in there at once.
    """

    @property
    def name(self) -> str:
        """What `--sandbox` calls it."""

    @property
    def isolation(self) -> str:
        """One of "full", "reduced" (`reduced` says in what) and "none" (no sandbox at all)."""

    @property
    def shares_memory(self) -> bool:
        """Whether a file that is written here is at once seen in there, so that it can be
        mapped."""

    @property
    def reduced(self) -> Mapping[str, str]:
        """What it cannot enforce, by the conformance suite's names, and why."""

    def launch(self, share: Path, limits: Limits) -> SandboxProcess:
        """Start a zygote that sees `share` (read-only) as its session folder.

        Raises:
            SandboxBroken: it could not be started.
        """

    def provenance(self) -> Mapping[str, str]:
        """What names this sandbox in a result: image digest, versions, isolation."""

    def reap(self) -> int:
        """Remove what sessions of dead owners left behind; returns how many things."""
