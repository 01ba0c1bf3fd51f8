"""What a process of the command line has before anything else runs: streams and descriptors."""

from __future__ import annotations

import os
import resource
import sys

DESCRIPTORS = 4096
"""As many as a run may need with many workers; a shell often allows 1024, and sometimes 64."""


def prepare() -> None:
    """Have all three standard streams open, and as many descriptors as the hard limit allows."""
    open_streams()
    raise_descriptors()


def open_streams() -> None:
    """Let what the caller closed lead nowhere: the next file opened, an archive's lock say, would
    take its number, and what anything prints would go into that file."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one: those below it are open by now.
            os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
            os.set_inheritable(number, True)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for good
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for good


def raise_descriptors() -> None:
    """Raise the soft limit of open files, where it is low and the hard one is higher."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
