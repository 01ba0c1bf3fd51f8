"""Many simulated searches, kept as lines of JSON so that a measurement may be stopped and go on.

A line is a block of repeats of one cell (landscape, strategy, rule, budget). Blocks go round by
round over all cells, so that whatever was stopped has every cell on the same first repeats, and
comparisons stay paired.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from cambrian import jsonlines
from cambrian.errors import NotFound, Refused
from cambrian.evolution.admission.thresholds import AdmissionName
from cambrian.experiments.grounds import ground, version
from cambrian.experiments.measures import measures
from cambrian.experiments.search import Search

BLOCK = 20
"""Repeats in a line."""
RESULTS = "results.jsonl"

_CODE = (
    "experiments/admitting.py",
    "experiments/analytic.py",
    "experiments/measures.py",
    "experiments/search.py",
    "evolution/admission/neighbours.py",
    "evolution/admission/results.py",
    "evolution/admission/rules.py",
    "evolution/admission/thresholds.py",
    "evolution/selection/arrays.py",
    "evolution/selection/members.py",
    "evolution/selection/strategies/*.py",
    "evaluators/statistics/intervals.py",
)
"""What a result depends on, beside three constants of a run (lag, tries, lengths of edits)."""


@dataclass(frozen=True)
class Cell:
    """What is repeated: a landscape, a strategy, a rule of admission and a budget in proposals."""

    landscape: str
    strategy: str
    admission: str
    budget: int


@dataclass(frozen=True)
class Block:
    """A line of results.

    Attributes:
        first: the first repeat. measures: by name, one figure per repeat.
        seconds: processor time. code: `code_version` then.
    """

    cell: Cell
    first: int
    measures: Mapping[str, Sequence[float | int | None]]
    seconds: float
    code: str

    @property
    def repeats(self) -> range:
        """The repeats that it is about."""
        return range(self.first, self.first + len(self.measures["at_end"]))


@cache
def code_version() -> str:
    """A hash of the code that results depend on, 12 hexadecimal digits."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for pattern in _CODE:
        for path in sorted(root.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def key(cell: Cell, first: int, count: int) -> str:
    """A hash of the settings of a block, 12 hexadecimal digits."""
    text = json.dumps([*asdict(cell).values(), first, count])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def measure(cell: Cell, first: int, count: int) -> Block:
    """Run a block of repeats."""
    began = time.process_time()
    land = ground(cell.landscape)
    rule = cast(AdmissionName, cell.admission)
    found = []
    for repeat in range(first, first + count):
        search = Search(land, repeat, cell.strategy, rule, cell.budget).run()
        found.append(measures(search, land.threshold * search.world.optimum))
    columns = {name: [row[name] for row in found] for name in found[0]}
    code = version(cell.landscape, code_version())
    return Block(cell, first, columns, round(time.process_time() - began, 2), code)


def simulate(
    cells: Sequence[Cell], repeats: int, out: Path, *, resume: bool = False
) -> Generator[Block, None, None]:
    """Measure what is missing, a block at a time, and keep each in `out` before it is given back.

    Raises:
        Refused: there are results already and `resume` is not set, or they are of other code.
    """
    target = out / RESULTS
    done = _done(target, resume)
    out.mkdir(parents=True, exist_ok=True)
    for first in range(0, repeats, BLOCK):
        count = min(BLOCK, repeats - first)
        for cell in cells:
            if key(cell, first, count) in done:
                continue
            block = measure(cell, first, count)
            jsonlines.append(target, {"key": key(cell, first, count), **asdict(block)})
            yield block


def _done(target: Path, resume: bool) -> set[str]:
    """The keys of what was measured; a last line that a kill cut off is taken away."""
    if not target.exists():
        return set()
    if not resume:
        raise Refused(
            f"expected an empty folder, got results in {target.parent}: "
            "--resume goes on with them, another --out begins anew"
        )
    jsonlines.mend(target)
    blocks = load(target)
    now = code_version()
    if others := {b.code for b in blocks if b.code != version(b.cell.landscape, now)}:
        raise Refused(
            f"expected results of this code ({code_version()}), got some of {', '.join(others)} in "
            f"{target.parent}: measure into another folder"
        )
    return {key(block.cell, block.first, len(block.repeats)) for block in blocks}


def load(where: Path) -> list[Block]:
    """The blocks in a folder, or in a file that may be compressed (.gz).

    Raises:
        NotFound: there are none. CambrianError: a line is not a block.
    """
    target = where / RESULTS if where.is_dir() else where
    if not target.is_file():
        raise NotFound(
            f"expected results in {target}, found none: `cambrian experiment simulate --out` "
            "makes them"
        )
    return jsonlines.read(
        target,
        _block,
        "a block of results",
        "remove the line, and measure it again with --resume",
    )


def _block(data: dict[str, Any]) -> Block:
    data.pop("key")
    found = Block(**{**data, "cell": Cell(**data["cell"])})
    _ = found.repeats
    return found
