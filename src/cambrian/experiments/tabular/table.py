"""A table of agents that were measured, and a surrogate's guess of all others of the space.

The file (`measured/table.npz`, read with numpy alone) holds, for n measured agents, F families, S
seeds, and all N agents of the space:

========= ============ ==========================================================================
name      shape        what
========= ============ ==========================================================================
space     (N, axes)    int8, every agent, in the order of its digits
values    (N, F)       float32, what an agent is worth: measured, or the surrogate's guess
at        (n,)         int32, which of the space were measured, in the order of measuring
scores    (n, F, S)    float32, the scores; NaN where the agent failed
flops     (n, F, S)    float32, operations in billions
card      ()           a JSON object as text: families, seeds, axes, noise, errors, code
========= ============ ==========================================================================

A score is taken to be value + effect of family and seed, the same for all agents, + noise. A
measured value is the mean over seeds without that effect; a stream on which the agent failed counts
as `FAILED`.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from cambrian.errors import NotFound, UsageError
from cambrian.evolution.selection.arrays import Floats
from cambrian.experiments.landscape import Genotype
from cambrian.experiments.tabular import space
from cambrian.experiments.tabular.measuring import FAMILIES, SEEDS, Row

FAILED = -0.5
"""What a stream counts on which an agent failed: half of the way to the ceiling below the floor."""
SHIPPED = Path(__file__).parent.parent / "measured" / "table.npz"


@dataclass(frozen=True)
class Table:
    """What the file holds: see the module.

    Attributes:
        digest: of the file, 12 hexadecimal digits.
    """

    space: Genotype
    values: Floats
    at: np.ndarray[Any, np.dtype[np.int32]]
    scores: Floats
    flops: Floats
    card: dict[str, Any]
    digest: str


def every() -> Genotype:
    """Every agent of the space, (N, axes), in the order of its digits."""
    grid = np.indices([len(axis.levels) for axis in space.AXES]).reshape(len(space.AXES), -1).T
    found: Genotype = np.array([one for one in grid.astype(np.int8) if space.valid(one)])
    return found


def measured(rows: Sequence[Row]) -> tuple[Floats, Floats, float]:
    """What rows say, n in their order.

    Returns:
        the scores (n, F, S), NaN where an agent failed; the values (n, F); the noise, a standard
        deviation of one score, with what all agents share of a family and seed taken out.
    """
    scores = np.array([[[np.nan if s is None else s for s in f] for f in r.scores] for r in rows])
    counted = np.where(np.isnan(scores), FAILED, scores)
    shared = counted.mean(axis=0) - counted.mean(axis=(0, 2))[:, None]
    values = (counted - shared).mean(axis=2)
    whole = ~np.isnan(scores).any(axis=2)
    apart = (scores - shared)[whole]
    apart = apart - apart.mean(axis=1, keepdims=True)
    free = whole.sum() * (len(SEEDS) - 1)
    noise = float(np.sqrt((apart**2).sum() / free))
    return scores, values, noise


def pack(rows: Sequence[Row]) -> bytes:
    """The file of some rows: the surrogate is fitted, and its error measured.

    Raises:
        ValueError: fewer than 50 rows.
    """
    # Imported late: scikit-learn takes a second to import.
    from cambrian.experiments.tabular.surrogate import errors, fit

    if len(rows) < 50:
        raise ValueError(f"expected at least 50 measured agents; got {len(rows)}")
    scores, values, noise = measured(rows)
    agents = every()
    place = {space.told(one): at for at, one in enumerate(agents)}
    at = np.array([place[row.genotype] for row in rows], dtype=np.int32)
    guessed = fit(agents[at], values)(agents)
    guessed[at] = values
    card = {
        "axes": {axis.name: [level.name for level in axis.levels] for axis in space.AXES},
        "families": list(FAMILIES),
        "seeds": list(SEEDS),
        "agents": len(agents),
        "measured": len(rows),
        "failed": int(np.isnan(scores).sum()),
        "noise": round(noise, 4),
        "cpu_s": round(sum(row.cpu_s for row in rows), 1),
        "code": sorted({row.code for row in rows}),
        "surrogate": errors(agents[at], values),
    }
    flops = np.array([[[np.nan if s is None else s for s in f] for f in r.flops] for r in rows])
    file = io.BytesIO()
    np.savez_compressed(
        file,
        space=agents,
        values=guessed.astype(np.float32),
        at=at,
        scores=scores.astype(np.float32),
        flops=flops.astype(np.float32),
        card=np.array(json.dumps(card)),
    )
    return file.getvalue()


def pack_into(where: Path, rows: Sequence[Row]) -> None:
    """Write the file of some rows.

    Raises:
        UsageError: there are too few to fit a surrogate.
    """
    try:
        data = pack(rows)
    except ValueError as error:
        raise UsageError(f"{error}; measure more of them first") from None
    where.write_bytes(data)


def card_lines(card: dict[str, Any]) -> list[str]:
    """The card of a table, for people."""
    error = card["surrogate"]["mean"]
    return [
        (
            f"{card['measured']:,} of {card['agents']:,} agents measured, "
            f"on {', '.join(card['families'])}, seeds {', '.join(map(str, card['seeds']))}"
        ),
        f"{card['cpu_s']:,.0f} processor seconds; {card['failed']} streams failed",
        f"noise of a score: {card['noise']:.3f} (standard deviation, family and seed taken out)",
        (
            f"surrogate on agents left out: mean absolute error {error['mae']:.3f}, "
            f"R² {error['r2']:.2f}, Kendall's τ {error['kendall']:.2f}"
        ),
    ]


def load(where: Path = SHIPPED) -> Table:
    """The table in a file.

    Raises:
        NotFound: there is none.
    """
    if not where.is_file():
        raise NotFound(
            f"expected a table in {where}, found none: `cambrian experiment table --pack` makes one"
        )
    data = where.read_bytes()
    with np.load(io.BytesIO(data)) as held:
        arrays = {name: held[name] for name in ("space", "values", "at", "scores", "flops")}
        card = json.loads(str(held["card"]))
    return Table(**arrays, card=card, digest=hashlib.sha256(data).hexdigest()[:12])


@cache
def shipped() -> Table:
    """The table that comes with Cambrian."""
    return load()
