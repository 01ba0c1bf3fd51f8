"""How much a job can take, tried from the inside: a part of the probes (`probe.py`).

Installed beside them as `parts/amounts.py`, and not imported on the host. Standard library only.
Each takes what the host told (`given`, by name) and says whether the bound held, and how.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

Finding = tuple[bool | None, str]

BLOCK = b"x" * (1 << 20)
BURN_S = 0.8
HOLD_S = 1.0


def processes(given: dict[str, Any]) -> Finding:
    """Threads, which count as processes do and cost less; in a child that takes them with it."""
    most = int(given["processes"])
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(_threads(most + 1)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, "rb") as told:  # noqa: PTH123 - a descriptor
        started = int(told.read() or b"0") + 1
    return started < most, f"{started} could be started, {most} allowed in all"


def _threads(wanted: int) -> int:
    threading.stack_size(65_536)
    for started in range(wanted):
        try:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        except (RuntimeError, OSError, MemoryError):
            return started
    return wanted


def open_files(given: dict[str, Any]) -> Finding:
    """Open files of one process, until it is refused one."""
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
    """What can be written to the scratch folder, in small files."""
    written = _fill(Path.cwd(), int(given["scratch_bytes"]))
    bound = int(given["scratch_bytes"])
    return written <= bound, f"{written >> 20} MiB could be written, {bound >> 20} allowed"


def shared_memory(given: dict[str, Any]) -> Finding:
    """What can be written to /dev/shm, where nothing should be."""
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


def burn(given: dict[str, Any]) -> float:
    """More processes than processors allowed, all busy; the processor seconds that they got."""
    before = os.times()
    until = time.monotonic() + BURN_S
    for child in [_burner(until) for _ in range(int(given["cpus"]) + 1)]:
        os.waitpid(child, 0)
    after = os.times()
    used = after.children_user + after.children_system
    return used - before.children_user - before.children_system


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
