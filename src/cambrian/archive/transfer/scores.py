"""The suites and scores of a bundle, on their way into an archive.

A suite that is here already is the same one, whatever it is called there. Scores stay with the
suite that they were given in: agents that were judged by another suite than the current one come as
members without a score in it.
"""

from __future__ import annotations

import math

from cambrian.archive.store import Archive
from cambrian.archive.suites import backfill, vector_of
from cambrian.archive.transfer.lines import Line
from cambrian.errors import UsageError
from cambrian.suite import Suite


class ScoresMerging:
    """The suites and scores of one bundle.

    Attributes:
        told: whether it says anything of suites: from version 2 on.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._before = archive.suites.current()
        self._ids: dict[str, int] = {}
        self._theirs: int | None = None
        self._promoted: set[str] = set()
        self._changed = False
        self.told = False

    def suite(self, line: Line) -> None:
        """A suite of the bundle."""
        try:
            suite = Suite.from_json(line.mapping("suite"))
        except UsageError as error:
            line.wrong("a suite", error)
        if not suite.entries or not all(
            isinstance(text, str) and isinstance(entry.weight, int | float)
            for entry in suite.entries
            for text in (entry.benchmark, entry.version)
        ):
            line.wrong("a suite's benchmarks, versions and weights", line.parts["suite"])
        if suite.hash != line.text("hash"):
            line.wrong(f"the hash {suite.hash} of its suite", line.parts["hash"])
        self.told = True
        self._ids[suite.hash] = self._archive.suites.add(suite)
        if line.parts.get("current") is True:
            self._theirs = self._ids[suite.hash]

    def of_run(self, line: Line) -> int | None:
        """By which suite a run was judged."""
        told = line.parts.get("suite")
        return None if told is None else self._known(line)

    def _known(self, line: Line) -> int:
        suite_id = self._ids.get(line.text("suite"))
        if suite_id is None:
            line.wrong("the hash of a suite in the bundle", line.parts["suite"])
        return suite_id

    def promoted(self, agent_id: str, number: int) -> None:
        """A rejected agent becomes a member, with another number: its scores here are given up for
        those there."""
        self._promoted.add(agent_id)
        self._archive.database.execute("DELETE FROM scores WHERE number = ?", (number,))

    def score(self, line: Line, came: set[str]) -> None:
        """A score of an agent that came; what is here already of a known one stays."""
        database, agent_id, suite_id = self._archive.database, line.text("agent_id"), 0
        if agent_id not in came:
            line.wrong("a score of an agent in the bundle", agent_id)
        suite_id = self._known(line)
        agent = self._archive.agents.get(agent_id)
        if agent.number is None:
            return
        vector = line.mapping("vector")
        if not all(
            isinstance(mean, int | float) and math.isfinite(mean) for mean in vector.values()
        ):
            line.wrong("finite means by benchmark", vector)
        known = database.value(
            "SELECT 1 FROM scores WHERE suite_id = ? AND number = ?", (suite_id, agent.number)
        )
        if known is None:
            interval = line.real("score"), line.real("lower"), line.real("upper")
            self._archive.suites.keep(agent.number, interval, vector, suite_id)
            self._changed = True

    def finish(self, came: set[str], *, comparable: bool, old: bool) -> None:
        """Everything has come: have `agents` and `nodes` say what the current suite does.

        Args:
            comparable: whether agents of a bundle that says nothing of suites were judged as those
                here were.
            old: whether the bundle is of version 1, which could say nothing of them.
        """
        database = self._archive.database
        if self._before is None:
            if self._theirs is not None:
                database.execute("UPDATE suites SET current = 1 WHERE id = ?", (self._theirs,))
            elif old:
                backfill(database)
        elif not self.told and comparable:
            self._take_over(came)
        news = self._changed or not self.told
        if news and self._archive.suites.current() is not None:
            self._archive.suites.copy()

    def _take_over(self, came: set[str]) -> None:
        assert self._before is not None
        self._archive.database.execute(
            "UPDATE runs SET suite_id = ? WHERE suite_id IS NULL", (self._before.id,)
        )
        for agent_id in sorted(came):
            agent = self._archive.agents.get(agent_id)
            if agent.number is None or agent.score is None:
                continue
            if agent.lower is None or agent.upper is None:
                continue
            interval = agent.score, agent.lower, agent.upper
            vector = vector_of(self._archive.database, agent_id, self._before.suite)
            self._archive.suites.keep(agent.number, interval, vector, self._before.id)
