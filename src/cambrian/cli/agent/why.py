"""`cambrian agent why` and `cambrian agent lineage`: how an agent came to be what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.drawing import draw
from cambrian.cli.render.output import heading, say, show_fields, show_json, show_list, show_table
from cambrian.cli.render.text import indented, interval, line, number, short
from cambrian.cli.tree import label
from cambrian.reports.agent.decisions import Decision, ancestry, decision_on
from cambrian.reports.agent.improver import ImproverChange, improver_change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cambrian.archive import Agent, Archive, Gate
    from cambrian.archive.questions import Question
    from cambrian.archive.trials import Trial


@click.command(
    epilog=examples("cambrian agent why @best", "cambrian agent why --proposal 17 --prompt")
)
@click.argument("agent_id", metavar="ID", required=False)
@click.option(
    "--proposal",
    "index",
    type=click.IntRange(min=0),
    metavar="K",
    help="Proposal K instead (they are numbered from 0): for those that made no agent, too.",
)
@click.option("--prompt", is_flag=True, help="Show what the model was asked, as delivered.")
@json_option
@common
@click.pass_obj
def why(
    shared: Shared, agent_id: str | None, index: int | None, prompt: bool, as_json: bool
) -> None:
    """Explain a decision: each gate's rule, threshold, value and verdict.

    Name an agent by ID, admitted or rejected, or a proposal by its number. Of a model's proposal it
    says too what was left out of the evidence for want of room, how its trials ended, and, apart,
    what it changed in the agent's improver.
    """
    with shared.reading() as archive:
        found = decision_on(archive, agent_id, proposal=index)
        asked = archive.questions.of(found.proposal.id) if found.proposal else []
        trials = archive.trials.of(found.proposal.id) if found.proposal else []
        improver = improver_change(archive, found)
    if as_json:
        questions = [vars(one) for one in asked] if prompt else [_brief(one) for one in asked]
        more = {
            "questions": questions,
            "trials": [vars(one) for one in trials],
            "improver": improver and vars(improver),
        }
        show_json({**found.to_json(), **{name: one for name, one in more.items() if one}})
    else:
        _show(found)
        _show_improver(improver)
        _show_trials(trials)
        _show_questions(asked, whole=prompt)


def _brief(question: Question) -> dict[str, Any]:
    characters = sum(len(one["content"]) for one in question.messages)
    return {"position": question.position, "characters": characters, "cut": list(question.cut)}


def _show_questions(asked: Sequence[Question], *, whole: bool) -> None:
    for question in asked:
        brief = _brief(question)
        heading(f"Question {question.position + 1}: {brief['characters']} characters")
        for one in question.cut:
            say(line(f"left out: {one.get('section', '?')}: {one.get('what', '')}"))
        for message in question.messages if whole else ():
            say(f"{line(message['role'])}:")
            say(indented(message["content"]))


def _show_trials(trials: Sequence[Trial]) -> None:
    if not trials:
        return
    heading("Trials, before the variant was recorded")
    for trial in trials:
        say(line(f"{short(trial.identity)}: {'failed' if trial.problem else 'ran'}"))
        if trial.problem:
            say(indented(trial.problem))


def _show_improver(change: ImproverChange | None) -> None:
    if change is None:
        return
    heading("The improver was changed")
    say(line(f"from {short(change.before)} to {short(change.after)}; files: {change.files}"))
    say(indented(change.diff))


def _show(found: Decision) -> None:
    agent, proposal, gates = found.agent, found.proposal, found.gates
    title = proposal.title if proposal and proposal.title else agent.title if agent else ""
    hypothesis = proposal.hypothesis if proposal else None
    show_fields(
        {
            "agent": agent and f"#{agent.number or '?'} {short(agent.id)}",
            "title": title,
            "hypothesis": hypothesis,
            "proposal": proposal and f"{proposal.idx}, by {proposal.rewriter}",
            "parents": proposal and ", ".join(map(short, proposal.parents)),
            "decision": found.text,
            "by the suite": found.suite and f"{found.suite.label}, which is not the current one",
        }
    )
    if not gates:
        return
    heading("Gates, in the order they were passed")
    rows = [[g.gate, g.verdict, _value(g), number(g.threshold), g.rule] for g in gates]
    show_table(["gate", "verdict", "value [lower, upper]", "threshold", "rule"], rows)
    for gate in gates:
        if gate.detail:
            say(f"{line(gate.gate)}:")
            say(indented(gate.detail))


def _value(gate: Gate) -> str:
    return interval(gate.value, gate.lower, gate.upper)


@click.command(epilog=examples("cambrian agent lineage @best"))
@click.argument("agent_id", metavar="ID")
@json_option
@common
@click.pass_obj
def lineage(shared: Shared, agent_id: str, as_json: bool) -> None:
    """Show the ancestors of the agent ID, over both parents, to the seeds.

    An ancestor that is reached twice is drawn with its own ancestors only once.
    """
    with shared.reading() as archive:
        agent = archive.agents.get(archive.resolve(agent_id))
        if as_json:
            show_list(ancestry(archive, agent.id))
            return
        for row in _drawn(archive, agent):
            say(row)


def _drawn(archive: Archive, agent: Agent) -> list[str]:
    seen: set[str] = set()

    def parents(below: tuple[str, Agent]) -> list[tuple[str, Agent]]:
        _, one = below
        if one.id in seen:
            return []
        seen.add(one.id)
        return list(zip(("parent", "second parent"), archive.agents.parents(one.id), strict=False))

    rows = []
    for row in draw([("", agent)], parents):
        role, one = row.node
        rows.append(row.branch + (f"{role}: " if role else "") + label(archive, one))
    return rows
