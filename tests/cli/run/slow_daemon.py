"""A daemon with workers that take a while, as a process of its own.

python -m tests.cli.run.slow_daemon ARCHIVE [speed=0.02] [drain=300] [metrics=0] [approve=all]
    [workers=2] [think=1 (the model does, until a file `idea` is there)]
    [hang=1 (the event loop does)] [grace=20]
    [full=1 (no room until a file `room` is there)] [busy=30000 (how long to wait for a lock, ms)]

While there is a file `readonly`, the archive may not be written.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cambrian.archive import Archive
from cambrian.archive.sqlite import connection as opening
from cambrian.archive.sqlite import database
from cambrian.daemon import supervisor
from cambrian.daemon.notify import Notifier
from cambrian.daemon.service import Options
from cambrian.evolution.models.broker import MAX_ANSWER_TOKENS, Answer
from cambrian.evolution.settings import Settings
from cambrian.testing import forked_runs

PAGES = 150


class Thinking(forked_runs.InstantModel):
    """Answers when the file is there."""

    def __init__(self, idea: Path | None) -> None:
        self.idea = idea

    def answer(
        self, messages: Sequence[dict[str, str]], max_tokens: int = MAX_ANSWER_TOKENS
    ) -> Answer:
        while self.idea is not None and not self.idea.exists():
            time.sleep(0.05)
        return super().answer(messages, max_tokens)


def main(home: Path, given: dict[str, str]) -> None:
    settings = forked_runs.settings(
        200, approve=given.get("approve", "none"), workers=int(given.get("workers", "2"))
    )
    speed = float(given.get("speed", "0.02"))
    database.BUSY_TIMEOUT_MS = int(given.get("busy", "30000"))
    limit(home, "full" in given)
    if "hang" in given:
        threading.Thread(target=hang, args=(home,), daemon=True).start()

    def reload() -> tuple[Settings, list[str]]:
        return dataclasses.replace(settings, workers=5), []

    def before(_: object) -> float:
        if (home / "readonly").exists():
            for held in Held.opened:
                held.database.connection.execute("PRAGMA query_only = ON")
        return speed

    options = Options(
        drain_s=float(given.get("drain", "300")),
        grace_s=float(given.get("grace", "20")),
        metrics_port=int(given["metrics"]) if "metrics" in given else None,
        reload=reload,
        notifier=Notifier.of(os.environ),
        make_worker=functools.partial(forked_runs.InstantImprover, before=before),
        model=Thinking(home / "idea" if "think" in given else None),
    )
    supervisor.run(home, settings, lambda _: None, options=options)


def limit(home: Path, full: bool) -> None:
    """Every connection may fill so many pages, until a file `room` appears, and write nothing as
    long as there is a file `readonly`."""
    plain = opening.connect

    def connect(path: Path, *arguments: Any, **keywords: Any) -> Any:
        found = plain(path, *arguments, **keywords)
        if full and not (home / "room").exists() and not keywords.get("read_only"):
            found.connection.execute(f"PRAGMA max_page_count = {PAGES}")
        if (home / "readonly").exists():
            found.connection.execute("PRAGMA query_only = ON")
        return found

    from cambrian.archive import store

    store.connect = connect  # type: ignore[attr-defined]


def hang(home: Path) -> None:
    """Take the database's lock, on which the event loop then waits, once a file `hang` is there."""
    while not (home / "hang").exists():
        time.sleep(0.05)
    for held in Held.opened:
        held.database.lock.acquire()
    time.sleep(600)


class Held:
    opened: list[Archive] = []  # noqa: RUF012


_init = Archive.__init__


def _remember(self: Archive, *arguments: Any, **keywords: Any) -> None:
    _init(self, *arguments, **keywords)
    Held.opened.append(self)


Archive.__init__ = _remember  # type: ignore[method-assign]

if __name__ == "__main__":
    main(Path(sys.argv[1]), dict(each.split("=", 1) for each in sys.argv[2:]))
