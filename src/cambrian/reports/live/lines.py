"""The state in plain lines: safe on any terminal, and where there is none."""

from __future__ import annotations

from cambrian.reports.live.state import State, Told, alive
from cambrian.text import line, short

LONGEST = 160
"""Characters of a line."""


def headline(state: State, now: float) -> str:
    """Whether it is alive, with the age of the last sign of life."""
    age = "no sign of life yet" if state.at is None else f"last event {span(now - state.at)} ago"
    at_work = f"{len(state.jobs)} at work, {state.queued} queued"
    return f"{alive(state, now)}: {age}; {at_work}"


def counts(state: State) -> str:
    """The proposals as a funnel."""
    ends = state.ends
    return (
        f"{state.opened} proposed, {state.judged} judged: {ends.get('admitted', 0)} admitted, "
        f"{ends.get('rejected', 0)} rejected; {state.unjudged} not judged"
    )


def champion(state: State) -> str:
    """The champion with its interval, and how long it has been the best."""
    best = state.best
    if best is None or best.score is None:
        return "champion: none yet"
    name = f"#{best.number}" if best.number is not None else f"of proposal {best.proposal}"
    if best.number is None and best.proposal is None:
        name = f"{short(best.agent or '?')}, a seed agent"
    bounds = ""
    if best.lower is not None and best.upper is not None:
        bounds = f" [{best.lower:.3f}, {best.upper:.3f}]"
    since = "" if state.since_best is None else f"; {state.since_best} judged since"
    title = f"; {clip(best.title)}" if best.title else ""
    return clip(f"champion: {name} {best.score:.3f}{bounds}{since}{title}")


def spend(state: State) -> str:
    """What models cost: unknown where it is not known."""
    told = state.standing
    if told.tokens is None:
        return "models: none asked" if told.alive is not None else "models: cost unknown"
    dollars = "cost unknown" if told.dollars is None else f"${told.dollars:.2f}"
    return f"models: {dollars}, {told.tokens:,} tokens"


def limits(state: State) -> list[str]:
    """The limits: used, of how much, and the time left at this pace while it runs."""
    told = []
    for one in state.standing.limits:
        used = f"{one.name.replace('_', ' ')} {one.spent:.4g} of {one.limit:.4g}"
        left = "time left unknown" if one.left_s is None else f"about {span(one.left_s)} left"
        told.append(f"{used}, {left}" if state.word == "running" else used)
    return told


def event(one: Told) -> str:
    """An event in a line of its own, its text made safe and bounded."""
    whose = short(one.agent_id) if one.agent_id else ""
    if not whose and one.proposal_id is not None:
        whose = f"proposal {one.proposal_id}"
    values = [
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {clip(value, 60)}"
        for name, value in one.data.items()
        if value is not None
    ]
    parts = [clip(one.kind, 40).replace(".", " "), whose, ", ".join(values)]
    return clip(" · ".join(part for part in parts if part))


def lines(state: State, now: float) -> list[str]:
    """The whole state, as lines of at most `LONGEST` characters."""
    told = [headline(state, now), counts(state), champion(state), spend(state)]
    return [*told, *(f"limit: {one}" for one in limits(state))]


def span(seconds: float) -> str:
    """Seconds as people say them: "40 s", "9 min", "2 h 05 min"."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def clip(text: object, length: int = LONGEST) -> str:
    """Untrusted text as one safe line of at most `length` characters."""
    whole = line(str(text)[: 4 * length])
    return whole if len(whole) <= length else whole[: length - 1] + "…"
