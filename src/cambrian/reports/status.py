"""Where a run stands: counts, limits, champion, sealed scores, spend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.reports.nulls import null_controls

if TYPE_CHECKING:
    from cambrian.archive import Agent, Archive

STATES = ("judged", "admitted", "rejected", "duplicate", "invalid", "failed_smoke", "parked")
"""What proposals are counted by."""


def status(
    archive: Archive, control: Archive | None = None, live: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Where the last run stands, the champion, and what the sealed streams say, as JSON.

    Args:
        control: the control's archive, if it was run.
        live: what the process that carries the run on says of itself (`status` of
            `daemon.socket.ask`); None without an answer.
    """
    counts = archive.counts()
    sealed, beside = _sealed(archive, control)
    return {
        "archive": str(archive.path),
        **{state: counts[state] for state in STATES},
        "proposals": counts["proposals"],
        "agents": counts["agents"],
        "members": counts["members"],
        "failed_seeds": _failed_seeds(archive),
        "evaluations": counts["evaluations_scored"] + counts["evaluations_failed"],
        "evaluations_broken": counts["evaluations_broken"],
        "sealed_evaluations": counts["sealed_evaluations_scored"],
        "wall_s": _wall_s(archive),
        **_run(archive),
        "running": archive.lock_holder(),
        **_steered(archive, live),
        "nulls": null_controls(archive),
        "progress": _progress(archive),
        "champion": _champion(archive.champion()),
        "sealed": sealed,
        "control": beside,
        "spend": vars(archive.ledger.total()),
    }


def _failed_seeds(archive: Archive) -> list[dict[str, Any]]:
    """Seed agents that failed, and so are no parents: no agent descends from them."""
    return [
        {
            "id": row.agent_id,
            "title": archive.agents.get(row.agent_id).title,
            "benchmark": row.benchmark,
            "reason": row.reason,
        }
        for row in archive.evaluations.failures_of_seeds()
    ]


def _run(archive: Archive) -> dict[str, Any]:
    """The last run: one that never ended, though no process carries it on, was killed."""
    run = archive.runs.last()
    if run is None:
        return {"state": None, "run": None}
    killed = run.state == "running" and archive.lock_holder() is None
    settings = dict(run.settings)
    return {
        "state": "interrupted" if killed else run.state,
        "run": {
            "id": run.id,
            "seed": run.seed,
            "first_proposal": run.first_proposal,
            "version": run.version,
            "settings": settings,
        },
    }


def _steered(archive: Archive, live: dict[str, Any] | None) -> dict[str, Any]:
    """How the last run is steered: its limits, pauses and what waits for a person."""
    run = archive.runs.last()
    if run is None:
        return {"budget": [], "paused": {}, "approvals": 0, "daemon": None}
    from cambrian.evolution.budget import Budget

    orders = archive.steering.orders(run.id)
    asked = {"asked": "by request"} if orders.get("paused") else {}
    standings = Budget(archive, run, run.settings).standings(run.wall_s)
    return {
        "budget": [one.to_json() for one in standings],
        "paused": asked if live is None else live["paused"],
        "approvals": len(archive.steering.waiting()),
        "daemon": live,
    }


def _progress(archive: Archive) -> dict[str, Any] | None:
    """Whether the last run still finds anything; None before it has judged a variant."""
    run = archive.runs.last()
    if run is None or not archive.counts()["judged"]:
        return None
    # Imported late: the rule needs SciPy, which takes more than a second to import.
    from cambrian.evolution.plateau import look

    return look(archive, run).to_json()


def _wall_s(archive: Archive) -> float:
    """Seconds of all runs together."""
    return float(archive.database.value("SELECT ifnull(sum(wall_s), 0.0) FROM runs"))


def _champion(agent: Agent | None) -> dict[str, Any] | None:
    if agent is None:
        return None
    names = ("id", "title", "number", "kind", "depth", "score", "lower", "upper")
    return {name: getattr(agent, name) for name in names}


def _sealed(
    archive: Archive, control: Archive | None
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The sealed table, and the control beside it."""
    beside = None if control is None else _control_counts(control)
    if not archive.evaluations.sealed_agents():
        nothing = dict.fromkeys(("streams", "champion", "gaps", "looks"))
        return {**nothing, "agents": []}, beside
    # Imported late: the intervals need SciPy, which takes more than a second to import.
    from cambrian.reports.run import control_report, sealed_report
    from cambrian.reports.scores.gaps import gap_report

    report, gaps = sealed_report(archive), gap_report(archive)
    if control is not None and beside is not None:
        beside |= {"sealed": control_report(report, control).to_json()}
    looks = archive.sealings.looks()
    used = {"looks": {**vars(looks), "text": str(looks)}}
    return {**report.to_json(), "gaps": gaps and gaps.to_json(), **used}, beside


def _control_counts(control: Archive) -> dict[str, Any]:
    counts = control.counts()
    return {
        **{state: counts[state] for state in STATES},
        "wall_s": _wall_s(control),
        "state": _run(control)["state"],
        "champion": _champion(control.champion()),
        "sealed": {},
    }
