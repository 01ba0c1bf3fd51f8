"""What the terminal draws: a source of states, of the tree, and of texts about an agent."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from cambrian.cli.render.text import block, interval, number, signed
from cambrian.reports.live import feed
from cambrian.reports.live.lines import clip
from cambrian.reports.live.state import State
from cambrian.text import short

if TYPE_CHECKING:
    from cambrian.archive import Archive

MOST = 200
"""Agents that are read at once; a filter finds the others."""
LONGEST = 20_000
"""Characters of a text that are shown."""
MARKS = {"pass": "✓", "fail": "✗"}
"""How a gate ended; anything else was not run."""

_ROWS = """
SELECT a.id, a.number, a.kind, a.title, a.score, a.lower, a.upper,
       EXISTS (SELECT 1 FROM parents c JOIN agents b ON b.id = c.child_id
               WHERE c.parent_id = a.id AND c.position = 0 AND b.status = 'admitted') AS opens
FROM agents a LEFT JOIN parents p ON p.child_id = a.id AND p.position = 0
WHERE a.status IN ('seed', 'admitted') AND {where} ORDER BY a.number LIMIT ?
"""
_MEANS = """
SELECT benchmark, avg(score) AS mean FROM evaluations WHERE agent_id = ? AND verdict = 'scored'
GROUP BY benchmark ORDER BY benchmark
"""


@dataclass(frozen=True)
class Node:
    """An agent in the tree: a safe line, and whether something is below it."""

    id: str
    label: str
    opens: bool


class Source(Protocol):
    """What is drawn. `name` is a safe line, `replay` says that it is a recording."""

    name: str
    replay: bool

    def look(self) -> tuple[State, float]:
        """The state, and the moment that counts as now."""

    def below(self, agent_id: str | None) -> Sequence[Node]:
        """Members right below an agent, or the seeds; `MOST` at most."""

    def find(self, text: str) -> Sequence[Node]:
        """Members whose title, number or id has this text; `MOST` at most."""

    def about(self, agent_id: str, what: str) -> str:
        """A safe text: "details", "diff", "why" or "compare"."""

    def ask(self, verb: str, arguments: dict[str, Any]) -> str:
        """Ask the run for something; the answer."""


class ArchiveSource:
    """An archive, open for reading only. It is used by one thread; `ask` may be by any."""

    replay = False

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self.name = clip(archive.path.name, 40)
        self._state = feed.snapshot(archive)

    def look(self) -> tuple[State, float]:
        """What was recorded since the last look is read, and no more."""
        self._state = feed.advance(self._archive, self._state)
        return self._state, time.time()

    def below(self, agent_id: str | None) -> Sequence[Node]:
        """One query for one level; after the seeds come those that wait for a person."""
        if agent_id is None:
            return [*self._nodes("p.parent_id IS NULL"), *self._waiting()]
        return self._nodes("p.parent_id = ?", agent_id)

    def find(self, text: str) -> Sequence[Node]:
        """One query; what is typed is no pattern."""
        where = "(instr(lower(a.title), lower(?)) OR a.id LIKE ? || '%' OR '#' || a.number = ?)"
        return self._nodes(where, text, text.replace("%", "").replace("_", ""), text)

    def _waiting(self) -> list[Node]:
        proposals = self._archive.proposals
        asked = [proposals.get(a.proposal_id) for a in self._archive.steering.waiting()[:MOST]]
        return [
            Node(one.agent_id, f"waits for you: {clip(one.title, 60)}", opens=False)
            for one in asked
            if one.agent_id is not None
        ]

    def _nodes(self, where: str, *values: str) -> list[Node]:
        rows = self._archive.database.rows(_ROWS.format(where=where), (*values, MOST))
        return [Node(row["id"], label(row), bool(row["opens"])) for row in rows]

    def about(self, agent_id: str, what: str) -> str:
        """Read when it is asked for."""
        texts: dict[str, Callable[[str], str]] = {
            "details": self._details,
            "diff": self._diff,
            "why": self._why,
            "compare": self._compare,
        }
        return texts[what](agent_id)

    def ask(self, verb: str, arguments: dict[str, Any]) -> str:
        """The same intents as on the command line.

        Raises:
            CambrianError: it was refused, or the run does not answer.
        """
        from cambrian.daemon.asking import request

        return clip(request(self._archive.path, verb, arguments)["answer"])

    def _details(self, agent_id: str) -> str:
        agent = self._archive.agents.get(agent_id)
        parents = ", ".join(short(each) for each in agent.parents) or "none: a seed agent"
        rows = [
            f"#{agent.number} {short(agent.id)} {(agent.kind or agent.status).replace('_', ' ')}",
            f"score {interval(agent.score, agent.lower, agent.upper)}",
            f"parents {parents}",
            "",
            clip(agent.title, 300),
            clip(agent.hypothesis, 2000),
            "",
            *(f"{number(r['mean']):>7}  {clip(r['benchmark'], 40)}" for r in self._means(agent_id)),
        ]
        return "\n".join(rows)

    def _means(self, agent_id: str) -> list[dict[str, Any]]:
        return self._archive.database.rows(_MEANS, (agent_id,))

    def _diff(self, agent_id: str) -> str:
        from cambrian.archive import unified_diff

        agents = self._archive.agents
        parents = agents.get(agent_id).parents
        if not parents:
            return "A seed agent: it has no parent to differ from."
        return shown(unified_diff(agents.files(parents[0]), agents.files(agent_id)))

    def _why(self, agent_id: str) -> str:
        gates = self._archive.gates(agent_id=agent_id)
        return gate_lines([vars(gate) for gate in gates])

    def _compare(self, agent_id: str) -> str:
        champion = self._archive.champion()
        if champion is None:
            return "There is no champion yet to compare with."
        best = {row["benchmark"]: row["mean"] for row in self._means(champion.id)}
        rows = [f"beside the champion, #{champion.number}", "   this    best    diff"]
        for row in self._means(agent_id):
            name, mean, other = row["benchmark"], row["mean"], best.get(row["benchmark"])
            gap = None if other is None else mean - other
            rows.append(f"{number(mean):>7} {number(other):>7} {signed(gap):>7}  {clip(name, 40)}")
        return "\n".join([*rows, "", "Means over the seeds that each was run on; no test."])


def label(row: dict[str, Any]) -> str:
    """An agent in a safe line: number, score, title."""
    return f"#{row['number']} {number(row['score'], 2)} {clip(row['title'], 60)}"


def shown(text: str) -> str:
    """Untrusted text of several lines, safe and bounded."""
    rest = len(text) - LONGEST
    more = f"\n… ({rest:,} more characters)" if rest > 0 else ""
    return block(text[:LONGEST]) + more


def gate_lines(gates: Sequence[dict[str, Any]]) -> str:
    """Each gate: ✓, ✗ or not run, its rule and its value."""
    rows = []
    for gate in gates:
        mark = MARKS.get(gate["verdict"], "not run:")
        rows.append(f"{mark} {clip(gate['gate'], 40)}: {clip(gate['rule'], 200)}")
        value = interval(gate["value"], gate["lower"], gate["upper"])
        rows.append(f"    {value}  {clip(gate['detail'], 200)}".rstrip())
    return "\n".join(rows) or "No gate was run: a seed agent, or not decided yet."
