"""What happened, event by event, as it is committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from cambrian.reports.times import when

if TYPE_CHECKING:
    from cambrian.archive import Archive, Event

BATCH = 1000


def events(archive: Archive, after: int = 0, batch: int = BATCH) -> Iterator[Event]:
    """The events with a sequence number above `after`, oldest first, that there are by now;
    `batch` are read at once."""
    while found := archive.events(after, batch):
        yield from found
        after = found[-1].seq


def follow(archive: Archive, wait: Callable[[], bool], after: int = 0) -> Iterator[Event]:
    """The same, and then each further event once it is committed.

    Args:
        wait: called where there is nothing new; comes back when it is time to look again, and
            says whether to go on.
    """
    while True:
        for event in events(archive, after):
            after = event.seq
            yield event
        if not wait():
            return


def last_event(archive: Archive, back: int = 0) -> int:
    """The sequence number that leaves the last `back` events to come after it; 0 for fewer."""
    last = int(archive.database.value("SELECT ifnull(max(seq), 0) FROM events"))
    return max(0, last - back)


def event_json(event: Event) -> dict[str, Any]:
    """An event as JSON; what it does not concern is left out."""
    whose = {
        "run": event.run_id,
        "agent": event.agent_id,
        "proposal": event.proposal_id,
        "job": event.job_id,
    }
    told = {name: value for name, value in whose.items() if value is not None}
    at = {"seq": event.seq, "at": when(event.at), "kind": event.kind}
    return {**at, **told, "data": dict(event.data)}
