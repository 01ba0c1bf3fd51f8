"""What `cambrian run` ends with: the tree, the champion, what made it better."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.cli.render.output import heading, say
from cambrian.cli.render.text import difference, interval, line, short
from cambrian.cli.status import show_status
from cambrian.cli.tree import lines
from cambrian.reports.tree import whole

if TYPE_CHECKING:
    from cambrian.archive import Archive
    from cambrian.reports.run import Step

LONGEST = 40
"""Lines of the tree that a summary shows."""


def show_summary(archive: Archive, found: dict[str, Any]) -> None:
    """Everything for people; `found` is what `status` says."""
    _show_tree(archive)
    _show_path(archive)
    heading("The run")
    show_status(found)


def _show_tree(archive: Archive) -> None:
    heading("The tree")
    roots, below = whole(archive)
    drawn = lines(archive, roots, below)
    for row in drawn[:LONGEST]:
        say(row)
    if len(drawn) > LONGEST:
        say(f"... {len(drawn) - LONGEST} more: cambrian tree")


def _show_path(archive: Archive) -> None:
    heading("What made the champion better: its path from its seed")
    from cambrian.reports.run import champions_path

    path = champions_path(archive)
    if not path:
        say("no agent has been scored yet")
    for step in path:
        for row in _step_lines(step):
            say(row)


def _step_lines(step: Step) -> list[str]:
    agent = step.agent
    kind = (agent.kind or agent.status).replace("_", " ")
    score = interval(agent.score, agent.lower, agent.upper)
    rows = [f"#{agent.number} {short(agent.id)}  {kind}  {score}  {line(agent.title)}"]
    if step.other is not None:
        rows.append(f"    crossed with #{step.other.number} {line(step.other.title)}")
    if step.gain is not None:
        gained = difference(step.gain.value, step.gain.lower, step.gain.upper)
        rows.append(f"    against its parent, paired: {gained}")
    return rows
