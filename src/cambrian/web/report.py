"""An archive as one HTML file to send to somebody: nothing in it is loaded, and nothing runs."""

from __future__ import annotations

import time
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from cambrian.archive import unified_diff
from cambrian.reports.live.feed import snapshot
from cambrian.reports.live.lines import headline
from cambrian.reports.mechanisms import uses
from cambrian.reports.run import champions_path
from cambrian.reports.status import status
from cambrian.reports.times import when
from cambrian.web.drawings import DRAWINGS
from cambrian.web.words import environment

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.reports.run import Step

LONGEST_DIFF = 12_000
"""Characters of one diff that are shown."""
WORST = 6
"""Of the families on which the champion does worst, so many are named."""

_EVALUATIONS = """
SELECT benchmark, version, avg(score) AS mean, count(*) AS seeds FROM evaluations
WHERE agent_id = ? AND verdict = 'scored' AND stage IN ('screen', 'full')
GROUP BY benchmark, version ORDER BY mean LIMIT ?
"""


def content(archive: Archive) -> dict[str, Any]:
    """All that the report says, as JSON: counts, champion, lineage with diffs, sealed scores,
    worst families, nulls, costs, mechanisms, plateau, and how to repeat it."""
    found, state = status(archive), snapshot(archive)
    champion = found["champion"]
    worst = []
    if champion is not None:
        worst = archive.database.rows(_EVALUATIONS, (champion["id"], WORST))
    return {
        **found,
        "archive": archive.path.name,
        "headline": headline(state, time.time()),
        "last_event": when(state.at),
        "lineage": [_step(archive, step) for step in champions_path(archive)],
        "worst": worst,
        "mechanisms": sorted(
            ({"name": name, **vars(use)} for name, use in uses(archive).items()),
            key=lambda row: (-row["admitted"], row["name"]),
        ),
        "funnel": _funnel(found),
        "rerun": _rerun(found),
        "as_of": when(time.time()),
    }


def html(archive: Archive) -> str:
    """The report as one HTML document: styles and drawings inside, no script, no address."""
    made = environment()
    made.globals |= DRAWINGS
    style = resources.files("cambrian.web").joinpath("static/report.css").read_text("utf-8")
    return made.get_template("report.html").render(d=content(archive), style=Markup(style))  # noqa: S704 - ours


def _step(archive: Archive, step: Step) -> dict[str, Any]:
    told, parents = step.to_json(), step.agent.parents
    text = ""
    if parents:
        text = unified_diff(archive.agents.files(parents[0]), archive.agents.files(step.agent.id))
    rest = len(text) - LONGEST_DIFF
    return {**told, "diff": text[:LONGEST_DIFF], "more": max(0, rest)}


def _funnel(found: dict[str, Any]) -> list[dict[str, Any]]:
    """From proposals to members: name, count."""
    fallen = ("duplicate", "invalid", "failed_smoke", "parked")
    steps = [
        ("proposed", found["proposals"]),
        ("left before the screen", sum(found[name] for name in fallen)),
        ("judged", found["judged"]),
        ("rejected", found["rejected"]),
        ("admitted", found["admitted"]),
    ]
    return [{"name": name, "count": count} for name, count in steps]


def _rerun(found: dict[str, Any]) -> str | None:
    """The command that starts the same search; None where nothing was run."""
    run = found["run"]
    if run is None:
        return None
    settings = run["settings"]
    parts = ["cambrian --archive NEW run", f"--seed {run['seed']}"]
    names = ("suite", "proposals", "hours", "rewriter", "selection", "admission", "workers")
    for name in names:
        value = settings.get(name)
        if value is not None:
            parts.append(f"--{name} {value}")
    return " ".join(parts)
