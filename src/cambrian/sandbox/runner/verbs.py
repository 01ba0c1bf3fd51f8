"""The verbs of the learner contract, in one table.

A verb is a method of `cambrian.agents.contract.Learner`. Its row says what goes with the request,
what comes back and whether that is kept, and the four that speak a channel follow from it: the
trusted end (`sandbox.session.channel`), the runner inside (`sandbox.runner.job`), the playback of
a record (`evaluators.transcript`) and the watcher of a benchmark (`evaluators.conformance`).

A request is the frames ARGUMENT (one for each array but the last) and CALL (the last array, the
verb, its numbers). `observe` and `predict` have quicker frames of their own beside that, since a
stream consists of them.

Used on both sides, so: standard library and numpy only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cambrian.agents.spec import TaskSpec

Array = NDArray[Any]
FLOAT, INTEGER, BYTE = np.dtype("<f4"), np.dtype("<i8"), np.dtype("u1")
Numbers = Mapping[str, int | None]


@dataclass(frozen=True)
class Answer:
    """What a verb gives back.

    Attributes:
        what: "scores", "actions", "indices" or "points": how its values are checked.
        shape: of the array, from the spec, the number of rows of the first array that went with the
            request, and the numbers that did.
        dtype: of the array, from the spec.
    """

    what: str
    shape: Callable[[TaskSpec, int, Numbers], tuple[int, ...]]
    dtype: Callable[[TaskSpec], np.dtype[Any]]


@dataclass(frozen=True)
class Verb:
    """A row of the table.

    Attributes:
        name: of the learner's method, which takes the arrays and then the numbers.
        arrays: what goes with the request, in order: "x", "y" (as `TaskSpec.kind` says),
            "observations" (E, *input_shape) float32, "rewards" (E,) float32, "terminated",
            "truncated" (E,) uint8 that arrive as booleans, "pool" (N, *input_shape) float32.
        numbers: integers that go with it; one that is None is left out of the call.
        answer: what comes back; None: nothing does, and a failure shows at the next request.
        waits: whether the end of a call without an answer is waited for.
        recorded: whether its answers are kept with the result.
    """

    name: str
    arrays: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    answer: Answer | None = None
    waits: bool = False
    recorded: bool = False


SCORES = Answer("scores", lambda spec, rows, _: spec.scores_shape(rows), lambda _: FLOAT)
ACTIONS = Answer(
    "actions",
    lambda spec, rows, _: (rows,) if spec.actions else (rows, *spec.action_shape),
    lambda spec: INTEGER if spec.actions else FLOAT,
)
INDICES = Answer("indices", lambda _, rows, n: (min(rows, n["count"] or 0),), lambda _: INTEGER)
POINTS = Answer("points", lambda spec, _, n: (n["count"] or 0, *spec.input_shape), lambda _: FLOAT)


def _table(*verbs: Verb) -> dict[str, Verb]:
    return {verb.name: verb for verb in verbs}


VERBS: dict[str, Verb] = _table(
    Verb("observe", ("x", "y"), ("task",)),
    Verb("predict", ("x",), ("task",), SCORES, recorded=True),
    Verb("adapt", ("x", "y"), ("steps",)),
    Verb("new_episode"),
    Verb("task_boundary", waits=True),
    Verb("act", ("observations",), (), ACTIONS, recorded=True),
    Verb("feedback", ("rewards", "terminated", "truncated", "next_observations")),
    Verb("query", ("pool",), ("count",), INDICES, recorded=True),
    Verb("suggest", (), ("count",), POINTS, recorded=True),
    Verb("forget", ("x", "y"), ("task",), waits=True),
    Verb("compress", (), ("bytes",), waits=True),
)
"""Every verb there is. `adapt` gives a copy of the learner, which stays inside."""

BOOLEAN = ("terminated", "truncated")


def dtype_of(argument: str, spec: TaskSpec) -> np.dtype[Any]:
    """The type in which an array crosses the wall."""
    if argument == "y":
        labels = spec.kind in ("classification", "sequence", "active")
        return INTEGER if labels else FLOAT
    return BYTE if argument in BOOLEAN else FLOAT


def shape_of(argument: str, spec: TaskSpec, rows: int) -> tuple[int, ...]:
    """The shape of an array with so many rows."""
    if argument == "y":
        if spec.kind in ("classification", "active"):
            return (rows,)
        return (rows, spec.input_shape[0]) if spec.kind == "sequence" else (rows, spec.outputs)
    inputs = argument in ("x", "pool", "observations", "next_observations")
    return (rows, *spec.input_shape) if inputs else (rows,)
