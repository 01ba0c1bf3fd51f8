"""Fuzz the trusted end of a job's channel for as long as you like.

    python benchmarks/fuzz.py --minutes 60 --seed 1

Draws exchanges with the generators of `cambrian.testing.hostile_peer`: every verb, answered by
frames that fit, that are spoilt or that are no frames. Anything but the learner's own failure, a
channel that closes, or an answer fit to go on with, is a finding: it is printed with the smallest
exchange that shows it, and the exit status is 1. The same seed draws the same exchanges.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from cambrian.testing.hostile_descriptions import descriptions
from cambrian.testing.hostile_peer import (
    Trial,
    attempt,
    report_of,
    trials,
)

ROUND = 2000
"""Exchanges of one round; a tenth as many reports of the zygote's."""
GROWTH = 256 << 20
"""Bytes that this process may grow by after its first round."""


def resident() -> int:
    """Bytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


def one_round(number: int, share: Path, seen: Counter[str]) -> None:
    """Raises AssertionError, or whatever the trusted end raised, for a finding."""
    quiet = settings(
        deadline=None, database=None, suppress_health_check=list(HealthCheck), max_examples=ROUND
    )

    @seed(number)
    @settings(quiet)
    @given(trial=trials)
    def exchanges(trial: Trial) -> None:
        found = attempt(trial, share)
        assert not found.wrong, found.wrong
        seen[found.outcome] += 1

    @seed(number)
    @settings(quiet, max_examples=ROUND // 10)
    @given(meta=descriptions)
    def reports(meta: bytes) -> None:
        wrong = report_of(meta)
        assert not wrong, wrong
        seen["report"] += 1

    exchanges()
    reports()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given_ = parser.parse_args()
    print(f"seed {given_.seed}, {given_.minutes:g} minutes", flush=True)
    ends, seen, base = time.monotonic() + 60 * given_.minutes, Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "data").mkdir()
        for number in count():
            try:
                one_round(given_.seed * 1_000_003 + number, Path(folder), seen)
            except Exception as error:
                print(f"FINDING in round {number} of seed {given_.seed}: {error!r}")
                print("\n".join(getattr(error, "__notes__", [])))
                raise SystemExit(1) from error
            base = base or resident()
            if resident() - base > GROWTH:
                print(f"FINDING: {resident() - base} bytes more than after the first round")
                return 1
            if time.monotonic() > ends:
                break
            if number % 20 == 0:
                print(f"round {number}: {sum(seen.values())} tried", flush=True)
    print(f"seed {given_.seed}: {sum(seen.values())} tried, nothing found; {dict(seen)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
