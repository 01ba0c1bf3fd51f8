"""Every error Cambrian raises on purpose, with the exit code of its kind.

::

    CambrianError            1   something failed
    ├── UsageError           2   what was asked for makes no sense
    │   └── InvalidAgent     2   a source tree that breaks the rules for agents
    ├── NotFound             3   no such archive, agent, benchmark, ...
    ├── Unreachable          4   a daemon, an engine or an endpoint does not answer
    ├── Refused              5   we could, but must not (locked, newer, unsandboxed)
    ├── StorageTrouble       1   the disk is full, read-only or failing, the archive damaged
    │   └── StorageLocked    5   another process has been writing for too long (also Refused)
    └── SandboxBroken        1   the sandbox or the host broke; never the agent's fault

A message says what was expected, what it got instead, and what to do about it.
"""

from __future__ import annotations

from typing import Literal


class CambrianError(Exception):
    """The root of the tree; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(CambrianError):
    """Settings, names or files that make no sense."""

    exit_code = 2


class InvalidAgent(UsageError):
    """A source tree that breaks the rules for agents (size, names, syntax, class)."""


class NotFound(CambrianError):
    """Something named does not exist."""

    exit_code = 3


class Unreachable(CambrianError):
    """A daemon, an engine or an endpoint does not answer."""

    exit_code = 4


class Refused(CambrianError):
    """The action is possible, and must not be done."""

    exit_code = 5


StorageReason = Literal["full", "read-only", "failing", "locked", "damaged", "missing"]


class StorageTrouble(CambrianError):
    """The disk or the archive's file did not do what was asked; what was recorded stands.

    The transaction under way was rolled back, so the same step may be tried again once the
    cause is gone: a long run pauses on it instead of ending.

    Attributes:
        reason: full, read-only, failing (an input or output error), locked (another writer),
            damaged (a page that makes no sense) or missing (the file has gone).
    """

    def __init__(self, message: str, reason: StorageReason) -> None:
        super().__init__(message)
        self.reason: StorageReason = reason

    @property
    def passing(self) -> bool:
        """Whether it may pass without anything being restored."""
        return self.reason not in ("damaged", "missing")


class StorageLocked(StorageTrouble, Refused):
    """Another process has been writing for longer than we wait."""

    exit_code = 5

    def __init__(self, message: str) -> None:
        super().__init__(message, "locked")


class SandboxBroken(CambrianError):
    """The sandbox or the host broke. The verdict is `broken`: it is retried and never
    counts against the agent."""


def kinds() -> dict[str, type[CambrianError]]:
    """Every kind of error above by its name, as it goes over a pipe."""
    return {
        made.__name__: made
        for made in globals().values()
        if isinstance(made, type) and issubclass(made, CambrianError)
    }
