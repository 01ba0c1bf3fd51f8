"""What a run is going to do, and roughly for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cambrian.agents.seeds import seed_names
from cambrian.archive import Archive
from cambrian.archive.store import DATABASE
from cambrian.cli.render.text import duration, quantity
from cambrian.errors import CambrianError
from cambrian.evaluators.benchmarks import STAGES, benchmark, sealed_names
from cambrian.evaluators.calibration import calibration
from cambrian.evolution.budget import Budget, evaluations_per_variant
from cambrian.evolution.settings import LIMITS, Settings

COSTLIER = 1.3
"""What an average variant costs, in units of experience replay: it may spend up to three."""
REACH_FULL = 0.6
"""The share of variants that get past the screen."""
JUDGED = 0.85
"""The share of proposals that are judged: neither duplicate nor invalid nor failed in smoke."""
ADMITTED = 0.5
"""The share of judged variants that are admitted."""
PROMPT_TOKENS, COMPLETION_TOKENS = 9_000.0, 2_500.0
"""What a proposal takes of a model: the parent's code and evidence, and an edit."""
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
    yield from _model_cost(path, settings)
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
    if settings.cpu_hours is not None:
        evolving.append(settings.cpu_hours * 3600 / settings.workers)
    seconds = min(evolving, default=0.0)
    return seconds * (2 if control else 1) + _fixed_s(path, settings, seal) / settings.workers


def _model_cost(path: Path, settings: Settings) -> Iterator[str]:
    """What the model will use, by what it used so far, or by a guess."""
    if settings.rewriter != "model":
        return
    prompt, completion, known = _per_proposal(path)
    left = _proposals_left(path, settings)
    count = 1.0 if left is None else left
    price = settings.prices.get(settings.model)
    money = (
        ", no price known"
        if price is None
        else f", ${price.dollars(int(prompt * count), int(completion * count)):.2f}"
    )
    what = "each proposal" if left is None else f"{count:.0f} proposals"
    how = "as much as those before" if known else "a guess: none was made yet"
    yield (
        f"model: {what} will take about {quantity((prompt + completion) * count)} tokens{money} "
        f"({how})"
    )


def _per_proposal(path: Path) -> tuple[float, float, bool]:
    """Prompt and completion tokens of a proposal, and whether that is known of others."""
    with _existing(path) as archive:
        if archive is not None:
            spent, count = archive.ledger.total(), archive.counts()["proposals"]
            if spent.calls and count:
                return spent.prompt_tokens / count, spent.completion_tokens / count, True
    return PROMPT_TOKENS, COMPLETION_TOKENS, False


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
    """Proposals until the nearest limit that can be told in them; None where only time ends it."""
    opened, judged, admitted, used = 0.0, 0.0, 0.0, 0.0
    with _existing(path) as archive:
        if archive is not None:
            current = archive.runs.current()
            if current is not None:
                spent = Budget(archive, current, settings.to_json()).spent(0.0)
                opened, judged, admitted, used = (
                    spent[name] for name in ("proposals", "judged", "agents", "evaluations")
                )
    prompt, completion, _ = _per_proposal(path)
    price = settings.prices.get(settings.model)
    dollars = price.dollars(int(prompt), int(completion)) if price else 0.0
    each: list[tuple[float | None, float, float]] = [
        (settings.proposals, opened, 1.0),
        (settings.judged, judged, JUDGED),
        (settings.agents, admitted, JUDGED * ADMITTED),
        (settings.evaluations, used, float(evaluations_per_variant(settings.benchmarks))),
        (settings.tokens, 0.0, prompt + completion),
        (settings.dollars, 0.0, dollars),
    ]
    ends = [(limit - done) / per for limit, done, per in each if limit is not None and per]
    return max(min(ends), 0.0) if ends else None


def _state(path: Path) -> str:
    with _existing(path) as archive:
        if archive is None:
            return "to be brought up to date" if (path / DATABASE).is_file() else "new"
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
    given = {name: getattr(settings, name) for name in LIMITS}
    words = {"judged": "judged variants", "agents": "admissions", "cpu_hours": "processor hours"}
    ends = [
        f"{limit:g} {words.get(name, name)}" for name, limit in given.items() if limit is not None
    ]
    return " or ".join(ends)
