"""Where edits come from: `recombine` (libcst, no model) and `model` (the agent's own improver).

Both give a `Variant`: a source tree that differs from its parents and passes every check, with
the edit that made it. What cannot be made is a `NoVariant` with the reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio.to_thread

from cambrian.agents.edits import MAX_HYPOTHESIS, MAX_TITLE, Edit, EditError, apply
from cambrian.agents.recombine import NOTHING, Learned, Proposal, cut
from cambrian.agents.recombine.isolated import recombine_in_a_row
from cambrian.agents.tree import IMPROVER, NOTES, SourceTree
from cambrian.errors import InvalidAgent, SandboxBroken
from cambrian.evolution.models.refusals import (
    AskRefused,
    BudgetSpent,
    EndpointDown,
    Misconfigured,
    TooLong,
)
from cambrian.evolution.models.replies import whole
from cambrian.evolution.rewriting.mending import Attempt, begin, go_on
from cambrian.evolution.rewriting.trying import Try, untried
from cambrian.evolution.runtime.workers import ImproverFailed
from cambrian.measurement import Measurement

RECOMBINE_TIMEOUT_S = 30.0

LEFT_OUT = (
    ("cards", "history", "elsewhere", "curves", "other"),
    ("failures", "scores", "benchmarks", "kinds", "costs", "contributions"),
)
"""What of the evidence a model with a short context can do without, the first thing first; in the
end the improver's own code."""

Improve = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Runs the parent's improver on evidence; gives its unchecked edit."""


class NoVariant(Exception):
    """No valid variant came of a proposal; the message says why.

    Attributes:
        end: the state its proposal ends in: `invalid`, or `parked` where it was our fault.
        refused: the refusal of a question, where it is because of one.
    """

    def __init__(
        self, reason: str, *, end: str = "invalid", refused: AskRefused | None = None
    ) -> None:
        super().__init__(whole(reason))
        self.end = end
        self.refused = refused

    @property
    def down(self) -> bool:
        """Whether it is worth asking again later."""
        return isinstance(self.refused, EndpointDown)

    @property
    def wait_s(self) -> float:
        """How long the endpoint says to wait."""
        return self.refused.wait_s if isinstance(self.refused, EndpointDown) else 0.0

    @property
    def misconfigured(self) -> bool:
        """Whether no question can be answered until a person changes something."""
        return isinstance(self.refused, Misconfigured)

    @property
    def unanswered(self) -> bool:
        """Whether the endpoint left a question unanswered (one that could be paid for)."""
        return self.refused is not None and not isinstance(self.refused, BudgetSpent)


@dataclass(frozen=True)
class Variant:
    """A proposed child before it is judged.

    Attributes:
        operation: what recombination did.
        of_both: whether a model was shown both parents.
        measured: what came of its trial (`trying`).
    """

    tree: SourceTree
    edit: Edit
    operation: Mapping[str, Any] | None = None
    measured: tuple[Measurement, ...] = ()
    of_both: bool = False

    @property
    def crosses(self) -> bool:
        """Whether code of the second parent went into it."""
        if self.of_both:
            return True
        first = (self.operation or {}).get("chain", [self.operation])[0]
        return isinstance(first, Mapping) and first.get("kind") == "crossover"


async def by_recombination(
    parents: Sequence[SourceTree],
    seed: str,
    *,
    steps: int = 1,
    weights: Mapping[str, float] | None = None,
    learned: Learned = NOTHING,
) -> Variant:
    """`steps` random recombinations in a row, in one resource-limited subprocess.

    `weights` say how likely each mechanism is to be picked (`operator_credit.Experience`);
    `learned`, how likely each kind of operation, and how knobs are tuned.

    Raises:
        NoVariant: the code has no structure that could be recombined.
    """
    if steps < 1:
        raise ValueError(f"expected at least one step, got {steps}")
    seeds = [f"{seed}/{step}" for step in range(steps)]
    try:
        made = await anyio.to_thread.run_sync(_recombine, list(parents), seeds, weights, learned)
        tree = parents[0]
        for proposal in made:
            tree = apply(tree, proposal.edit)
    except (EditError, InvalidAgent) as error:
        raise NoVariant(f"recombination failed: {error}") from None
    operations = [dict(proposal.operation) for proposal in made]
    whole = operations[0] if steps == 1 else _in_a_row(operations)
    edit = _together(parents[0], tree, [proposal.edit for proposal in made])
    return Variant(tree, edit, whole)


def _in_a_row(operations: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Operations in a row as one: where it began and where it ended, and each by itself."""
    began, ended = operations[0]["of"], operations[-1]["made"]
    steps = [
        {key: value for key, value in each.items() if key not in ("of", "made")}
        for each in operations
    ]
    return {"chain": steps, "of": began, "made": ended}


def _together(parent: SourceTree, tree: SourceTree, edits: Sequence[Edit]) -> Edit:
    """Edits in a row as one edit of the parent, which says of each what it is for."""
    if len(edits) == 1:
        return edits[0]
    files: dict[str, str | None] = {path: None for path in parent if path not in tree}
    files |= {path: text for path, text in tree.items() if parent.get(path) != text}
    return Edit(
        title=cut("; ".join(edit.title for edit in edits), MAX_TITLE),
        hypothesis=cut(" ".join(edit.hypothesis for edit in edits), MAX_HYPOTHESIS),
        predicted_gain=sum(edit.predicted_gain for edit in edits),
        confidence=min(edit.confidence for edit in edits),
        files=files,
    )


def _recombine(
    trees: Sequence[SourceTree],
    seeds: Sequence[str],
    weights: Mapping[str, float] | None,
    learned: Learned,
) -> list[Proposal]:
    return recombine_in_a_row(
        trees, seeds, weights=weights, learned=learned, timeout_s=RECOMBINE_TIMEOUT_S
    )


async def by_model(
    parent: SourceTree,
    evidence: Mapping[str, Any],
    improve: Improve,
    *,
    known: Callable[[SourceTree], str] = lambda _: "",
    tell: Callable[[int, Attempt], None] = lambda *_: None,
    try_out: Try = untried,
) -> Variant:
    """Let the parent's improver ask a model; one more try with the exact error if the edit makes no
    agent: the changes that were made are kept, and only the others are asked for again. And one
    more if the agent fails when it is tried: what mends it is asked for, and takes its place.

    An edit of notes alone, or twice of comments or layout alone or of what is known, is a variant
    all the same: it is recorded, and ends as a duplicate.

    Args:
        known: which agent does the same as a tree, in words; "" where none does.
        tell: hears what came of each answer, by its number from 0.
        try_out: runs an agent for a moment.

    Raises:
        NoVariant: no valid edit in two tries, the improver failed, or no answer could be had.
        SandboxBroken: ours; to be tried again.
    """
    asking = _Asking(parent, evidence, improve, tell)
    first, idle = Attempt(code=dict(parent)), None
    for number in range(2):
        attempt = await asking.once(first, mends=number > 0)
        if attempt.tree is None or attempt.edit is None:
            first = attempt
            continue
        again = _idle(attempt.tree, parent)
        if attempt.tree.fingerprint != parent.fingerprint:
            again = known(attempt.tree)
        if not again:
            return await _tried(asking, attempt, known, try_out)
        idle = Variant(attempt.tree, attempt.edit)
        first = Attempt(again, code=dict(parent))
    if idle is not None:
        return idle
    raise NoVariant(f"the edit was invalid twice; last: {first.problem}")


class _Asking:
    """The questions of one variant; `evidence` is less after one that was too long."""

    def __init__(
        self,
        parent: SourceTree,
        evidence: Mapping[str, Any],
        improve: Improve,
        tell: Callable[[int, Attempt], None],
    ) -> None:
        self.parent = parent
        self._evidence = evidence
        self._improve = improve
        self._tell = tell
        self._number = 0

    async def once(self, first: Attempt, *, mends: bool) -> Attempt:
        """What one answer amounts to, on top of `first` where it is to mend that.

        Raises:
            NoVariant: the improver failed, or no answer could be had.
        """
        shown = {**self._evidence, "code": _shown_code(self._evidence, self.parent, first)}
        try:
            given, self._evidence = await _improved(shown, first.problem, self._improve)
        except ImproverFailed as error:
            raise NoVariant(f"the improver failed: {error}") from None
        except AskRefused as error:
            before = f"; the edit before that was invalid: {first.problem}" if first.problem else ""
            raise NoVariant(f"{error}{before}", refused=error) from None
        attempt = go_on(self.parent, first, given) if mends else begin(self.parent, given)
        self._tell(self._number, attempt)
        self._number += 1
        return attempt


async def _tried(
    asking: _Asking, attempt: Attempt, known: Callable[[SourceTree], str], try_out: Try
) -> Variant:
    """The variant of an attempt; where it fails when it is tried, of what mends it. What mends
    nothing (no valid edit, a known agent, no answer) leaves it as it was: the smoke stage says so.

    Raises:
        NoVariant: the endpoint is down, or no question can be answered at all.
    """
    tree, edit = attempt.tree, attempt.edit
    assert tree is not None and edit is not None
    problem = await try_out(0, tree)
    if not problem:
        return Variant(tree, edit)
    try:
        second = await asking.once(replace(attempt, problem=problem), mends=True)
    except NoVariant as reason:
        if reason.down or reason.misconfigured:
            raise
        return Variant(tree, edit)
    if second.tree is None or second.edit is None or second.tree == tree:
        return Variant(tree, edit)
    if second.tree.fingerprint == asking.parent.fingerprint or known(second.tree):
        return Variant(tree, edit)
    await try_out(1, second.tree)
    return Variant(second.tree, second.edit)


def _idle(tree: SourceTree, parent: SourceTree) -> str:
    """Why a tree is not worth judging, in words for a model; "" where it may be."""
    if tree.fingerprint != parent.fingerprint or tree.get(NOTES) != parent.get(NOTES):
        return ""
    return "the edit changes nothing but comments or formatting"


def _shown_code(
    evidence: Mapping[str, Any], parent: SourceTree, attempt: Attempt
) -> dict[str, str]:
    """The code that is shown: with what was made of it, without what was left out before."""
    before = evidence.get("code", {})
    hidden = {path for path in parent if path not in before}
    return {path: text for path, text in attempt.code.items() if path not in hidden}


async def _improved(
    evidence: Mapping[str, Any], problem: str, improve: Improve
) -> tuple[Any, Mapping[str, Any]]:
    """The improver's edit, and the evidence it was made of: less where a question would be too long
    for the model."""
    error = {"error": problem} if problem else {}
    for left_out in LEFT_OUT:
        try:
            return await improve({**evidence, **error}), evidence
        except TooLong:
            evidence = {name: value for name, value in evidence.items() if name not in left_out}
    evidence = {**evidence, "code": _without_improver(evidence["code"])}
    return await improve({**evidence, **error}), evidence


def _without_improver(code: Mapping[str, str]) -> dict[str, str]:
    return {path: text for path, text in code.items() if path != IMPROVER}


__all__ = ["NoVariant", "SandboxBroken", "Variant", "by_model", "by_recombination"]
