"""What an improver is shown: code, scores with intervals, failures, what was tried. Never a
sealed score, and nothing that was decided later than its proposal may see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cambrian.agents.catalogue import catalogue, mechanism
from cambrian.agents.reach import closure
from cambrian.agents.tree import LEARNER
from cambrian.archive import Agent, Archive, Proposal
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.calibration import ALLOWANCE, calibration
from cambrian.evolution.admission.records import results_of
from cambrian.evolution.plateau import plateau
from cambrian.evolution.rewriting.deltas import Ledger
from cambrian.evolution.rewriting.learning import by_kind, clean, costs, curves
from cambrian.evolution.rewriting.room import fit
from cambrian.evolution.settings import EVIDENCE_TOKENS

CARDS_SHOWN, CARDS_BY_GAIN, CARDS_UNTRIED = 6, 2, 2
HISTORY_SHOWN, ELSEWHERE_SHOWN = 20, 12
FAILURES_SHOWN = 5

_SKELETON = re.compile(r'^SKELETON = "(\w+)"', re.MULTILINE)

RULES = f"""\
learner.py must define a class Learner(spec, *, seed, device) with observe(x, y, task=None) and
predict(x, task=None) -> (B, outputs), and may define task_boundary() and, where spec.support is
above 0, adapt(x, y, steps=None) -> a fitted copy, and new_episode(). Only the standard library,
numpy, torch, cambrian.agents.contract and cambrian.agents.part (the hooks of parts) can be
imported, and modules of the agent itself as parts.NAME. At most 64 files and 128 KiB of text, no
literal over 4 KiB. A learner may spend at most {ALLOWANCE} times the floating point operations and
bytes of state of a simple reference, experience replay for streams (spec.flops,
spec.memory_bytes). The streams permute labels by seed; nothing tells them apart.
An example of a whole learner, which predicts the commonest label so far:

    import torch
    from cambrian.agents.contract import Learner as Base

    class Learner(Base):
        def observe(self, x, y, task=None):
            new = torch.bincount(y, minlength=self.spec.outputs)
            self.counts = new + getattr(self, "counts", 0)

        def predict(self, x, task=None):
            return self.counts.float().expand(len(x), -1)"""


def evidence(
    archive: Archive,
    proposal: Proposal,
    benchmarks: Sequence[str],
    weights: Mapping[str, float] | None = None,
    tried: Mapping[str, int] | None = None,
    tokens: int = EVIDENCE_TOKENS,
) -> dict[str, Any]:
    """The evidence for rewriting a proposal's first parent, as a JSON object of at most `tokens`
    tokens (`room.fit`); `cut` says what was left out.

    Args:
        weights: what the archive has learned of mechanisms (`experience.Experience.weights`).
        tried: how often each was tried.
    """
    parent = proposal.parents[0]
    champion = archive.agents.champion(proposal.seen_through)
    agent = archive.agents.get(parent)
    shown = {"parent": parent, "champion": parent if champion is None else champion.id}
    if agent.parents and archive.agents.get(agent.parents[0]).score is not None:
        shown["grandparent"] = agent.parents[0]
    # As decided by then, whatever has been recorded since.
    children = archive.agents.children_through(parent, proposal.seen_through, HISTORY_SHOWN)
    code = dict(archive.agents.files(parent))
    ledger = Ledger(archive, proposal.seen_through)
    rows = archive.evaluations.of(parent)
    line = [parent, *archive.agents.ancestors(parent)]
    shown_cards = cards(code, proposal.idx, weights or {}, tried)
    found = {
        "code": code,
        "scores": {name: _scores(archive, who, benchmarks) for name, who in shown.items()},
        "benchmarks": {name: _benchmark(name) for name in benchmarks},
        "failures": _failures(archive, children, benchmarks),
        "kinds": {
            name: by_kind(results_of(archive, who), benchmarks) for name, who in shown.items()
        },
        "curves": curves(archive, rows, benchmarks),
        "costs": costs(rows, benchmarks),
        "contributions": ledger.contributions(code),
        "history": ledger.of(line, HISTORY_SHOWN),
        "elsewhere": ledger.elsewhere(line, ELSEWHERE_SHOWN),
        "cards": [mechanism(name).to_json() for name in shown_cards],
        "other": _other(archive, proposal, benchmarks),
        "progress": _progress(archive, proposal),
        "rules": RULES,
    }
    return fit(found, tokens)


def _other(archive: Archive, proposal: Proposal, benchmarks: Sequence[str]) -> dict[str, Any]:
    """The second parent, where one was drawn: its title, its scores, its learner and parts."""
    if proposal.rewriter != "model" or len(proposal.parents) < 2:
        return {}
    agent = archive.agents.get(proposal.parents[1])
    code = archive.agents.files(agent.id)
    return {
        "title": agent.title,
        "scores": _scores(archive, agent.id, benchmarks),
        "code": {path: code[path] for path in closure(code, [LEARNER]).paths},
    }


def _progress(archive: Archive, proposal: Proposal) -> str:
    """Whether the run still found anything, as decided by then: "rising", "flat", "exhausted"."""
    return plateau(archive, archive.runs.get(proposal.run_id), proposal.seen_through)


def _scores(archive: Archive, agent_id: str, benchmarks: Sequence[str]) -> dict[str, Any]:
    """Per benchmark the normalised score with its interval and the metrics' means."""
    results = results_of(archive, agent_id)
    found: dict[str, Any] = {}
    for name in benchmarks:
        estimate = results.estimate([name], results.search)
        found[name] = {
            "score": round(estimate.mean, 4),
            "lower": round(estimate.lower, 4),
            "upper": round(estimate.upper, 4),
            "metrics": results.mean_metrics(name, results.search),
        }
    return found


def _benchmark(name: str) -> dict[str, Any]:
    bench = benchmark(name)
    measure = calibration(bench)
    return {
        "task": bench.card.task,
        "floor": measure.floor,
        "ceiling": measure.ceiling,
        "flops_allowed": measure.flops_allowed,
        "state_bytes_allowed": measure.state_allowed,
    }


def _failures(
    archive: Archive, children: Sequence[Agent], benchmarks: Sequence[str]
) -> list[dict[str, str]]:
    """How the parent's rejected children failed to run, on the benchmarks of this search."""
    found = [
        {"title": child.title, "reason": clean(row.reason)}
        for child in children
        for row in archive.evaluations.known(child.id)
        if row.verdict == "failed" and row.benchmark in benchmarks
    ]
    return found[-FAILURES_SHOWN:]


def cards(
    code: Mapping[str, str],
    index: int,
    weights: Mapping[str, float],
    tried: Mapping[str, int] | None = None,
) -> list[str]:
    """The mechanisms whose cards are shown for proposal `index`, by name.

    First those that the parent lacks: the `CARDS_BY_GAIN` that paid best so far, the
    `CARDS_UNTRIED` that were tried least (where `tried` says how often), and others in turns, so
    that each is shown every few proposals. What the parent has only fills up. What is for another
    skeleton than the parent's is left out.
    """
    given = _SKELETON.search(code.get(LEARNER, ""))
    skeleton = given[1] if given else "stream"
    everything = [name for name, m in catalogue().items() if skeleton in m.card["skeletons"]]
    lacking = [name for name in everything if f"parts/{name}.py" not in code]
    best = sorted(lacking, key=lambda name: (-weights.get(name, 1.0), name))[:CARDS_BY_GAIN]
    best = best if weights else []
    if tried is not None:
        rest = [name for name in lacking if name not in best]
        rest = rest[index % max(1, len(rest)) :] + rest[: index % max(1, len(rest))]
        best += sorted(rest, key=lambda name: tried.get(name, 0))[:CARDS_UNTRIED]
    chosen = best + _in_turns(
        [name for name in lacking if name not in best], CARDS_SHOWN - len(best), index
    )
    has = [name for name in everything if name not in lacking]
    return chosen + _in_turns(has, CARDS_SHOWN - len(chosen), index)


def _in_turns(names: Sequence[str], count: int, index: int) -> list[str]:
    """`count` of them (all where there are fewer), going on where the last proposal stopped."""
    count = min(count, len(names))
    return [names[(index * count + at) % len(names)] for at in range(count)]
