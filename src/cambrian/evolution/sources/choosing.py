"""A model that cannot write code can still choose: one of several recombinations, by a grammar.

Recombination prepares a menu of edits of the parent, each with its operation, mechanism, knobs and
their values; the model is shown the menu beside what the optimisers know (how often each kind and
mechanism was tried, and what it gained) and names one line, held to the menu by a grammar. So small
models override a share of an optimiser's choices while they see its state. Whatever the model says,
the edit is one that recombination made, checked like any other.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio.to_thread

from cambrian.agents.edits import EditError, apply
from cambrian.agents.recombine import NOTHING, Learned, Proposal
from cambrian.agents.recombine.isolated import recombine_in_a_row
from cambrian.agents.tree import SourceTree
from cambrian.errors import InvalidAgent
from cambrian.evolution.models.choices import chosen
from cambrian.evolution.models.refusals import AskRefused
from cambrian.evolution.rewriting.operator_credit import mechanisms_of
from cambrian.evolution.rewriting.rewriting import RECOMBINE_TIMEOUT_S, NoVariant, Variant

MENU = 8
"""Edits that are prepared; those that are the same, or known, are shown once or not at all."""
KNOBS_SHOWN = 2
ANSWER_TOKENS = 512
"""The most that an answer may have: a line of the menu, and what a model thinks before it."""

SYSTEM = (
    "You help to improve a learning algorithm. Pick the one change of the list that is most likely "
    "to raise its score. Answer with that line and nothing else."
)


class Ask(Protocol):
    """Asks the model of this proposal, held to the choices."""

    def __call__(
        self, messages: list[dict[str, str]], choices: Sequence[str], cap: int | None
    ) -> Awaitable[str]:
        """Its answer, in at most `cap` tokens. Raises `AskRefused`."""


@dataclass(frozen=True)
class State:
    """What the optimisers know, as decided through a proposal.

    Attributes:
        learned: of kinds and knobs. weights: of mechanisms. gains: what each mechanism gained when
            it was grafted. score: the parent's.
    """

    learned: Learned = NOTHING
    weights: Mapping[str, float] = field(default_factory=dict)
    gains: Mapping[str, Sequence[float]] = field(default_factory=dict)
    score: float | None = None


async def by_choice(
    parent: SourceTree,
    seed: str,
    state: State,
    ask: Ask,
    is_new: Callable[[SourceTree], bool] = lambda _: True,
) -> Variant:
    """The recombination that a model picks.

    Args:
        is_new: whether a tree is worth judging.

    Raises:
        NoVariant: nothing can be recombined, or no choice could be had.
    """
    seeds = [f"{seed}/{number}" for number in range(MENU)]
    try:
        made = await anyio.to_thread.run_sync(_prepared, parent, seeds, state)
        menu = _menu(parent, made, is_new)
    except (EditError, InvalidAgent) as error:
        raise NoVariant(f"recombination failed: {error}") from None
    if not menu:
        raise NoVariant("every recombination that was prepared is known already")
    lines = list(menu)
    try:
        said = await ask(question(lines, menu, state), lines, ANSWER_TOKENS)
    except AskRefused as refusal:
        raise NoVariant(str(refusal), refused=refusal) from None
    at = chosen(said, lines)
    if at is None:
        raise NoVariant(f"the model chose none of the {len(lines)} changes: {said[:200]!r}")
    picked = menu[lines[at]]
    operation = {**picked.operation, "chosen": {"line": lines[at], "of": len(lines)}}
    return Variant(apply(parent, picked.edit), picked.edit, operation)


def _prepared(parent: SourceTree, seeds: Sequence[str], state: State) -> list[Proposal]:
    return recombine_in_a_row(
        [parent],
        seeds,
        weights=state.weights,
        learned=state.learned,
        timeout_s=RECOMBINE_TIMEOUT_S,
        apart=True,
    )


def _menu(
    parent: SourceTree, made: Sequence[Proposal], is_new: Callable[[SourceTree], bool]
) -> dict[str, Proposal]:
    """The lines of the menu, each with its edit; of two that read alike, the first."""
    menu: dict[str, Proposal] = {}
    for proposal in made:
        line = described(proposal.operation)
        if line not in menu and is_new(apply(parent, proposal.edit)):
            menu[line] = proposal
    return menu


def described(operation: Mapping[str, Any]) -> str:
    """An operation in a line: its kind, mechanism, knobs and their values."""
    parts = [str(operation.get("kind", "change")), *mechanisms_of(operation)[:1]]
    if operation.get("kind") == "remove":
        parts.append(str(operation.get("mechanism", "")))
    changes = operation.get("changes") or operation.get("knobs")
    if isinstance(changes, Mapping) and changes:
        shown = [f"{name} to {_value(change)}" for name, change in changes.items()]
        more = len(shown) - KNOBS_SHOWN
        parts.append(", ".join(shown[:KNOBS_SHOWN]) + (f" and {more} more" if more > 0 else ""))
    return " ".join(part for part in parts if part)


def _value(change: object) -> str:
    value = change[-1] if isinstance(change, list | tuple) and change else change
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def question(
    lines: Sequence[str], menu: Mapping[str, Proposal], state: State
) -> list[dict[str, str]]:
    """The menu with what is known of each line, as messages for a model."""
    score = "" if state.score is None else f"The score of this algorithm is {state.score:.3f}.\n"
    rows = [f"{line}{_known(menu[line].operation, state)}" for line in lines]
    said = f"{score}The changes, with what is known of each:\n" + "\n".join(rows)
    said += "\nWhich one? Answer with the text before the bracket."
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": said}]


def _known(operation: Mapping[str, Any], state: State) -> str:
    """What the optimisers know of an operation, in brackets."""
    parts = []
    kind = str(operation.get("kind"))
    favours = [favour[kind] for favour in state.learned.kinds.values() if kind in favour]
    if favours:
        parts.append(f"this kind is favoured {max(favours):.1f} times")
    for name in mechanisms_of(operation)[:1]:
        gains = state.gains.get(name, ())
        mean = f", mean gain {sum(gains) / len(gains):+.3f}" if gains else ""
        parts.append(f"tried {len(gains)} times{mean}")
    changes = operation.get("changes")
    for name in list(changes)[:KNOBS_SHOWN] if isinstance(changes, Mapping) else ():
        if name in state.learned.knobs:
            parts.append(
                f"{name} moved a score in {100 * state.learned.knobs[name]:.0f} % of tries"
            )
    return f" [{'; '.join(parts)}]" if parts else " [not tried]"
