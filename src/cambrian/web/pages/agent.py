"""One agent: what was hypothesised, what was measured, how it was decided, its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cambrian.evolution.admission.thresholds import ADMISSIONS
from cambrian.reports.agent.decisions import decision_on
from cambrian.reports.agents import agent_json, allowed
from cambrian.reports.scores.changes import changes
from cambrian.reports.scores.pairs import COUNTED, card, means, paired, table

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive, Evaluation, Gate, Proposal

POINTS = 400
"""A curve has so many points at most; a longer one is thinned."""
CHILDREN = 60
BEFORE = ("screen", "improver")
"""The gates that lie before those of the rule of admission."""


def read(archive: Archive, ask: Mapping[str, str]) -> dict[str, Any]:
    """Everything about the agent `ref`.

    Raises:
        NotFound, UsageError: there is no such agent, or several.
    """
    agent = archive.agents.get(archive.resolve(ask["ref"]))
    decision = decision_on(archive, agent.id)
    proposal = decision.proposal
    rows = archive.evaluations.of(agent.id, include_broken=True)
    files = archive.agents.files(agent.id)
    parents = [archive.agents.get(one) for one in agent.parents]
    before = archive.agents.files(parents[0].id) if parents else {}
    children = archive.agents.children(agent.id, members_only=False)
    return {
        "agent": agent_json(agent, proposal.reason if proposal else None),
        "decision": decision.text,
        "prediction": _prediction(archive, agent, proposal, decision.gates),
        "gates": _ledger(archive, agent, decision.gates),
        "parents": [card(one) for one in parents],
        "children": [card(one) for one in children[:CHILDREN]],
        "children_left_out": max(0, len(children) - CHILDREN),
        "line": [card(one) for one in reversed(archive.agents.line(agent.id))][-60:],
        "beside": _beside(archive, agent, parents),
        "costs": _costs(archive, agent, rows),
        "failures": [
            {
                name: getattr(row, name)
                for name in ("benchmark", "stage", "seed", "verdict", "reason")
            }
            for row in rows
            if row.verdict != "scored"
        ],
        **_series(archive, rows),
        "files": files,
        "diff": changes(before, files) if parents else "",
    }


def _prediction(
    archive: Archive, agent: Agent, proposal: Proposal | None, gates: Sequence[Gate]
) -> dict[str, Any]:
    """What was predicted beside what was measured, paired against the parent."""
    gate = next((gate for gate in gates if gate.gate == "improvement"), None)
    measured = gate and {"mean": gate.value, "lower": gate.lower, "upper": gate.upper}
    return {
        "hypothesis": agent.hypothesis,
        "predicted": proposal and proposal.predicted_gain,
        "confidence": proposal and proposal.confidence,
        "measured": measured,
        "rewriter": proposal and proposal.rewriter,
    }


def _ledger(archive: Archive, agent: Agent, gates: Sequence[Gate]) -> list[dict[str, Any]]:
    """Every gate in order: those that were looked at, then those that it never came to."""
    rows = [asdict(gate) for gate in gates]
    if agent.proposal_id is None:
        return rows
    run = None if agent.run_id is None else archive.runs.get(agent.run_id)
    rule = ADMISSIONS.get(run.settings.get("admission", "")) if run else None
    known = {gate.gate for gate in gates}
    missing = [name for name in (*BEFORE, *(rule.gates if rule else ())) if name not in known]
    empty = dict.fromkeys(("threshold", "value", "lower", "upper"))
    return rows + [
        {"gate": name, "rule": "", "verdict": "not run", "detail": "", **empty} for name in missing
    ]


def _beside(archive: Archive, agent: Agent, parents: Sequence[Agent]) -> dict[str, Any]:
    """The mean on each benchmark with its interval, beside the parent's, the champion's and the
    best seed's; and the paired difference to the parent."""
    seeds = [one for one in archive.agents.seeds() if one.lower is not None]
    best = max(seeds, key=lambda one: one.lower or 0.0, default=None)
    others = {"parent": parents[0] if parents else None, "champion": archive.champion()}
    others["best seed"] = best
    columns = [{"role": "this agent", **card(agent)}]
    tables = [table(archive, agent.id)]
    for role, other in others.items():
        if other is not None and other.id not in {column["id"] for column in columns}:
            columns.append({"role": role, **card(other)})
            tables.append(table(archive, other.id))
    against = None
    if parents:
        its = table(archive, parents[0].id)
        against = paired(tables[0], its, dict(archive.suites.weights()))
    for column, scores in zip(columns, tables, strict=True):
        column["means"] = means(scores)
    return {"columns": columns, "benchmarks": sorted(tables[0]), "against_parent": against}


def _costs(archive: Archive, agent: Agent, rows: Sequence[Evaluation]) -> dict[str, Any]:
    """What it used on each benchmark at most, beside what is allowed; null where it is unknown."""
    names = sorted({row.benchmark for row in rows if row.stage in COUNTED})
    spent = None
    if agent.proposal_id is not None:
        spent = archive.database.row(
            "SELECT count(*) AS calls, sum(prompt_tokens) AS prompt_tokens, "
            "sum(completion_tokens) AS completion_tokens, sum(dollars) AS dollars "
            "FROM spend WHERE proposal_id = ?",
            (agent.proposal_id,),
        )
    return {"benchmarks": [_cost(name, rows) for name in names], "model": spent}


def _cost(name: str, rows: Sequence[Evaluation]) -> dict[str, Any]:
    mine = [row for row in rows if row.benchmark == name and row.stage in COUNTED]

    def most(key: str) -> float | None:
        # Nothing takes no time and no memory: a 0 says that it was not measured.
        return max((v for row in mine if (v := getattr(row, key))), default=None)

    keys = ("flops", "state_bytes", "peak_bytes", "cpu_s", "wall_s")
    return {"benchmark": name, **{key: most(key) for key in keys}, **allowed(name)}


def _series(archive: Archive, rows: Sequence[Evaluation]) -> dict[str, Any]:
    """Curves by benchmark, name and seed, and matrices by benchmark and seed.

    `curves` are lists of [x, values by seed]; of `probes`, whose columns are the task at work and
    the accuracy on each task, the curves of single tasks are made: a stability gap is their dip
    right after a task has changed.
    """
    curves: dict[str, dict[str, dict[str, list[Any]]]] = {}
    matrices: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: (row.benchmark, row.seed)):
        if row.stage not in COUNTED or row.verdict != "scored":
            continue
        for name, values in archive.evaluations.series(row.id).items():
            seed = f"seed {row.seed}"
            if values.ndim == 1 and len(values) > 1:
                curves.setdefault(row.benchmark, {}).setdefault(name, {})[seed] = _thin(values)
            elif name == "probes" and values.ndim == 2 and len(values) > 1:
                tasks = {
                    f"task {at + 1}": _thin(values[:, at + 1]) for at in range(values.shape[1] - 1)
                }
                label = f"accuracy on each task, {seed}"
                curves.setdefault(row.benchmark, {})[label] = {
                    name: each for name, each in tasks.items() if any(v is not None for v in each)
                }
            elif name == "accuracy" and values.ndim == 2 and len(values) > 1:
                table = [[_finite(v) for v in each] for each in values[:40, :40]]
                matrices.append({"benchmark": row.benchmark, "seed": row.seed, "values": table})
    return {"curves": curves, "matrices": matrices}


def _thin(values: np.ndarray) -> list[float | None]:
    """The values (n,), at most `POINTS` of them."""
    if len(values) > POINTS:
        values = values[np.linspace(0, len(values) - 1, POINTS).astype(int)]
    return [_finite(value) for value in values]


def _finite(value: Any) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
