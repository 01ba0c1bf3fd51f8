"""Probes of the walls, from the inside: installed as an improver and run in a real session.

Not imported on the host. Each probe tries what must not work and says what happened. Standard
library only; what may end the job (memory, output, time, process 1) is a job of its own.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts.amounts import BLOCK, burn, memory, open_files, processes, scratch, shared_memory

Finding = tuple[bool | None, str]
Ask = Callable[[list[dict[str, str]]], str]

# System calls that must not reach the kernel: number on x86_64, on aarch64, and a first argument
# with which the call does no harm where it does.
CALLS = {
    "ptrace": (101, 117, 16),
    "process_vm_readv": (310, 270, 0),
    "keyctl": (250, 219, 0),
    "add_key": (248, 217, 0),
    "io_uring_setup": (425, 425, 0),
    "userfaultfd": (323, 282, -1),
    "bpf": (321, 280, -1),
    "perf_event_open": (298, 241, 0),
    "mount": (165, 40, 0),
    "unshare": (272, 97, 0),
    "shmget": (29, 194, 0),
    "memfd_create": (319, 279, 0),
}
# Internet (4 and 6), netlink, packets, cryptography, virtual machines.
FAMILIES = (2, 10, 16, 17, 38, 40)
PR_GET_NO_NEW_PRIVS = 39
SO_MEMINFO, SO_COOKIE, F_SETLEASE = 55, 57, 1024
FUTEX, FUTEX_WAIT = (202, 98), 0
MACHINE = (
    *("loadavg", "stat", "meminfo", "vmstat", "uptime", "softirqs", "cgroups", "sys/fs/file-nr"),
    *("sys/fs/dentry-state", "sys/kernel/pty/nr"),
)
COUNTED = ("stat", "statm", "status", "sched", "schedstat", "oom_score")
PLACES = ("/", "/etc", "/usr", "/opt", "/var/tmp", "/run", "/dev", "/dev/mqueue", "/home", "/root")  # noqa: S108


def network(given: dict[str, Any]) -> Finding:
    """Only a loopback of its own; nothing of the host listens to it."""
    lines = Path("/proc/net/dev").read_text("ascii").splitlines()[2:]
    found = sorted({line.split(":")[0].strip() for line in lines} - {"lo"})
    for name in ("\0" + given["abstract"], given["socket"]):
        with socket.socket(socket.AF_UNIX) as local:
            if local.connect_ex(name) == 0:
                found.append("a socket of the host")
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets:
            packets.sendto(b"out", ("127.0.0.1", given["port"]))  # the host looks whether it came
        socket.create_connection(("127.0.0.1", given["port"]), 1).close()
        found.append("a port of the host")
    except OSError:
        pass
    return not found, ", ".join(found) or "no interface, and nothing of the host answers"


def _opens(family: int) -> bool:
    try:
        socket.socket(family, socket.SOCK_DGRAM).close()
    except OSError as error:
        return error.errno not in (errno.EPERM, errno.EACCES)
    return True


def host_files(given: dict[str, Any]) -> Finding:
    """A file of the host that anybody may read cannot be read, nor through process 1's root."""
    for place in (given["file"], "/proc/1/root" + given["file"]):
        try:
            Path(place).read_bytes()
        except OSError:
            continue
        return False, f"read {place}"
    return True, "a file of the host is not there"


def root_file_system(given: dict[str, Any]) -> Finding:
    """Nothing can be written but the scratch place."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text("utf-8").splitlines()]
    places = {*PLACES, "/session", *mounts} - {given["scratch"]}
    found = sorted(place for place in places if Path(place).is_dir() and _writes(place))
    return not found, ", ".join(found[:5]) or "only the scratch place can be written"


def _writes(place: str) -> bool:
    if place.startswith("/proc"):
        return False
    probe = Path(place, f"cambrian-probe-{os.getpid()}")
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError:
        return False
    return True


def _status() -> dict[str, str]:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def capabilities(given: dict[str, Any]) -> Finding:
    """No capability in any set, not user 0, and no new privileges."""
    status = _status()
    names = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    held = [name for name in names if int(status.get(name, "0"), 16)]  # gVisor has no ambient ones
    if os.getuid() == 0:
        held.append("user 0")
    if ctypes.CDLL(None).prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1:
        held.append("new privileges allowed")
    return not held, ", ".join(held) or f"none, user {os.getuid()}, no new privileges"


def seccomp(given: dict[str, Any]) -> Finding:
    """Calls and socket families that must not reach the kernel are refused, by a filter."""
    libc = ctypes.CDLL(None, use_errno=True)
    at = 0 if platform.machine() == "x86_64" else 1
    reached = []
    for name, numbers in CALLS.items():
        result = libc.syscall(numbers[at], numbers[2], 0, 0, 0, 0)
        if result >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            reached.append(name)
    reached += [f"socket family {family}" for family in FAMILIES if _opens(family)]
    mode = _status().get("Seccomp", "0")
    tried = len(CALLS) + len(FAMILIES)
    detail = f"{tried - len(reached)} of {tried} calls refused"
    return mode == "2" and not reached, detail + (f"; not {', '.join(reached)}" if reached else "")


def machine(given: dict[str, Any]) -> Finding:
    """What the kernel counts for everybody, and a job in another sandbox could move."""
    found = [f"/proc/{name}" for name in MACHINE if _told(f"/proc/{name}")]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.sysinfo(ctypes.create_string_buffer(512)) == 0:
        found.append("sysinfo")
    with socket.socket(socket.AF_UNIX) as local:
        for option in (SO_MEMINFO, SO_COOKIE):
            try:
                local.getsockopt(socket.SOL_SOCKET, option, 64)
            except OSError:
                continue
            found.append(f"socket option {option}")
    if _works(lambda: os.close(os.pidfd_open(os.getpid()))):
        found.append("descriptors of processes")
    return not found, ", ".join(found) or "no file of /proc, sysinfo or socket tells of it"


MAPPED = ("smaps", "smaps_rollup", "numa_maps", "pagemap")
"""What tells how many processes have a page of a file."""


def shared_files(given: dict[str, Any]) -> Finding:
    """Tried on a file that every session sees: this Python's own library or program."""
    descriptor = os.open(os.__file__, os.O_RDONLY)
    tries: dict[str, Callable[[], Any]] = {
        "a lock": lambda: fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB),
        "a lease": lambda: fcntl.fcntl(descriptor, F_SETLEASE, fcntl.F_RDLCK),
        "a record's lock": lambda: fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB),
    }
    found = [name for name, attempt in tries.items() if _works(attempt)]
    if _waits_at(descriptor):
        found.append("a futex")
    os.close(descriptor)
    found += [f"/proc/self/{name}" for name in MAPPED if _told(f"/proc/self/{name}")]
    return not found, ", ".join(found) or "no lock, lease or wait, nor who maps them"


def _works(attempt: Callable[[], Any]) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def _waits_at(descriptor: int) -> bool:
    """Whether the kernel lets a thread wait for another process at a word of a mapped file."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    place = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ, mmap.MAP_PRIVATE, descriptor, 0)
    value = ctypes.c_uint32.from_address(place)
    short = (ctypes.c_long * 2)(0, 1_000_000)
    number = FUTEX[0 if platform.machine() == "x86_64" else 1]
    libc.syscall(number, ctypes.c_void_p(place), FUTEX_WAIT, value, ctypes.byref(short), None, 0)
    waited = ctypes.get_errno() == errno.ETIMEDOUT
    libc.munmap(ctypes.c_void_p(place), mmap.PAGESIZE)
    return waited


def process_1(given: dict[str, Any]) -> Finding:
    """It can be neither read nor stopped, and has no thread and no signal handler."""
    found = []
    for name in ("mem", "environ", "fd/0"):
        try:
            os.close(os.open(f"/proc/1/{name}", os.O_RDONLY))
            found.append(f"/proc/1/{name} can be opened")
        except OSError:
            continue
    if os.getppid() != 1:
        return False, "it is not process 1 of its own namespace"
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        os.kill(1, number)
    if [entry.name for entry in Path("/proc/1/task").iterdir()] != ["1"]:
        found.append("threads")
    found += [f"/proc/1/{name} is told" for name in COUNTED if _told(f"/proc/1/{name}")]
    clocks = [kind for kind in range(3) if _clock_is_told((~1 << 3) | kind)]
    found += ["its processor time is told"] if clocks else []
    return not found, ", ".join(found) or "can be neither read nor stopped"


def _told(place: str) -> bool:
    try:
        return bool(Path(place).read_bytes())
    except OSError:
        return False


def _clock_is_told(clock: int) -> bool:
    """Whether a clock answers; a negative number names the clock of any process."""
    try:
        time.clock_gettime(clock)
    except OSError:
        return False
    return True


def gpu(given: dict[str, Any]) -> Finding:
    """No device of a GPU is there, where none was asked for."""
    places = (*Path("/dev").glob("nvidia*"), Path("/dev/dri"), Path("/dev/kfd"))
    found = [str(place) for place in places if place.exists()]
    return not found, ", ".join(found) or "none is there unless it is asked for"


PROBES = {
    "network": network,
    "host files": host_files,
    "root file system": root_file_system,
    "capabilities": capabilities,
    "seccomp": seccomp,
    "machine": machine,
    "shared files": shared_files,
    "processes": processes,
    "open files": open_files,
    "scratch size": scratch,
    "shared memory": shared_memory,
    "gpu": gpu,
}

ENDING = {"memory": memory, "process 1": process_1}


class Improver:
    """Reports through `ask`, for what comes after may end the process."""

    def improve(self, evidence: dict[str, Any], ask: Ask) -> dict[str, str]:
        """Do the probe that `evidence` names; what was found goes out through `ask`, as JSON."""
        probe = evidence["probe"]
        if probe == "walls":
            self._tell(ask, {"findings": {name: _try(p, evidence) for name, p in PROBES.items()}})
            self._tell(ask, {"burning": True})  # the host looks at its own clock and counters
            self._tell(ask, {"burnt": burn(evidence)})
        elif probe == "time":
            time.sleep(600)
        elif probe == "output":
            for _ in range(256):
                os.write(1, BLOCK)
        else:
            self._tell(ask, {"findings": {probe: _try(ENDING[probe], evidence)}})
        return {}

    def _tell(self, ask: Ask, findings: dict[str, Any]) -> None:
        ask([{"role": "user", "content": json.dumps(findings)}])


def _try(probe: Callable[[dict[str, Any]], Finding], given: dict[str, Any]) -> Finding:
    try:
        return probe(given)
    except Exception as error:  # noqa: BLE001 - one probe's failure is not the others'
        return False, f"the probe failed: {type(error).__name__}: {error}"
