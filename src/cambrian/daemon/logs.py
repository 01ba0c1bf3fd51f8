"""Structured logs: every event of the archive, and every message to a person, as JSON lines.

`logs/daemon.jsonl` in the archive, rotated by size. An event is logged after it was committed, with
the ids of its run, agent, proposal and job; the archive's own `events` stay the record.
"""

from __future__ import annotations

import logging
import logging.handlers
from pathlib import Path
from typing import Any

import structlog

from cambrian.archive import Archive

NAME = "daemon.jsonl"
ROTATE_BYTES, KEPT = 16 << 20, 5
BATCH = 1000


class EventLog:
    """A rotated JSON log of one archive. Close it when done.

    Attributes:
        after: the last event that was logged.
    """

    def __init__(self, folder: Path, *, rotate_bytes: int = ROTATE_BYTES, kept: int = KEPT) -> None:
        self.path = folder / NAME
        self._handler = logging.handlers.RotatingFileHandler(
            self.path, maxBytes=rotate_bytes, backupCount=kept, encoding="utf-8", delay=True
        )
        self._handler.setFormatter(logging.Formatter("%(message)s"))
        target = logging.Logger("cambrian.daemon")
        target.addHandler(self._handler)
        self._logger: Any = structlog.wrap_logger(
            target,
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(sort_keys=True, ensure_ascii=True),
            ],
            wrapper_class=structlog.BoundLogger,
        )
        self.after = -1

    def say(self, text: str, **ids: Any) -> None:
        """A line for people, with ids."""
        self._write("said", text=text, **ids)

    def _write(self, what: str, **data: Any) -> None:
        # Not before: an archive is only made in a folder that is empty.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._logger.info(what, **data)

    def follow(self, archive: Archive) -> int:
        """Log what was committed since the last call; how many events that were."""
        if self.after < 0:
            self.after = int(archive.database.value("SELECT ifnull(max(seq), 0) FROM events"))
            return 0
        count = 0
        while events := archive.events(self.after, BATCH):
            for event in events:
                known = {
                    "run": event.run_id,
                    "agent": event.agent_id,
                    "proposal": event.proposal_id,
                    "job": event.job_id,
                }
                ids = {name: value for name, value in known.items() if value is not None}
                self._write(event.kind, seq=event.seq, at=event.at, data=event.data, **ids)
            self.after = events[-1].seq
            count += len(events)
        return count

    def close(self) -> None:
        """Close the file; nothing can be logged any more."""
        self._handler.close()
