"""Paired repeats of real searches, each an archive of its own, resumable at any kill.

Repeat r of every strategy and rule of admission has run seed r, and starts with the same seed
agents, which are judged once for all. When a search has ended its champions are run on sealed data
and its last one with fresh seeds; what came of it is then one line of `cells.jsonl`. Whatever is
killed before that line goes on where it was: the search as any run, what follows as any errand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import cambrian
from cambrian import jsonlines
from cambrian.agents.syntax import fingerprint_of
from cambrian.archive import Archive
from cambrian.archive.sqlite import lock
from cambrian.errors import CambrianError, NotFound, Refused, UsageError
from cambrian.evaluators.suites import suite as named_suite
from cambrian.evolution import sealing
from cambrian.evolution.admission.records import failures, missing, units
from cambrian.evolution.admission.thresholds import AdmissionName
from cambrian.evolution.changing import differences
from cambrian.evolution.errands import Errand, Tell, run_errands
from cambrian.evolution.rewriting import likeness
from cambrian.evolution.runtime.workers import WorkerFactory
from cambrian.evolution.settings import Rewriter, SandboxName, Settings, Strategy
from cambrian.experiments.outcomes import FRESH, Outcome, outcome, reigning
from cambrian.measurement import Measurement, Unit
from cambrian.suite import Suite

PLAN, CELLS, SEEDS, LOCK = "plan.json", "cells.jsonl", "seeds", "ablation.lock"
_ROOMS = ("agents", "evaluators", "evolution", "sandbox")

Search = Callable[[Path, Settings], str]
"""Carries a run on in an archive that may be there already; "finished" or "stopped"."""


@dataclass(frozen=True)
class Plan:
    """What all cells of a folder have in common.

    Attributes:
        judged: judged variants of each search; cpu_s: processor seconds of each. The one that is
            used up first ends it; None: it has no such limit.
        rewriter, model: what rewrites, and the models that it asks. tokens: what each search may
            use of these, the same for all.

    Raises:
        UsageError: there is no end.
    """

    suite: str
    judged: int | None = None
    cpu_s: float | None = None
    rewriter: str = "recombine"
    model: str = ""
    tokens: int | None = None

    def __post_init__(self) -> None:
        if self.judged is None and self.cpu_s is None and self.tokens is None:
            raise UsageError("a search needs an end: give --budget, --cpu-seconds or --tokens")

    def to_json(self) -> dict[str, Any]:
        """As it is kept; without models, as before there were any."""
        told = asdict(self)
        return told if self.rewriter != "recombine" else dict(list(told.items())[:3])


@dataclass(frozen=True)
class Cell:
    """One search of a plan."""

    strategy: str
    admission: str
    repeat: int

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.strategy}+{self.admission}+{self.repeat}"


@dataclass(frozen=True)
class Means:
    """How searches are carried out.

    Attributes:
        watched: what is held while champions are judged anew in an archive.
        asked: where models are and what they cost, as settings of a run.
    """

    search: Search
    make_worker: WorkerFactory
    tell: Tell
    workers: int = 2
    sandbox: str = "auto"
    watched: Callable[[Path], AbstractContextManager[None]] = lambda _: nullcontext()
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A line of `cells.jsonl`.

    Attributes:
        settings: those of its run. code: `code_version` when its line was written.
    """

    cell: Cell
    suite: Mapping[str, str]
    settings: Mapping[str, Any]
    code: str
    version: str
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@cache
def code_version() -> str:
    """A hash of what the code does that a search depends on, 12 hexadecimal digits: comments and
    layout do not count."""
    root = Path(cambrian.__file__).parent
    paths = (path for room in _ROOMS for path in sorted((root / room).rglob("*.py")))
    texts = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in paths}
    return str(fingerprint_of(texts))[:12]


def settings_of(
    plan: Plan,
    cell: Cell | None,
    workers: int,
    sandbox: str,
    asked: Mapping[str, Any] | None = None,
) -> Settings:
    """The settings of a cell's run; without a cell, of the run that judges the seed agents."""
    common = {"suite": plan.suite, "benchmarks": named_suite(plan.suite).benchmarks}
    where = {"workers": workers, "sandbox": cast(SandboxName, sandbox)}
    if cell is None:
        return Settings(proposals=0, **common, **where)  # type: ignore[arg-type]
    return Settings(
        judged=plan.judged,
        cpu_hours=None if plan.cpu_s is None else plan.cpu_s / 3600,
        seed=cell.repeat,
        selection=cast(Strategy, cell.strategy),
        admission=cast(AdmissionName, cell.admission),
        rewriter=cast(Rewriter, plan.rewriter),
        model=plan.model,
        tokens=plan.tokens,
        **(asked or {}),
        **common,  # type: ignore[arg-type]
        **where,  # type: ignore[arg-type]
    )


def cells(strategies: Sequence[str], rules: Sequence[str], repeats: int) -> list[Cell]:
    """All of them, repeat by repeat: whatever is stopped has pairs."""
    return [
        Cell(strategy, rule, repeat)
        for repeat in range(repeats)
        for rule in rules
        for strategy in strategies
    ]


def ablate(
    plan: Plan,
    wanted: Sequence[Cell],
    out: Path,
    means: Means,
    *,
    resume: bool = False,
    other_code: bool = False,
) -> Iterator[Result]:
    """Carry out what is missing of some cells, and keep each before it is given back; ends early
    where a search was stopped.

    Raises:
        Refused: something is there already and `resume` is not set; it has another plan, or is of
            other code and `other_code` is not set; or another process is at it.
    """
    suite = named_suite(plan.suite)
    out.mkdir(parents=True, exist_ok=True)
    with lock.hold(out / LOCK):
        done = _prepare(plan, suite, out, resume=resume, other_code=other_code)
        todo = [cell for cell in wanted if cell not in done]
        if todo and not _seeds(plan, suite, out / SEEDS, means):
            return
        for number, cell in enumerate(todo, start=1):
            home = out / "runs" / cell.name
            settings = settings_of(plan, cell, means.workers, means.sandbox, means.asked)
            means.tell(f"search {number} of {len(todo)}: {cell.name}")
            if not _searched(home, settings, suite, out / SEEDS, means):
                return
            result = _judged_anew(cell, settings, suite, home, out / SEEDS, means)
            jsonlines.append(out / CELLS, result.to_json())
            yield result


def _prepare(
    plan: Plan, suite: Suite, out: Path, *, resume: bool, other_code: bool
) -> dict[Cell, Result]:
    """The plan on disk, and what was done by it."""
    told = {**plan.to_json(), "hash": suite.hash}
    target = out / PLAN
    if not target.exists():
        _write(target, json.dumps(told, indent=2) + "\n")
        return {}
    if not resume:
        raise Refused(
            f"expected an empty folder, got an ablation in {out}: --resume goes on with it, "
            "another --out begins anew"
        )
    before = json.loads(target.read_text(encoding="utf-8"))
    changed = [
        f"{n}: {before.get(n)} before, {told[n]} now" for n in told if before.get(n) != told[n]
    ]
    if changed:
        raise Refused(
            f"the ablation in {out} had another plan ({'; '.join(changed)}): repeat its options, "
            "or give another --out"
        )
    jsonlines.mend(out / CELLS)
    done = {one.cell: one for one in load(out)}
    others = sorted({one.code for one in done.values()} - {code_version()})
    if others and not other_code:
        raise Refused(
            f"expected results of this code ({code_version()}), got some of {', '.join(others)} in "
            f"{out}: --other-code adds to them all the same, another --out begins anew"
        )
    return done


def _seeds(plan: Plan, suite: Suite, home: Path, means: Means) -> bool:
    """Judge the seed agents, and run them on sealed data; False if that was stopped."""
    settings = settings_of(plan, None, means.workers, means.sandbox)
    if not _is_finished(home, settings) and means.search(home, settings) != "finished":
        return False
    with Archive.open(home) as archive, archive.lock(), means.watched(home):
        _seal(archive, sealing.wanted(archive), suite, means)
    return True


def _searched(home: Path, settings: Settings, suite: Suite, seeds: Path, means: Means) -> bool:
    if _is_finished(home, settings):
        return True
    with (
        Archive.open(seeds, read_only=True) as known,
        Archive.open_or_create(home) as archive,
        archive.lock(),
    ):
        if archive.runs.last() is None:
            archive.suites.open(suite)
            _copy_seeds(known, archive)
    return means.search(home, settings) == "finished"


def _is_finished(home: Path, settings: Settings) -> bool:
    if not (home / "archive.db").is_file():
        return False
    with Archive.open(home, read_only=True) as archive:
        run = archive.runs.last()
        if run is None or run.state != "finished":
            return False
        if changed := differences(run.settings, settings):
            raise Refused(
                f"the search in {home} had other settings ({'; '.join(changed)}): remove that "
                "folder to search anew"
            )
        return True


def _copy_seeds(known: Archive, archive: Archive) -> None:
    """The same seed agents with what is known of them: the same code on the same streams."""
    for seed in known.agents.seeds():
        archive.agents.add_seed(seed.id, known.agents.files(seed.id), seed.title)
        for row in known.evaluations.of(seed.id):
            archive.evaluations.record(seed.id, known.evaluations.record_of(row))
    likeness.fill(archive)


def _judged_anew(
    cell: Cell, settings: Settings, suite: Suite, home: Path, seeds: Path, means: Means
) -> Result:
    """The champions of a finished search on sealed data, and the last one with fresh seeds."""
    with Archive.open(home) as archive, archive.lock(), means.watched(home):
        champions = [agent for _, agent in reigning(archive)]
        if not champions:
            raise CambrianError(f"no agent of {home} has a score: its log says why")
        _seal(archive, [one.id for one in champions if one.status != "seed"], suite, means)
        _freshly(archive, champions[-1].id, suite, means)
        with Archive.open(seeds, read_only=True) as known:
            found = outcome(archive, known, suite)
        return Result(
            cell,
            {"name": suite.name, "hash": suite.hash},
            json.loads(json.dumps(settings.to_json())),
            code_version(),
            cambrian.__version__,
            found,
        )


def _seal(archive: Archive, agent_ids: Sequence[str], suite: Suite, means: Means) -> None:
    sealing.seal(
        archive, agent_ids, suite.benchmarks, means.make_worker, means.tell, workers=means.workers
    )


def _freshly(archive: Archive, agent_id: str, suite: Suite, means: Means) -> None:
    """Run an agent with all fresh seeds; on a benchmark that it fails on, no further."""

    def left() -> list[Unit]:
        failed = {r.benchmark for r in failures(archive, agent_id, FRESH, suite.benchmarks)}
        names = [name for name in suite.benchmarks if name not in failed]
        return missing(archive, agent_id, units(archive, FRESH, names)) if names else []

    def record(found: Measurement) -> None:
        archive.evaluations.record(agent_id, found)

    while left():  # a failure ends a pass
        errand = Errand(agent_id, left, record)
        run_errands(archive, [errand], means.make_worker, means.tell, name="fresh", workers=1)


def load(where: Path) -> list[Result]:
    """The cells that are done, in a folder or in a file that may be compressed (.gz).

    Raises:
        NotFound: there is neither. CambrianError: a line is not a cell.
    """
    target = where / CELLS if where.is_dir() else where
    if not target.is_file():
        if where.is_dir() and (where / PLAN).is_file():
            return []
        raise NotFound(f"expected an ablation in {where}: `cambrian experiment ablate` makes one")
    return jsonlines.read(
        target, _result, "a finished search", "remove the line, and --resume writes it again"
    )


def _result(told: dict[str, Any]) -> Result:
    came = Outcome.from_json(told.pop("outcome"))
    return Result(Cell(**told.pop("cell")), outcome=came, **told)


def is_ablation(where: Path) -> bool:
    """Whether a folder or a file is of an ablation."""
    return (where / PLAN).is_file() if where.is_dir() else where.name.startswith("cells.jsonl")


def unfinished(where: Path) -> list[tuple[str, int]]:
    """The searches of a folder that were begun and have no line yet, with the variants that each
    has judged so far."""
    runs = where / "runs"
    if not runs.is_dir():
        return []
    done = {one.cell.name for one in load(where)}
    found = []
    for home in sorted(runs.iterdir()):
        if home.name in done or not (home / "archive.db").is_file():
            continue
        with Archive.open(home, read_only=True) as archive:
            found.append((home.name, archive.counts()["judged"]))
    return found


def _write(target: Path, text: str) -> None:
    """All of it or nothing."""
    beside = target.with_name(f"{target.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(target)
