"""What a run is going to do, and roughly for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cambrian.agents.seeds import seed_names
from cambrian.archive import Archive
from cambrian.cli.text import duration
from cambrian.errors import CambrianError
from cambrian.evaluators.benchmarks import STAGES, benchmark, sealed_names
from cambrian.evaluators.calibration import calibration
from cambrian.evolution.settings import Settings

COSTLIER = 1.3
"""What an average variant costs, in units of experience replay: it may spend up to three."""
REACH_FULL = 0.6
"""The share of variants that get past the screen."""
JUDGED = 0.85
"""The share of proposals that are judged: neither duplicate nor invalid nor failed in smoke."""
OPENING_S = 4.0
"""Seconds for a sandbox, the smoke stage and the channel, per variant."""


def plan(path: Path, settings: Settings, *, control: bool, seal: bool = False) -> Iterator[str]:
    """Lines that say what will happen, in which sandbox, and an estimate of how long."""
    yield f"archive: {path} ({_state(path)})"
    what = settings.rewriter if settings.rewriter == "recombine" else f"model {settings.model}"
    yield (
        f"plan: {_end(settings)}; rewriter {what}, selection {settings.selection}, "
        f"{settings.workers} workers, seed {settings.seed}, order {settings.order}, "
        f"on {settings.device}"
    )
    sealed = sealed_names(settings.benchmarks)
    unseen = ", ".join(sealed[len(settings.benchmarks) :]) or "none"
    after = f"sealed runs at the end (unseen: {unseen})" if seal else "no sealed runs (--seal)"
    yield f"benchmarks: {', '.join(settings.benchmarks)}; {after}"
    if settings.sandbox != "auto":
        yield f"sandbox: {settings.sandbox}"
    seconds = estimate_s(path, settings, control=control, seal=seal)
    yield (
        f"this takes about {duration(seconds)}, if processors are as fast as where the benchmarks "
        "were calibrated, one for each worker"
    )


def estimate_s(path: Path, settings: Settings, *, control: bool, seal: bool = False) -> float:
    """Seconds until the run's end, from what experience replay costs on each benchmark."""
    left = _proposals_left(path, settings)
    hours = None if settings.hours is None else settings.hours * 3600
    evolving = [] if left is None else [left * _proposal_s(settings) / settings.workers]
    evolving += [] if hours is None else [hours]
    seconds = min(evolving)
    return seconds * (2 if control else 1) + _fixed_s(path, settings, seal) / settings.workers


def _proposal_s(settings: Settings) -> float:
    seeds = len(STAGES["screen"]) + REACH_FULL * len(STAGES["full"])
    return OPENING_S + COSTLIER * seeds * _seed_s(settings.benchmarks)


def _seed_s(names: Sequence[str]) -> float:
    """Processor seconds of experience replay for one seed of each benchmark."""
    return sum(calibration(benchmark(name)).cpu_s for name in names)


def _fixed_s(path: Path, settings: Settings, seal: bool) -> float:
    """Judging the seed agents (once), and the sealed runs of these and the champion."""
    seeds, scored = _seeds(path)
    full = len(STAGES["screen"]) + len(STAGES["full"])
    judging = (seeds - scored) * (OPENING_S + full * _seed_s(settings.benchmarks))
    if not seal:
        return judging
    sealed = len(STAGES["sealed"]) * _seed_s(sealed_names(settings.benchmarks))
    return judging + (seeds + 1) * (OPENING_S + sealed)


def _seeds(path: Path) -> tuple[int, int]:
    """How many seed agents there are (or will be), and how many have a score."""
    with _existing(path) as archive:
        seeds = archive.agents.seeds() if archive else []
    return max(len(seeds), len(seed_names())), sum(seed.score is not None for seed in seeds)


def _proposals_left(path: Path, settings: Settings) -> float | None:
    """Proposals until --proposals or --judged is reached; None where only time ends it."""
    opened, judged = 0, 0
    with _existing(path) as archive:
        if archive is not None:
            counts, current = archive.counts(), archive.runs.current()
            opened = counts["proposals"] - current.first_proposal if current else 0
            judged = counts["judged"]
    ends = [] if settings.proposals is None else [float(settings.proposals - opened)]
    ends += [] if settings.judged is None else [(settings.judged - judged) / JUDGED]
    return max(min(ends), 0.0) if ends else None


def _state(path: Path) -> str:
    with _existing(path) as archive:
        if archive is None:
            return "new"
        current = archive.runs.current()
        goes_on = f", run {current.id} goes on" if current else ""
        return f"{archive.counts()['members']} agents in the tree{goes_on}"


@contextmanager
def _existing(path: Path) -> Iterator[Archive | None]:
    """The archive at a path, open for reading; None where there is none."""
    try:
        archive = Archive.open(path, read_only=True)
    except CambrianError:  # what is wrong with it is said by who opens it for writing
        yield None
        return
    with archive:
        yield archive


def _end(settings: Settings) -> str:
    ends = []
    if settings.proposals is not None:
        ends.append(f"{settings.proposals} proposals")
    if settings.judged is not None:
        ends.append(f"{settings.judged} judged variants")
    if settings.hours is not None:
        ends.append(f"{settings.hours:g} hours")
    return " or ".join(ends)
