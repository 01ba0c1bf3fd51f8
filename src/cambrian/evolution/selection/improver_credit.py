"""What improvers' edits came to: the judged gain of each proposal that one made, and its tokens.

An improver is told apart by its code (`SourceTree.improver_hash`). It *made* the proposals of the
`model` rewriter whose primary parent has it. What one came to is its measured paired gain if it was
admitted, and 0 otherwise: an edit that is invalid, crashes or is rejected adds nothing to the
archive, whatever it scored. An improver's parent is the improver of the agent that was rewritten
when it appeared first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cambrian.agents.tree import improver_hash
from cambrian.archive import Archive
from cambrian.archive.sqlite.database import Row
from cambrian.archive.tables.clades import RUNS_OF_SUITE
from cambrian.evolution.rewriting.decided import Reader
from cambrian.evolution.sources.honesty import Record

_MADE = f"""
SELECT p.idx, p.state, p.agent_id, json_extract(p.parents, '$[0]') AS parent, a.kind,
       coalesce(g.value, s.value) AS gain, s.value AS screen, p.confidence, p.predicted_gain,
       (SELECT ifnull(sum(prompt_tokens + completion_tokens), 0) FROM spend
        WHERE proposal_id = p.id) AS tokens
FROM proposals p
LEFT JOIN agents a ON a.id = p.agent_id AND a.proposal_id = p.id
LEFT JOIN gate_rows g ON g.proposal_id = p.id AND g.gate = 'not_worse'
LEFT JOIN gate_rows s ON s.proposal_id = p.id AND s.gate = 'screen'
WHERE p.idx > :after AND p.idx <= :through AND p.rewriter = 'model'
  AND p.operation IS NULL -- a model that only chooses among recombinations asks no improver
  AND p.run_id IN ({RUNS_OF_SUITE})
  AND p.state IN ('admitted', 'rejected', 'failed_smoke', 'duplicate', 'invalid', 'parked')
ORDER BY p.idx
"""  # noqa: S608 -- of constants; values are parameters


@dataclass(frozen=True)
class Made:
    """What one proposal of an improver came to.

    Attributes:
        gain: of the mean normalised score over the parent's if it was admitted, at least 0.
        tokens: that its questions and answers took.
        state: how it ended.
    """

    gain: float
    tokens: int
    state: str


class ImproverCredit(Reader):
    """What came of improvers, as decided through a proposal (`see`).

    Attributes:
        made: by improver and proposal.
        above: the improver that each one is a rewrite of; "" for those of seed agents.
        stated: by improver and proposal, what was stated beforehand and what came.
    """

    sql: ClassVar[str] = _MADE

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive)
        self.made: dict[str, dict[int, Made]] = {}
        self.first: dict[str, tuple[int, str]] = {}
        self.stated: dict[str, dict[int, Record]] = {}
        self._names: dict[str, str] = {}

    def name(self, agent_id: str) -> str:
        """The improver of an agent. What recombination makes has its primary parent's."""
        line, known = [], self._names.get(agent_id)
        while known is None:
            line.append(agent_id)
            above = self._inherited(agent_id)
            known = self._names.get(above) if above else self._read(agent_id)
            agent_id = above or agent_id
        self._names.update(dict.fromkeys(line, known))
        return known

    @property
    def above(self) -> dict[str, str]:
        """The improver that each one is a rewrite of, where it is one that is known."""
        return {name: before for name, (_, before) in self.first.items()}

    def _inherited(self, agent_id: str) -> str:
        agent = self._archive.agents.get(agent_id)
        if agent.proposal_id is None or not agent.parents:
            return ""
        made = self._archive.proposals.get(agent.proposal_id)
        return "" if made.rewriter == "model" else agent.parents[0]

    def _read(self, agent_id: str) -> str:
        return improver_hash(self._archive.agents.files(agent_id))

    def _forget(self) -> None:
        self.made.clear()
        self.first.clear()
        self.stated.clear()

    def _learn(self, row: Row) -> None:
        maker = self.name(row["parent"])
        admitted = row["state"] == "admitted"
        gain = max(0.0, row["gain"] or 0.0) if admitted else 0.0
        self.made.setdefault(maker, {})[row["idx"]] = Made(gain, row["tokens"], row["state"])
        if row["screen"] is not None and row["confidence"] is not None:
            told = Record(row["confidence"], row["predicted_gain"] or 0.0, row["screen"])
            self.stated.setdefault(maker, {})[row["idx"]] = told
        if admitted:
            new = self.name(row["agent_id"])
            if new != maker and row["idx"] < self.first.get(new, (row["idx"] + 1, ""))[0]:
                self.first[new] = (row["idx"], maker)
