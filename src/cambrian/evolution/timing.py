"""How long a run waits for what, and by which clock: passed in, so that a test has its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cambrian.archive.tables.jobs import LONGEST_BACK_OFF_S
from cambrian.backoff import Backoff

JOBS = Backoff(2.0, LONGEST_BACK_OFF_S)
LOOKS = Backoff(2.0, 60.0)
QUESTIONS = Backoff(0.5, 10.0)


@dataclass(frozen=True)
class Timing:
    """The waits of a run, in seconds.

    Attributes:
        jobs: before a job that broke, or left something undone, is tried again.
        looks: between looks at what is down: the engine, the endpoint, the storage.
        questions: before a question that cost nothing is asked again; a longer wait pauses the run.
        retries: how often it is asked again so.
        refusals: so many questions in a row that the endpoint did not answer stop a run.
        lease_s: how long a job may be held without a sign of life, which comes each `beat_s`.
        tick_s: what only time changes is looked for so often.
        lineage_every, lineage_s: the lineage is brought up to date after so many decisions, and
            where they come slowly with the first one after so many seconds: what it costs is mostly
            starting git.
        service_beat_s: how often the service looks at its flags.
        clock: seconds that never go back. now: seconds since the epoch.
    """

    jobs: Backoff = JOBS
    looks: Backoff = LOOKS
    questions: Backoff = QUESTIONS
    retries: int = 2
    refusals: int = 10
    lease_s: float = 60.0
    beat_s: float = 5.0
    tick_s: float = 1.0
    lineage_every: int = 64
    lineage_s: float = 60.0
    service_beat_s: float = 1.0
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time


USUAL = Timing()
