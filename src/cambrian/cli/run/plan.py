"""What a run is going to do, and roughly for how long, in words (`reports.plan`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cambrian.cli.render.text import duration, quantity
from cambrian.evaluators.benchmarks import sealed_names
from cambrian.evolution.settings import LIMITS, Settings
from cambrian.reports.plan import ModelUse, Standing, estimate_s, model_use, standing


def plan(path: Path, settings: Settings, *, control: bool, seal: bool = False) -> Iterator[str]:
    """Lines that say what will happen, in which sandbox, and an estimate of how long."""
    yield f"archive: {path} ({_state(standing(path))})"
    what = f"{settings.rewriter} {', '.join(settings.models)}".strip()
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
    use = model_use(path, settings)
    if use is not None:
        yield _model(use)
    seconds = estimate_s(path, settings, control=control, seal=seal)
    yield (
        f"this takes about {duration(seconds)}, if processors are as fast as where the benchmarks "
        "were calibrated, one for each worker"
    )


def _model(use: ModelUse) -> str:
    what = "each proposal" if use.proposals is None else f"{use.proposals:.0f} proposals"
    money = ", no price known" if use.dollars is None else f", ${use.dollars:.2f}"
    how = "as much as those before" if use.known else "a guess: none was made yet"
    return f"model: {what} will take about {quantity(use.tokens)} tokens{money} ({how})"


def _state(found: Standing) -> str:
    if found.kind != "there":
        return "to be brought up to date" if found.kind == "old" else "new"
    goes_on = "" if found.run is None else f", continuing run {found.run}"
    return f"{found.members} agents in the tree{goes_on}"


def _end(settings: Settings) -> str:
    given = {name: getattr(settings, name) for name in LIMITS}
    words = {"judged": "judged variants", "agents": "admissions", "cpu_hours": "processor hours"}
    ends = [
        f"{limit:g} {words.get(name, name)}" for name, limit in given.items() if limit is not None
    ]
    return " or ".join(ends)
