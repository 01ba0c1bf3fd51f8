"""A real run that was recorded, replayed: nothing is run, and no archive is needed.

The recording is the log of a run of ten minutes (docs/terminal.md), with its agents. It is marked
as a replay wherever it is shown.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from cambrian.cli.render.text import interval, number, signed
from cambrian.cli.terminal.source import MOST, Node, gate_lines, label, shown
from cambrian.errors import Refused
from cambrian.reports.live.lines import clip
from cambrian.reports.live.state import State, reduce
from cambrian.text import short

FILE = "recorded_run.json.gz"


@dataclass(frozen=True)
class Recorded:
    """An event of a recording: what `state.Told` asks for."""

    seq: int
    at: float
    kind: str
    agent_id: str | None = None
    proposal_id: int | None = None
    job_id: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@cache
def recording() -> dict[str, Any]:
    """The run that comes with Cambrian: `what`, `version`, `agents` and `events`."""
    packed = resources.files("cambrian.cli.terminal").joinpath(FILE).read_bytes()
    found: dict[str, Any] = json.loads(gzip.decompress(packed))
    return found


def events() -> list[Recorded]:
    """Its events, oldest first."""
    return [Recorded(*row) for row in recording()["events"]]


class Replay:
    """A source (`source.Source`) that plays the recording, `speed` times as fast as it was.

    Args:
        clock: seconds, from anywhere.
    """

    replay = True

    def __init__(self, speed: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = "REPLAY"
        self._events, self._agents = events(), {a["id"]: a for a in recording()["agents"]}
        self._speed, self._clock, self._begun = speed, clock, clock()
        self._next = 0
        self._state = State()
        self.fresh: list[Recorded] = []

    @property
    def ended(self) -> bool:
        """Whether the last event was played."""
        return self._next >= len(self._events)

    def look(self) -> tuple[State, float]:
        """Every event up to the recorded moment that it is now; `fresh` are those of this look."""
        self.fresh = []
        now = self._events[0].at + (self._clock() - self._begun) * self._speed
        while not self.ended and self._events[self._next].at <= now:
            self.fresh.append(self._events[self._next])
            self._state = reduce(self._state, self.fresh[-1])
            self._next += 1
        now = min(now, self._events[-1].at)
        return self._named(self._state), now

    def _named(self, state: State) -> State:
        """The champion by number and title, which no event tells."""
        best = state.best
        if best is None:
            return state
        for one in self._agents.values():
            by_proposal = best.proposal is not None and one["proposal"] == best.proposal
            if one["id"] == best.agent or by_proposal:
                told = replace(best, agent=one["id"], number=one["number"], title=one["title"])
                return replace(state, best=told)
        return state

    def below(self, agent_id: str | None) -> Sequence[Node]:
        """Those that were in the tree by now."""
        return [self._node(one) for one in self._known() if one["parent"] == agent_id][:MOST]

    def find(self, text: str) -> Sequence[Node]:
        """Those whose title has the text, or whose id or number it is."""
        wanted = text.lower()
        return [
            self._node(one)
            for one in self._known()
            if wanted in one["title"].lower()
            or one["id"].startswith(wanted)
            or f"#{one['number']}" == wanted
        ][:MOST]

    def _known(self) -> list[dict[str, Any]]:
        return [one for one in self._agents.values() if one["seq"] <= self._state.seq]

    def _node(self, one: dict[str, Any]) -> Node:
        opens = any(other["parent"] == one["id"] for other in self._known())
        return Node(one["id"], label(one), opens)

    def about(self, agent_id: str, what: str) -> str:
        """From the recording."""
        one = self._agents[agent_id]
        if what == "diff":
            return shown(one["diff"]) or "A seed agent: it has no parent to differ from."
        if what == "why":
            return gate_lines(one["gates"])
        if what == "compare":
            return self._compare(one)
        score = interval(one["score"], one["lower"], one["upper"])
        means = [f"{number(mean):>7}  {clip(name, 40)}" for name, mean in one["means"].items()]
        head = f"#{one['number']} {short(agent_id)} {one['kind'] or 'seed'}".replace("_", " ")
        title, why = clip(one["title"], 300), clip(one["hypothesis"], 2000)
        return "\n".join([head, f"score {score}", "", title, why, "", *means])

    def _compare(self, one: dict[str, Any]) -> str:
        best = self._named(self._state).best
        if best is None or best.agent is None:
            return "There is no champion yet to compare with."
        others = self._agents[best.agent]["means"]
        rows = [f"beside the champion, #{best.number}", "   this    best    diff"]
        for name, mean in one["means"].items():
            other = others.get(name)
            gap = None if other is None else mean - other
            rows.append(f"{number(mean):>7} {number(other):>7} {signed(gap):>7}  {clip(name, 40)}")
        return "\n".join([*rows, "", "Means over the seeds that each was run on; no test."])

    def ask(self, verb: str, arguments: dict[str, Any]) -> str:
        """Nothing can be asked of a recording.

        Raises:
            Refused: always.
        """
        raise Refused(f"this is a replay of a recorded run: it cannot {verb}")
