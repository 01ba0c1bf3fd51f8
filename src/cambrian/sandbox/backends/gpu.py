"""One GPU for one session at a time: video memory has no control group.

A lease is a lock on a file, one per GPU, which the kernel gives back when its holder ends, however
that is. The holder of the lock has the whole GPU; containers get it by its id (`Limits.gpu`). CUDA
is never touched on the host, and inside only after the fork.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from cambrian.errors import Refused, UsageError
from cambrian.sandbox.session.limits import Limits

DEVICES = ("cpu", "cuda")
GPUS = "CAMBRIAN_GPUS"
"""In the environment: the ids of the GPUs that may be used, with commas; empty for none."""

ANSWER_S = 20.0


def devices() -> tuple[str, ...]:
    """The ids of this machine's GPUs, as its driver names them; none where there is no driver."""
    given = os.environ.get(GPUS)
    if given is not None:
        return tuple(name.strip() for name in given.split(",") if name.strip())
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        said = subprocess.run(
            [tool, "--query-gpu=uuid", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in said.splitlines() if line.strip())


def require(device: str) -> None:
    """Raise where a device cannot be had on this machine, before anything is touched.

    Raises:
        UsageError: no such kind of device. Refused: there is no GPU.
    """
    if device not in DEVICES:
        raise UsageError(f"expected a device of {', '.join(DEVICES)}; got {device!r}")
    if device == "cuda" and not devices():
        raise Refused(
            "expected a GPU for `--device cuda`; this machine shows none (nvidia-smi lists them, "
            f"{GPUS} names them where it cannot). Use `--device cpu`"
        )


def require_enough(device: str, workers: int) -> None:
    """Raise where there are more workers than GPUs, of which each needs one to itself.

    Raises:
        UsageError, Refused: see `require`. Refused: fewer GPUs than workers.
    """
    require(device)
    count = len(devices()) if device == "cuda" else workers
    if count < workers:
        raise Refused(
            f"expected a GPU for each of {workers} workers; this machine shows {count}, and a GPU "
            f"is never shared: use `--workers {count}`"
        )


class Lease:
    """The exclusive use of one GPU. Use as a context manager, or `release()` it.

    Attributes:
        gpu: the driver's id.
    """

    def __init__(self, gpu: str, descriptor: int) -> None:
        self.gpu = gpu
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def lease() -> Lease:
    """Take the first GPU that is not in use.

    Raises:
        Refused: there is none, or all are taken.
    """
    require("cuda")
    found = devices()
    for gpu in found:
        descriptor = _locked(gpu)
        if descriptor is not None:
            return Lease(gpu, descriptor)
    raise Refused(
        f"expected a GPU that is not in use; all {len(found)} of this machine are leased (one "
        "worker has one GPU to itself: use fewer --workers, or wait)"
    )


@contextmanager
def on(device: str, limits: Limits) -> Iterator[Limits]:
    """The limits of a session for a device: for "cuda" with a GPU that is leased for the block.

    Raises:
        UsageError, Refused: see `require` and `lease`.
    """
    require(device)
    if device == "cpu":
        yield limits
        return
    with lease() as held:
        yield replace(limits, gpu=held.gpu)


def _locked(gpu: str) -> int | None:
    """A descriptor that holds the lock of a GPU; None where another process holds it.

    The file is nobody's in particular, so that users exclude each other too: it is only ever
    opened for reading, and no link is followed.
    """
    folder = Path(tempfile.gettempdir()) / "cambrian-gpus"
    folder.mkdir(mode=0o1777, exist_ok=True)
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(0o1777)
    name = folder / "".join(c if c.isalnum() or c == "-" else "_" for c in gpu)
    flags = os.O_RDONLY | os.O_NOFOLLOW
    try:
        descriptor = os.open(name, flags)
    except FileNotFoundError:
        descriptor = os.open(name, flags | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
