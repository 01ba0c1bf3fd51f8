"""Probes of the walls, from the inside: installed as an improver and run in a real session.

Not imported on the host. Each probe tries what must not work and says what happened. Standard
library only; the last two (memory, output) may end the job, so they come after the report.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
BLOCK = b"x" * (1 << 20)
BURN_S = 0.8
HOLD_S = 1.0
PLACES = ("/", "/etc", "/usr", "/opt", "/var/tmp", "/run", "/dev", "/dev/mqueue", "/home", "/root")  # noqa: S108


def network(given: dict[str, Any]) -> Finding:
    """Only a loopback of its own, no socket of the host, no socket but local ones."""
    lines = Path("/proc/net/dev").read_text("ascii").splitlines()[2:]
    found = sorted({line.split(":")[0].strip() for line in lines} - {"lo"})
    found += [f"{family} socket" for family in ("AF_INET", "AF_NETLINK") if _opens(family)]
    for name in ("\0" + given["abstract"], given["socket"]):
        with socket.socket(socket.AF_UNIX) as local:
            if local.connect_ex(name) == 0:
                found.append("a socket of the host")
    return not found, ", ".join(found) or "no interface, no sockets but local ones"


def _opens(family: str) -> bool:
    try:
        socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True


def host_files(given: dict[str, Any]) -> Finding:
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
    status = _status()
    held = [name for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)]
    if os.getuid() == 0:
        held.append("user 0")
    if status["NoNewPrivs"] != "1":
        held.append("new privileges allowed")
    return not held, ", ".join(held) or f"none, user {os.getuid()}, no new privileges"


def seccomp(given: dict[str, Any]) -> Finding:
    libc = ctypes.CDLL(None, use_errno=True)
    at = 0 if platform.machine() == "x86_64" else 1
    reached = []
    for name, numbers in CALLS.items():
        result = libc.syscall(numbers[at], numbers[2], 0, 0, 0, 0)
        if result >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
            reached.append(name)
    mode = _status()["Seccomp"]
    detail = f"{len(CALLS) - len(reached)} of {len(CALLS)} calls refused"
    return mode == "2" and not reached, detail + (f"; not {', '.join(reached)}" if reached else "")


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
    status = Path("/proc/1/status").read_text("utf-8")
    handlers = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    if int(handlers[0], 16):
        found.append(f"signal handlers {handlers[0]}")
    if "Threads:\t1\n" not in status:
        found.append("threads")
    return not found, ", ".join(found) or "can be neither read nor stopped"


def processes(given: dict[str, Any]) -> Finding:
    most = int(given["processes"])
    children: list[int] = []
    try:
        while len(children) <= most:
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError:
        pass
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return len(children) < most, f"{len(children)} could be started, {most} allowed in all"


def open_files(given: dict[str, Any]) -> Finding:
    most = int(given["open_files"])
    held: list[int] = []
    try:
        while len(held) <= most:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    for descriptor in held:
        os.close(descriptor)
    return len(held) < most, f"{len(held)} could be opened, {most} allowed in all"


def scratch(given: dict[str, Any]) -> Finding:
    written = _fill(Path.cwd(), int(given["scratch_bytes"]))
    bound = int(given["scratch_bytes"])
    return written <= bound, f"{written >> 20} MiB could be written, {bound >> 20} allowed"


def shared_memory(given: dict[str, Any]) -> Finding:
    written = _fill(Path("/dev/shm"), 8 << 20)  # noqa: S108 - the probe's very object
    return not written, "none" if not written else f"{written >> 20} MiB could be written"


def _fill(folder: Path, bound: int) -> int:
    """Write small files up to a little over `bound` bytes; how many could be, then removed."""
    written = 0
    files: list[str] = []
    try:
        while written <= bound + (4 << 20):
            with (folder / f"fill-{len(files)}").open("xb", buffering=0) as file:
                files.append(file.name)
                written += file.write(BLOCK)
    except OSError:
        pass
    for name in files:
        Path(name).unlink()
    return written


def cpu(given: dict[str, Any]) -> Finding:
    """More processes than processors allowed, all busy: what did they get together?"""
    allowed, began, before = float(given["cpus"]), time.monotonic(), os.times()
    children = [_burner(began + BURN_S) for _ in range(int(allowed) + 1)]
    for child in children:
        os.waitpid(child, 0)
    after, took = os.times(), time.monotonic() - began
    used = after.children_user + after.children_system
    share = (used - before.children_user - before.children_system) / took
    detail = f"{len(children)} busy processes got {share:.2f} of {allowed:g}"
    if share < 0.8 * allowed:
        return None, f"{detail}; the host is too busy to tell"
    return share <= 1.2 * allowed, detail


def _burner(until: float) -> int:
    child = os.fork()
    if child == 0:
        while time.monotonic() < until:
            pass
        os._exit(0)
    return child


def memory(given: dict[str, Any]) -> Finding:
    """Three processes, each within the bound, want more than it together."""
    bound = int(given["memory_bytes"])
    children = [_holder(int(0.4 * bound)) for _ in range(3)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    said = "one was ended" if any(codes) else "none was stopped"
    return any(
        codes
    ), f"three processes wanted {int(1.2 * bound) >> 20} of {bound >> 20} MiB; {said}"


def _holder(size: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            held = [bytearray(BLOCK) for _ in range(size >> 20)]
            time.sleep(HOLD_S)
            os._exit(0 if held else 3)
        except MemoryError:
            os._exit(3)
    return child


PROBES = {
    "network": network,
    "host files": host_files,
    "root file system": root_file_system,
    "capabilities": capabilities,
    "seccomp": seccomp,
    "process 1": process_1,
    "processes": processes,
    "open files": open_files,
    "scratch size": scratch,
    "shared memory": shared_memory,
    "cpu": cpu,
}


class Improver:
    """Reports through `ask`, for the last probes may end the process."""

    def improve(self, evidence: dict[str, Any], ask: Ask) -> dict[str, str]:
        if evidence["probe"] == "time":
            time.sleep(600)
        findings = {name: _try(probe, evidence) for name, probe in PROBES.items()}
        self._tell(ask, findings)
        self._tell(ask, {"memory": _try(memory, evidence)})
        for _ in range(256):
            os.write(1, BLOCK)
        return {}

    def _tell(self, ask: Ask, findings: dict[str, Finding]) -> None:
        ask([{"role": "user", "content": json.dumps(findings)}])


def _try(probe: Callable[[dict[str, Any]], Finding], given: dict[str, Any]) -> Finding:
    try:
        return probe(given)
    except Exception as error:  # noqa: BLE001 - one probe's failure is not the others'
        return False, f"the probe failed: {type(error).__name__}: {error}"
