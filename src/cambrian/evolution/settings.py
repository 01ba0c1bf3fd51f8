"""What a run is told. Those of `Fixed` decide what happens and may not change on resuming."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from cambrian.errors import UsageError
from cambrian.evolution.admission.approval import Policy
from cambrian.evolution.admission.rules import Rules
from cambrian.evolution.budget import LIMITS
from cambrian.evolution.models.prices import Price
from cambrian.evolution.selection.selection import strategy

LAG = 6
"""Proposal k sees the archive as decided through k − LAG, however many workers there are."""

Rewriter = Literal["recombine", "model"]
Order = Literal["fixed", "free"]


@dataclass(frozen=True)
class Settings:
    """A run's settings.

    Attributes:
        seed: of every random choice.
        rewriter: where edits come from: `recombine` (no model) or `model`.
        selection: name of the strategy that picks parents.
        benchmarks: what agents are judged by.
        order: `fixed` gives the same tree for any number of workers; `free` decides as results
            come in.
        random_control: no archive at all: parents are seed agents only, and every proposal is
            a random number of recombinations in a row.
        proposals, judged, agents, evaluations, hours, cpu_hours, tokens, dollars: hard stops; None
            where there is none. Agents are those admitted to the tree.
        prices: of models, by name; a limit in dollars needs that of `model`.
        approve: which admissions wait for a person: none, champion, every:N or all.
        patience: minutes that the sandbox's engine or the model's endpoint may be down, the run
            pausing, before it is given up (to be resumed).
        workers: evaluation processes.
        sandbox: auto, docker, bubblewrap or none.
        device: cpu or cuda.
        model: name of the foundation model to ask.
        answer_tokens: the most that an answer of it may have, reasoning included.
        rules: thresholds of admission.
    """

    seed: int = 0
    rewriter: Rewriter = "recombine"
    selection: str = "dgm"
    benchmarks: tuple[str, ...] = ()
    order: Order = "fixed"
    random_control: bool = False
    rules: Rules = field(default_factory=Rules)
    model: str = ""
    device: str = "cpu"
    proposals: int | None = None
    hours: float | None = None
    judged: int | None = None
    agents: int | None = None
    evaluations: int | None = None
    cpu_hours: float | None = None
    tokens: int | None = None
    dollars: float | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)
    answer_tokens: int = 8192
    approve: str = "none"
    patience: float = 60.0
    workers: int = 2
    sandbox: str = "auto"

    def __post_init__(self) -> None:
        strategy(self.selection)
        Policy.of(self.approve)
        for name, least in (("workers", 1), ("patience", 0), *((name, 0) for name in LIMITS)):
            value = getattr(self, name)
            if value is not None and not least <= value < 1e15:
                raise UsageError(f"{name} must be at least {least}, got {value}")
        for name in ("hours", "cpu_hours"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1e6:
                raise UsageError(f"{name} must be above 0, got {value}")
        if not 1 <= self.answer_tokens < 1e9:
            raise UsageError(f"answer_tokens must be at least 1, got {self.answer_tokens}")
        if all(getattr(self, name) is None for name in LIMITS):
            raise UsageError("a run needs an end: give --proposals, --hours or another limit")
        if self.rewriter == "model":
            self._check_model()
        elif not self._ends_without_a_model():
            raise UsageError(
                f"--rewriter {self.rewriter} spends no tokens and no dollars, so that limits in "
                "these end nothing: give --proposals, --hours or another limit"
            )

    def _check_model(self) -> None:
        if not self.model:
            raise UsageError(
                "--rewriter model needs a model's name: give --model or set CAMBRIAN_MODEL"
            )
        if self.dollars is not None and self.model not in self.prices:
            raise UsageError(
                f"a limit in dollars needs the price of {self.model}: give --price "
                "PROMPT,COMPLETION (dollars per million tokens), or state it under [prices] in "
                "cambrian.toml"
            )

    def _ends_without_a_model(self) -> bool:
        return any(getattr(self, n) is not None for n in LIMITS if n not in ("tokens", "dollars"))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


MAY_CHANGE = frozenset(
    {*LIMITS, "prices", "approve", "patience", "workers", "sandbox", "answer_tokens"}
)
"""What may be changed when a run is resumed."""


def differences(before: Mapping[str, Any], now: Settings) -> list[str]:
    """What decides a run's course and is not as it was: "seed: 1 before, 2 now", ..."""
    return [text for name, text in _changes(before, now) if name not in MAY_CHANGE]


def changes(before: Mapping[str, Any], now: Settings) -> list[str]:
    """What may change in a run and is not as it was, in the same words."""
    return [text for name, text in _changes(before, now) if name in MAY_CHANGE]


def _changes(before: Mapping[str, Any], now: Settings) -> Iterator[tuple[str, str]]:
    current = now.to_json()
    usual = Settings(proposals=0).to_json()  # what an older Cambrian did not know was as usual
    for name in (f.name for f in fields(Settings)):
        old, new = before.get(name, usual[name]), current[name]
        old, new = (list(one) if isinstance(one, tuple) else one for one in (old, new))
        if isinstance(old, Mapping) and isinstance(usual[name], Mapping):
            old = {**usual[name], **old}
        if old != new:
            yield name, f"{name}: {old} before, {new} now"
