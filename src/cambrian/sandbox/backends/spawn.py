"""Start a process from a thread that lives as long as this process does.

The kernel sends a parent-death signal (`--die-with-parent`, `PR_SET_PDEATHSIG`) when the *thread*
that started a process ends. A session opened by a pool's short-lived thread would die with it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO


@cache
def _starter(pid: int) -> ThreadPoolExecutor:  # by pid: threads do not survive a fork
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"sandbox-starter-{pid}")


def start(
    command: Sequence[str],
    *,
    output: IO[bytes],
    env: Mapping[str, str],
    cwd: Path | str = "/",
    descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, without input, its output going to a file.

    Raises:
        OSError: it could not be started.
    """

    def popen() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            pass_fds=tuple(descriptors),
            start_new_session=True,
        )

    return _starter(os.getpid()).submit(popen).result()


def tail(file: IO[bytes], size: int = 8000) -> str:
    """The last that was written to a file, as text, without moving the writer's position."""
    length = os.fstat(file.fileno()).st_size
    return os.pread(file.fileno(), size, max(0, length - size)).decode("utf-8", "replace")
