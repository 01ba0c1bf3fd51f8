"""Walls that a job's process puts up around itself before it runs anybody's code.

The sandbox's own walls hold for its first process too, which needs more than a job does. What only
a job must not have goes here, by two means that take no privilege and cannot be undone:

- A second system call filter: no descriptors of processes. Their inodes are numbered over the whole
  machine (Linux 6.9 and later), so a job in another sandbox would see how many were started.
- Landlock: of /proc only what follows. A process's `smaps`, `numa_maps` and `pagemap` tell how many
  others have a page of a file mapped, and two sandboxes map the same files: their libraries; its
  `fdinfo` numbers its eventfds among all the machine's.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator

PR_SET_SECCOMP, FILTER = 22, 2
PIDFD_OPEN = 434  # on every processor
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # on every processor
READ_FILE = 1 << 2
PATH_BENEATH = 1
ABSENT = frozenset({errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL})
"""What a kernel says that has no such wall; `cambrian doctor` looks whether they stand."""

OF_MACHINE = ("cpuinfo", "filesystems", "version")
"""What never changes."""
OF_PROCESS = (
    *("auxv", "cgroup", "cmdline", "comm", "environ", "io", "limits", "maps", "mem"),
    *("mountinfo", "mounts", "net", "oom_score_adj", "stat", "statm", "status"),
)
"""What is the process's own."""


class _Program(ctypes.Structure):
    _fields_ = (("count", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def raise_walls() -> None:
    """Both, as far as this kernel has them; no privileges may be gained any more (no_new_privs).

    Raises:
        OSError: one that this kernel has could not be put up.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    _keep_to_own_files(libc)
    _refuse(libc, PIDFD_OPEN)


def _refuse(libc: ctypes.CDLL, number: int) -> None:
    """Have a system call fail with EPERM; the architecture is checked by the sandbox's filter."""
    steps = (
        (0x20, 0, 0, 0),  # load the call's number
        (0x15, 0, 1, number),  # the one? else over the next
        (0x06, 0, 0, 0x0005_0000 | errno.EPERM),  # SECCOMP_RET_ERRNO
        (0x06, 0, 0, 0x7FFF_0000),  # SECCOMP_RET_ALLOW
    )
    rules = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), rules)
    _check(libc.prctl(PR_SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0))


def _keep_to_own_files(libc: ctypes.CDLL) -> None:
    """Files can be opened for reading below these places only, by whoever comes of this process."""
    handled = struct.pack("=Q", READ_FILE)
    ruleset = libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if not _check(ruleset):
        return
    try:
        for place in _readable():
            _allow(libc, ruleset, place)
        _check(libc.syscall(RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _readable() -> Iterator[str]:
    yield from (f"/{name}" for name in os.listdir("/") if name != "proc")  # noqa: PTH208 - no Path
    yield from (f"/proc/{name}" for name in OF_MACHINE)
    yield from (f"/proc/self/{name}" for name in OF_PROCESS)


def _allow(libc: ctypes.CDLL, ruleset: int, place: str) -> None:
    """One that is not there, or that nobody may look into, needs no rule."""
    try:
        descriptor = os.open(place, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = struct.pack("=Qi", READ_FILE, descriptor)
        _check(libc.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0))
    finally:
        os.close(descriptor)


def _check(result: int) -> bool:
    """False where the kernel has no such wall. Raises OSError for another failure."""
    if result >= 0:
        return True
    error = ctypes.get_errno()
    if error not in ABSENT:
        raise OSError(error, f"a wall could not be put up: {os.strerror(error)}")
    return False
