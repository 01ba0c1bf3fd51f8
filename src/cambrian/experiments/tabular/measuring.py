"""Measure the agents of a table, each on the same streams, a line of JSON for each agent.

Our own code only runs here, so that no sandbox is needed: a plain process serves each agent. The
evaluation is that of a run in every other respect, its allowances included.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from cambrian import jsonlines
from cambrian.agents.syntax import fingerprint_of
from cambrian.agents.tree import SourceTree
from cambrian.errors import NotFound, Refused, SandboxBroken
from cambrian.evaluators.job import evaluate
from cambrian.experiments.landscape import Genotype
from cambrian.experiments.tabular import space
from cambrian.measurement import Unit
from cambrian.sandbox.backends.plain import PlainBackend
from cambrian.sandbox.session.session import Session

FAMILIES = ("rare-classes", "domains-in-turn", "sliding-concepts")
"""Cheap families, of class-incremental and domain-incremental learning and of drift."""
SEEDS = (1, 2, 3)
ROWS = "agents.jsonl"

_CODE = (
    *(f"agents/mechanisms/*/{name}.py" for name in space.mechanisms()),
    "agents/part.py",
    "agents/seeds/composed/*.py",
    "evaluators/benchmarks/*.py",
    "evaluators/families/*.py",
    "evaluators/protocols/*.py",
    "experiments/tabular/space.py",
)
"""What a figure depends on, beside torch and the machine; layout and comments do not count, nor do
mechanisms that no agent of the space has."""


@cache
def code_version() -> str:
    """A hash of the code that the figures depend on, 12 hexadecimal digits."""
    root = Path(__file__).resolve().parents[2]
    files = sorted(path for pattern in _CODE for path in root.glob(pattern))
    texts = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in files}
    return fingerprint_of(texts)[:12]


@dataclass(frozen=True)
class Row:
    """What an agent of the space did.

    Attributes:
        genotype: as digits (`space.told`).
        scores: (families, seeds), None where it failed.
        flops: as `scores`, operations in billions.
        causes: of what failed, by "family/seed".
        cpu_s: processor seconds of all.
        code: a hash of the code that the figures depend on.
    """

    genotype: str
    scores: list[list[float | None]]
    flops: list[list[float | None]]
    causes: dict[str, str]
    cpu_s: float
    code: str


def measure(genotype: Genotype, turn: int = 0) -> Row:
    """Run an agent on every family and seed.

    Args:
        turn: with which stream to begin: two agents never run the same one at the same time.

    Raises:
        SandboxBroken: a stream could not be run, through no fault of the agent.
    """
    units = [(f, s) for f in range(len(FAMILIES)) for s in range(len(SEEDS))]
    turn %= len(units)
    scores: list[list[float | None]] = [[None] * len(SEEDS) for _ in FAMILIES]
    flops: list[list[float | None]] = [[None] * len(SEEDS) for _ in FAMILIES]
    causes: dict[str, str] = {}
    cpu_s = 0.0
    tree = space.agent(genotype)
    place = _Place.here()
    place.session(tree, anew=True)
    for family, seed in units[turn:] + units[:turn]:
        unit = Unit(FAMILIES[family], "full", SEEDS[seed])
        found = evaluate(place.session(tree), unit)
        if found.verdict == "broken":
            raise SandboxBroken(f"{unit.benchmark}, seed {unit.seed}: {found.reason}")
        cpu_s += found.cpu_s or 0.0
        if found.verdict == "scored" and found.score is not None:
            scores[family][seed] = round(found.score, 5)
            flops[family][seed] = round((found.flops or 0) / 1e9, 4)
        else:
            causes[f"{unit.benchmark}/{unit.seed}"] = str(found.cause)
    return Row(space.told(genotype), scores, flops, causes, round(cpu_s, 2), code_version())


class _Place:
    """The session of a process, kept from agent to agent, as torch is slow to import."""

    def __init__(self) -> None:
        self._session: Session | None = None

    @classmethod
    @cache
    def here(cls) -> _Place:
        return cls()

    def session(self, tree: SourceTree, *, anew: bool = False) -> Session:
        """A session that is in order and has the tree installed."""
        if self._session is not None and self._session.spent:
            self._session.close()
            self._session = None
        if self._session is None:
            self._session, anew = Session(PlainBackend()), True
        if anew:
            self._session.install(tree)
        return self._session


def tabulate(
    count: int, out: Path, *, workers: int = 2, resume: bool = False
) -> Generator[Row, None, None]:
    """Measure the agents that are missing among the first `count` of the sample, and keep each in
    `out` before it is given back, in the order in which they are done.

    Raises:
        Refused: there are rows already and `resume` is not set, or they are of other code.
    """
    target = out / ROWS
    done = _done(target, resume)
    out.mkdir(parents=True, exist_ok=True)
    missing = [g for g in space.sampled(count) if space.told(g) not in done]
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as pool:
        waiting = {
            pool.submit(measure, genotype, at * 4) for at, genotype in enumerate(missing[:workers])
        }
        ahead = iter(enumerate(missing[workers:], start=workers))
        while waiting:
            ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in ready:
                row = future.result()
                jsonlines.append(target, asdict(row))
                following = next(ahead, None)
                if following is not None:
                    waiting.add(pool.submit(measure, following[1], following[0] * 4))
                yield row


def _one_thread() -> None:
    os.environ["OMP_NUM_THREADS"] = "1"


def _done(target: Path, resume: bool) -> set[str]:
    """The genotypes of what was measured; a last line that a kill cut off is taken away."""
    if not target.exists():
        return set()
    if not resume:
        raise Refused(
            f"expected an empty folder, got measured agents in {target.parent}: "
            "--resume goes on with them, another --out begins anew"
        )
    jsonlines.mend(target)
    rows = rows_in(target.parent)
    if others := {row.code for row in rows} - {code_version()}:
        raise Refused(
            f"expected agents measured by this code ({code_version()}), got some of "
            f"{', '.join(others)} in {target.parent}: measure into another folder"
        )
    return {row.genotype for row in rows}


def rows_in(out: Path) -> list[Row]:
    """The rows in a folder.

    Raises:
        NotFound: there are none. CambrianError: a line is not a row.
    """
    target = out / ROWS
    if not target.is_file():
        raise NotFound(
            f"expected measured agents in {target}, found none: `cambrian experiment table --out` "
            "measures some"
        )
    return jsonlines.read(
        target,
        lambda data: Row(**data),
        "a measured agent",
        "remove the line, and measure it again with --resume",
    )
