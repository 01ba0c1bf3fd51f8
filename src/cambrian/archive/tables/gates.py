"""Gates: every step of every decision, a short row each.

The words of a rule are the same for thousands of decisions, so they are kept once, and whose gate
it is follows from the proposal. `gates` is a view that says it all again; a row may also be
inserted through it.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

from collections.abc import Sequence

from cambrian.archive.records import Gate
from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database, storable

_ROW = "INSERT OR REPLACE INTO gate_rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Gates:
    """The verbs on gates."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rules: RowCache[str, int] = RowCache(database, 256)

    def keep(self, proposal_id: int, gates: Sequence[Gate]) -> None:
        """Keep gates of a proposal when they are looked at, after those that are kept of it; one
        that is looked at again takes its own place. Called inside a transaction."""
        if not gates:
            return
        places = self._places(proposal_id)
        rows = [
            (
                *(proposal_id, places.setdefault(gate.gate, len(places)), gate.gate),
                *(self._rule(storable(gate.rule)), gate.threshold, gate.value),
                *(gate.lower, gate.upper, gate.verdict, storable(gate.detail)),
            )
            for gate in gates
        ]
        self._database.execute_many(_ROW, rows)

    def forget(self, proposal_id: int) -> None:
        """Drop what was looked at of a proposal; called inside a transaction."""
        self._database.execute("DELETE FROM gate_rows WHERE proposal_id = ?", (proposal_id,))

    def _places(self, proposal_id: int) -> dict[str, int]:
        rows = self._database.rows(
            "SELECT gate, position FROM gate_rows WHERE proposal_id = ?", (proposal_id,)
        )
        return {row["gate"]: row["position"] for row in rows}

    def _rule(self, text: str) -> int:
        return self._rules.get(text, lambda: self._numbered(text))

    def _numbered(self, text: str) -> int:
        self._database.execute("INSERT OR IGNORE INTO gate_rules (text) VALUES (?)", (text,))
        return int(self._database.value("SELECT id FROM gate_rules WHERE text = ?", (text,)))

    def of_proposal(self, proposal_id: int) -> list[Gate]:
        """A proposal's gates, in the order they were passed."""
        return self._select("proposal_id = ?", proposal_id)

    def of_agent(self, agent_id: str) -> list[Gate]:
        """An agent's gates, in the order they were passed."""
        return self._select("agent_id = ?", agent_id)

    def _select(self, condition: str, value: int | str) -> list[Gate]:
        rows = self._database.rows(
            "SELECT gate, rule, verdict, threshold, value, lower, upper, detail FROM gates "
            f"WHERE {condition} ORDER BY proposal_id, position",
            (value,),
        )
        return [Gate(**row) for row in rows]
