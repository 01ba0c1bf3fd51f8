"""What a session may use."""

from __future__ import annotations

import os
from dataclasses import dataclass

from cambrian.errors import Refused

ALLOW_UNBOUNDED = "CAMBRIAN_ALLOW_UNBOUNDED_MEMORY"

UNBOUNDED = (
    "expected a sandbox that bounds the memory of all of a job's processes together; this one "
    "bounds each of them alone, so an agent could use up this machine's. Use Docker, or bubblewrap "
    "as root with control groups; or allow it: `--allow-unbounded-memory`, or "
    f"{ALLOW_UNBOUNDED}=1 in the environment (results are marked as of reduced isolation)"
)


@dataclass(frozen=True)
class Limits:
    """Bounds on one session. Every backend enforces all that it can and states what it cannot.

    Attributes:
        memory_bytes: of all its processes together (about 200 MiB of it is torch itself).
        processes: processes and threads together.
        cpus: processors it may keep busy.
        scratch_bytes: size of its only writable place, `/tmp`.
        open_files, file_bytes: per process.
        request_s: host seconds for one answer.
        job_s: host seconds for one job.
        gpu: the one GPU it is given to itself, by the driver's id; None: no GPU.
        unbounded_memory: run even where `memory_bytes` holds for each process alone.
        start_s: host seconds for a session to get ready (importing torch takes about three).
    """

    memory_bytes: int = 1 << 30
    processes: int = 64
    cpus: float = 1.0
    scratch_bytes: int = 64 << 20
    open_files: int = 256
    file_bytes: int = 32 << 20
    request_s: float = 30.0
    job_s: float = 120.0
    start_s: float = 60.0
    gpu: str | None = None
    unbounded_memory: bool = False


def require_bound_memory(limits: Limits) -> None:
    """For a backend that cannot bound the memory of all processes together.

    Raises:
        Refused: that was not allowed.
    """
    if not (limits.unbounded_memory or os.environ.get(ALLOW_UNBOUNDED) == "1"):
        raise Refused(UNBOUNDED)
