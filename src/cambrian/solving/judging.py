"""The usual choices on the sealed rows of a table, in processes of their own, each with a deadline.

They are judged before the search begins, so that the time which they take is known; nothing of it
reaches the search.
"""

from __future__ import annotations

import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cambrian.evaluators import plugins
from cambrian.evaluators.stages import STAGES
from cambrian.solving.baselines import Choice, baselines
from cambrian.solving.driving import BaselineChannel, OutOfTime

DEAR = ("adaptive-forest", "boosting")
"""What may take minutes on some thousand rows."""


@dataclass(frozen=True)
class Figure:
    """What a baseline came to under one seed.

    Attributes:
        name: of the baseline.
        raw: what it scored, in the benchmark's own measure; None where `reason` says why not.
        seconds: what it took, on one processor.
    """

    name: str
    seed: int
    raw: float | None
    seconds: float
    reason: str = ""


@dataclass(frozen=True)
class Sitting:
    """One baseline, one seed, the benchmark in a file, and the time (`time.time`) that ends it."""

    file: str
    name: str
    seed: int
    deadline: float


def judge(sitting: Sitting) -> Figure:
    """Carry one out, on one processor."""
    from threadpoolctl import threadpool_limits

    bench: Any = plugins.load(Path(sitting.file))
    spec = bench.stream_of("sealed", sitting.seed)
    choice = baselines(spec.kind == "regression")[sitting.name]
    began = time.perf_counter()
    try:
        model = choice.make(spec, sitting.seed)  # loads the library, which is to be held back
        channel = BaselineChannel(model, sitting.deadline)
        with threadpool_limits(1):
            raw: float | None = float(bench.run(channel, "sealed", sitting.seed).raw)
        reason = ""
    except OutOfTime:
        raw, reason = None, "out of time"
    except ImportError as error:
        raw, reason = None, _missing(choice, error)
    except Exception as error:  # noqa: BLE001 - another's code, whose failure is what it came to
        raw, reason = None, f"failed: {type(error).__name__}: {error}"[:300]
    return Figure(sitting.name, sitting.seed, raw, time.perf_counter() - began, reason)


def _missing(choice: Choice, error: ImportError) -> str:
    return f"not installed: pip install '{choice.library}' ({error})"


def judge_all(
    file: Path,
    names: Sequence[str],
    store: Path,
    seconds: float,
    tell: Callable[[Figure], None],
    *,
    workers: int = 2,
) -> list[Figure]:
    """Every baseline under every sealed seed, for at most so many seconds: first those that take
    little, then the others (`DEAR`), seed after seed.

    What `store` has is not done again; each figure is added to it when it is known. What is not
    done in time is told as that, and left out of the store, so that another call may try again.
    """
    known = read(store)
    done = {(one.name, one.seed) for one in known}
    deadline = time.time() + seconds
    todo = [
        Sitting(str(file), name, seed, deadline)
        for group in ([n for n in names if n not in DEAR], [n for n in names if n in DEAR])
        for seed in STAGES["sealed"]
        for name in group
        if (name, seed) not in done
    ]
    for figure in _carried_out(todo, workers):
        tell(figure)
        known.append(figure)
        store.write_text(json.dumps([asdict(one) for one in known if _is_kept(one)], indent=1))
    return known


def _is_kept(figure: Figure) -> bool:
    return figure.raw is not None


def _carried_out(todo: Sequence[Sitting], workers: int) -> Iterable[Figure]:
    if not todo:
        return
    # Not forked: this process has threads.
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(workers, len(todo)), initializer=_ignore_interrupts) as pool:
        yield from pool.imap(judge, todo)


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of a terminal; the parent ends these."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def read(store: Path) -> list[Figure]:
    """The figures that are known; none where there is no store."""
    if not store.is_file():
        return []
    return [Figure(**row) for row in json.loads(store.read_text(encoding="utf-8"))]
