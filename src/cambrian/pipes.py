"""A program's standard input and output for its protocol alone, and its end with its parent's.

Trusted code that a program runs may print, or a library of it write to descriptor 1: that must not
get in between the lines of JSON that the other side reads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TextIO

PR_SET_PDEATHSIG = 1


def private_output() -> TextIO:
    """Standard output for the caller alone: from now on what anybody prints goes to standard
    error, in this process and in those that it starts."""
    sys.stdout.flush()
    kept = os.dup(1)  # closed in programs that are started from here
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8")


def private_input() -> TextIO:
    """Standard input for the caller alone: from now on it is empty for everybody else."""
    kept = os.dup(0)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return os.fdopen(kept, "r", encoding="utf-8")


def end_with_parent(parent: int | None = None) -> None:
    """Have the kernel end this process when the thread that started it ends.

    Args:
        parent: the process that started this one: where it has ended already, this one ends now.
    """
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent is not None and os.getppid() != parent:
        os._exit(1)
