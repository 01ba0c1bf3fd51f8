"""What a run is going to take: time, and what a model will use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cambrian.agents.seeds import seed_names
from cambrian.archive import Archive
from cambrian.archive.store import DATABASE
from cambrian.errors import CambrianError
from cambrian.evaluators.benchmarks import STAGES, benchmark, sealed_names
from cambrian.evaluators.calibration import calibration
from cambrian.evaluators.suites import suite_of
from cambrian.evolution.budget import Budget, evaluations_per_variant
from cambrian.evolution.models.prices import Price
from cambrian.evolution.settings import Settings
from cambrian.suite import Suite

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


@dataclass(frozen=True)
class ModelUse:
    """What a model will use until the run's end, or for each proposal where only time ends it.

    Attributes:
        proposals: how many that is for; None: for each.
        dollars: None where no price is known.
        known: whether it is by what earlier proposals took, and no guess.
    """

    proposals: float | None
    tokens: float
    dollars: float | None
    known: bool


@dataclass(frozen=True)
class Standing:
    """What is at an archive's path before a run.

    Attributes:
        kind: "new", "old" (to be brought up to date first) or "there".
        members: agents in the tree.
        run: the run that goes on, if one does.
    """

    kind: str
    members: int = 0
    run: int | None = None


def standing(path: Path) -> Standing:
    """What is there, whatever it is."""
    with _existing(path) as archive:
        if archive is None:
            return Standing("old" if (path / DATABASE).is_file() else "new")
        current = archive.runs.current()
        return Standing("there", archive.counts()["members"], current.id if current else None)


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


def model_use(path: Path, settings: Settings) -> ModelUse | None:
    """What the model will use, by what it used so far, or by a guess; None without a model."""
    if not settings.asks:
        return None
    prompt, completion, known = _per_proposal(path)
    left = _proposals_left(path, settings)
    count = 1.0 if left is None else left
    price = _dearest(settings)
    used = int(prompt * count), int(completion * count)
    dollars = None if price is None else price.dollars(*used)
    return ModelUse(left, (prompt + completion) * count, dollars, known)


def tokens_of_a_proposal(path: Path) -> tuple[int, int]:
    """Prompt and completion tokens of a proposal: as those of the archive took, or a guess."""
    prompt, completion, _ = _per_proposal(path)
    return int(prompt), int(completion)


def _dearest(settings: Settings) -> Price | None:
    """The price of the dearest model, for an upper estimate; None where one is not known."""
    known = [settings.prices.get(name) for name in settings.models]
    prices = [price for price in known if price is not None]
    if not prices or len(prices) < len(known):
        return None
    return max(prices, key=lambda price: price.dollars(4, 1))


def _per_proposal(path: Path) -> tuple[float, float, bool]:
    """Prompt and completion tokens of a proposal, and whether that is known of others."""
    with _existing(path) as archive:
        if archive is not None:
            spent, count = archive.ledger.total(), archive.counts()["proposals"]
            if spent.calls and count:
                return spent.prompt_tokens / count, spent.completion_tokens / count, True
    return PROMPT_TOKENS, COMPLETION_TOKENS, False


def _proposal_s(settings: Settings) -> float:
    screen = len(STAGES["screen"])
    seeds = screen + REACH_FULL * (_suite(settings).seeds - screen)
    return OPENING_S + COSTLIER * seeds * _seed_s(settings.benchmarks)


def _suite(settings: Settings) -> Suite:
    return suite_of(settings.suite, settings.benchmarks)


def _seed_s(names: Sequence[str]) -> float:
    """Processor seconds of experience replay for one seed of each benchmark."""
    return sum(calibration(benchmark(name)).cpu_s for name in names)


def _fixed_s(path: Path, settings: Settings, seal: bool) -> float:
    """Judging the seed agents (once), and the sealed runs of these and the champion."""
    seeds, scored = _seeds(path)
    judging = (seeds - scored) * (OPENING_S + _suite(settings).seeds * _seed_s(settings.benchmarks))
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
    price = _dearest(settings)
    dollars = price.dollars(int(prompt), int(completion)) if price else 0.0
    most = evaluations_per_variant(settings.benchmarks, seeds=_suite(settings).seeds)
    each: list[tuple[float | None, float, float]] = [
        (settings.proposals, opened, 1.0),
        (settings.judged, judged, JUDGED),
        (settings.agents, admitted, JUDGED * ADMITTED),
        (settings.evaluations, used, float(most)),
        (settings.tokens, 0.0, prompt + completion),
        (settings.dollars, 0.0, dollars),
    ]
    ends = [(limit - done) / per for limit, done, per in each if limit is not None and per]
    return max(min(ends), 0.0) if ends else None


@contextmanager
def _existing(path: Path) -> Iterator[Archive | None]:
    """The archive at a path, open for reading; None where there is none."""
    try:
        archive = Archive.open(path, read_only=True)
    except CambrianError:  # what is wrong with it is said when it is opened for writing
        yield None
        return
    with archive:
        yield archive
