"""Where a service stands: what `status` over the control socket, `/metrics` and the health pages
are made of. A leaf, so that what is served knows nothing of who serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Work:
    """What the archive says of the work.

    Attributes:
        budget: each limit with what was used of it, as `budget.Standing` in JSON.
        ended_by: the limit that ended the run, "" while none has.
        counts, jobs: how many there are, by kind or state.
        at_work: the jobs that are being carried out.
        approvals: decisions that wait for a person.
        undecided: proposals that are not terminal.
        champion: the champion's mean score; None while there is none.
        progress: "rising", "flat" or "exhausted" (`evolution.plateau`).
    """

    budget: Sequence[Mapping[str, Any]]
    ended_by: str
    counts: Mapping[str, int]
    jobs: Mapping[str, int]
    at_work: Sequence[Mapping[str, Any]]
    approvals: int
    undecided: int
    champion: float | None
    progress: str


@dataclass(frozen=True, kw_only=True)
class Status:
    """Where a service stands.

    Attributes:
        state: running, draining, stopping or "paused: " and why.
        ready: whether work is being done, or would be if there was any.
        idle_s: seconds since the event loop turned last.
        paused: why the run pauses, by reason.
        started_at: seconds since the epoch; the process has been up for `uptime_s`.
        wall_s: of the run, pauses apart.
        work: what the archive says; None where nobody asked, or the storage gives trouble.
    """

    pid: int
    run: int
    state: str
    ready: bool
    idle_s: float
    paused: Mapping[str, str]
    started_at: float
    uptime_s: float
    workers: int
    metrics_port: int | None
    wall_s: float
    work: Work | None = None

    def to_json(self) -> dict[str, Any]:
        """As `cambrian status` gets it: what the archive says stands beside the rest."""
        found = asdict(self)
        for name in ("work", "ready", "idle_s"):
            del found[name]
        if self.work is not None:
            found |= asdict(self.work)
            del found["champion"]
        return found


class AskStatus(Protocol):
    """Says where a service stands."""

    def __call__(self, *, whole: bool = True) -> Status:
        """The status; without `whole` the archive is not looked at.

        Raises:
            CambrianError, sqlite3.Error, OSError: the archive cannot be read.
        """
