"""Suites, and the score of each agent in each.

One suite is *current*: the one that the last run was, or is, judged by. `agents` (score, lower,
upper) and `nodes` (score, clade outcomes) hold a copy of what it says, so that selection, the
champion and the leaderboard cost the same however many suites there are; `open` changes it, at a
cost of the size of the archive. Nothing is lost by that: `scores` has them all.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cambrian.archive.records import Agent
from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database, Row, decode, encode
from cambrian.archive.tables import clades
from cambrian.errors import NotFound, UsageError
from cambrian.suite import USUAL_SEEDS, Entry, Suite

_COPY = """
UPDATE agents SET (score, lower, upper) = (
    SELECT c.score, c.lower, c.upper FROM scores c JOIN suites s ON s.id = c.suite_id
    WHERE s.current = 1 AND c.number = agents.number)
WHERE number IS NOT NULL
"""
# One made of a suite's evaluations: the mean over the search's seeds, by benchmark.
_VECTOR = """
SELECT benchmark, version, avg(score) AS mean FROM evaluations
WHERE agent_id = ? AND verdict = 'scored' AND stage IN ('screen', 'full') AND seed < ?
GROUP BY benchmark, version
"""


@dataclass(frozen=True)
class KeptSuite:
    """A suite as the archive has it.

    Attributes:
        opened_at: when it became the current one last (seconds since 1970).
    """

    id: int
    suite: Suite
    current: bool
    created_at: float
    opened_at: float

    @property
    def label(self) -> str:
        """Its name, or the benchmarks that it is of; and the first digits of its hash."""
        return f"{self.suite.name or ', '.join(self.suite.benchmarks)} ({self.suite.hash[:8]})"


@dataclass(frozen=True)
class SuiteScore:
    """An agent's score in a suite: see the columns of `scores`."""

    suite: KeptSuite
    score: float
    lower: float
    upper: float
    vector: Mapping[str, float]


class Suites:
    """The verbs on suites and scores."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._weights: RowCache[int, tuple[tuple[str, float], ...]] = RowCache(database, 1)
        self._seeds: RowCache[int, int] = RowCache(database, 1)

    def open(self, suite: Suite) -> KeptSuite:
        """Make a suite the current one; it is kept where it is new. Nothing is to be under way."""
        now = self.current()
        if now is not None and now.suite.hash == suite.hash:
            return now
        with self._database.transaction():
            suite_id = self.add(suite)
            at = self._database.now()
            self._database.execute("UPDATE suites SET current = 0 WHERE current = 1")
            self._database.execute(
                "UPDATE suites SET current = 1, opened_at = ? WHERE id = ?", (at, suite_id)
            )
            if now is None:
                adopt(self._database, suite_id, suite)  # what was scored before any was opened
                self._database.execute(
                    "UPDATE runs SET suite_id = ? WHERE suite_id IS NULL", (suite_id,)
                )
            self.copy()
            self._database.event("suite.opened", suite=suite_id, hash=suite.hash)
        self._database.forget()  # agents were changed here that the verbs know nothing of
        return self.get(suite_id)

    def add(self, suite: Suite) -> int:
        """Keep a suite, without making it the current one; its id."""
        found = self._database.value("SELECT id FROM suites WHERE hash = ?", (suite.hash,))
        if found is not None:
            return int(found)
        at = self._database.now()
        return self._database.insert(
            "suites",
            {
                "hash": suite.hash,
                "name": suite.name,
                "definition": encode(suite.to_json()),
                "current": 0,
                "created_at": at,
                "opened_at": at,
            },
        )

    def copy(self) -> None:
        """Have `agents` and `nodes` say what the current suite does."""
        self._database.execute(_COPY)
        clades.fill(self._database)

    def keep(
        self,
        number: int,
        interval: tuple[float, float, float],
        vector: Mapping[str, float],
        suite_id: int | None = None,
    ) -> None:
        """Keep an agent's (score, lower, upper) in a suite, the current one if none is named; where
        none was ever opened there is nothing to keep it by."""
        if suite_id is None:
            suite_id = self._database.value("SELECT id FROM suites WHERE current = 1")
        if suite_id is None:
            return
        self._database.execute(
            "INSERT INTO scores (suite_id, number, score, lower, upper, vector) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (suite_id, number) DO UPDATE SET "
            "score = excluded.score, lower = excluded.lower, upper = excluded.upper, "
            "vector = excluded.vector",
            (suite_id, number, *interval, encode(dict(vector))),
        )

    def current(self) -> KeptSuite | None:
        """The suite by which the last run was judged; None before any."""
        found = self._list("WHERE s.current = 1")
        return found[0] if found else None

    def weights(self) -> tuple[tuple[str, float], ...]:
        """What the current suite's benchmarks count for, by name; empty where they count alike, or
        none was opened."""
        return self._weights.get(0, self._weighed)

    def _weighed(self) -> tuple[tuple[str, float], ...]:
        now = self.current()
        if now is None or len({entry.weight for entry in now.suite.entries}) == 1:
            return ()
        return tuple((entry.benchmark, entry.weight) for entry in now.suite.entries)

    def seeds(self) -> int:
        """With how many seeds the current suite runs each benchmark; as usual before any."""
        return self._seeds.get(0, self._seeded)

    def _seeded(self) -> int:
        now = self.current()
        return USUAL_SEEDS if now is None else now.suite.seeds

    def all(self) -> list[KeptSuite]:
        """Every suite, the first one first."""
        return self._list("")

    def get(self, suite_id: int) -> KeptSuite:
        """A suite by its id.

        Raises:
            NotFound: there is none.
        """
        found = self._list("WHERE s.id = :id", {"id": suite_id})
        if not found:
            raise NotFound(f"expected the id of a suite in this archive, got {suite_id}")
        return found[0]

    def resolve(self, reference: str) -> KeptSuite:
        """The suite of a name, or of the first digits of a hash.

        Raises:
            NotFound: there is none. UsageError: there are several.
        """
        found = [
            kept
            for kept in self.all()
            if reference and (kept.suite.name == reference or kept.suite.hash.startswith(reference))
        ]
        if len(found) > 1:
            raise UsageError(
                f"{reference!r} may be {' or '.join(kept.label for kept in found)}: give more "
                "digits of the hash"
            )
        if not found:
            there = "; ".join(kept.label for kept in self.all()) or "none yet"
            raise NotFound(f"no suite here is called {reference!r}; there are: {there}")
        return found[0]

    def of_agent(self, number: int) -> list[SuiteScore]:
        """An agent's scores, one a suite, in the order in which the suites came."""
        rows = self._database.rows(
            "SELECT * FROM scores WHERE number = ? ORDER BY suite_id", (number,)
        )
        return [
            SuiteScore(
                self.get(row["suite_id"]),
                row["score"],
                row["lower"],
                row["upper"],
                decode(row["vector"]),
            )
            for row in rows
        ]

    def decider(self, run_id: int | None) -> KeptSuite | None:
        """The suite by which a run decided; None for none, or where it is not known."""
        found = self._database.value("SELECT suite_id FROM runs WHERE id = ?", (run_id,))
        return None if found is None else self.get(int(found))

    def decided_here(self, agent: Agent) -> bool:
        """Whether the current suite decided on an agent, or nothing says that another did."""
        decider = self.decider(agent.run_id)
        return decider is None or decider.current

    def as_decided(self, agents: Sequence[Agent]) -> list[Agent]:
        """Agents in the order of their numbers, each admitted one with the score by which it was
        decided: the one in the suite of its run, which a change of suites does not touch."""
        if not agents:
            return []
        rows = self._database.tuples(
            "SELECT c.number, c.score FROM scores c JOIN agents a ON a.number = c.number "
            "JOIN runs r ON r.id = a.run_id AND r.suite_id = c.suite_id "
            "WHERE c.number BETWEEN ? AND ? AND a.status = 'admitted'",
            (agents[0].number, agents[-1].number),
        )
        scores = dict(rows)
        return [replace(one, score=scores.get(one.number, one.score)) for one in agents]

    def scored(self, suite_id: int) -> int:
        """How many agents have a score in a suite."""
        found = self._database.value("SELECT count(*) FROM scores WHERE suite_id = ?", (suite_id,))
        return int(found or 0)

    def members(self, suite_id: int) -> int:
        """How many members have a score in a suite."""
        found = self._database.value(
            "SELECT count(*) FROM scores c JOIN agents a ON a.number = c.number "
            "WHERE c.suite_id = ? AND a.status IN ('seed', 'admitted')",
            (suite_id,),
        )
        return int(found)

    def unscored(self, suite_id: int) -> list[str]:
        """The ids of the members that have no score in a suite, by number."""
        rows = self._database.tuples(
            "SELECT a.id FROM agents a WHERE a.status IN ('seed', 'admitted') AND NOT EXISTS "
            "(SELECT 1 FROM scores c WHERE c.suite_id = ? AND c.number = a.number) "
            "ORDER BY a.number",
            (suite_id,),
        )
        return [agent_id for (agent_id,) in rows]

    def candidates(self, suite_id: int) -> int:
        """How many agents the best one of a suite was chosen from: those with a score in it, and
        the variants that its runs judged and that left early without one."""
        found = self._database.value(
            "SELECT (SELECT count(*) FROM scores WHERE suite_id = :suite) + (SELECT count(*) "
            "FROM proposals p JOIN runs r ON r.id = p.run_id JOIN agents a ON a.id = p.agent_id "
            "WHERE r.suite_id = :suite AND p.state IN ('admitted', 'rejected') AND NOT EXISTS "
            "(SELECT 1 FROM scores c WHERE c.suite_id = :suite AND c.number = a.number))",
            {"suite": suite_id},
        )
        return int(found)

    def leaderboard(self, suite_id: int, limit: int | None = None) -> list[Row]:
        """Members with a score in a suite, the best lower bound first: number, id, kind, title,
        score, lower, upper and vector of each."""
        rows = self._database.rows(
            "SELECT a.number, a.id, a.kind, a.title, c.score, c.lower, c.upper, c.vector "
            "FROM scores c JOIN agents a ON a.number = c.number "
            "WHERE c.suite_id = ? AND a.status IN ('seed', 'admitted') "
            "ORDER BY c.lower DESC, c.number LIMIT ?",
            (suite_id, limit or -1),
        )
        return [{**row, "vector": decode(row["vector"])} for row in rows]

    def _list(self, where: str, keys: dict[str, int] | None = None) -> list[KeptSuite]:
        rows = self._database.rows(f"SELECT s.* FROM suites s {where} ORDER BY s.id", keys or {})
        return [
            KeptSuite(
                row["id"],
                Suite.from_json(decode(row["definition"])),
                bool(row["current"]),
                row["created_at"],
                row["opened_at"],
            )
            for row in rows
        ]


def vector_of(database: Database, agent_id: str, suite: Suite) -> dict[str, float]:
    """The mean score over the search's seeds of each benchmark of a suite, as far as an agent was
    evaluated by them."""
    rows = database.rows(_VECTOR, (agent_id, suite.seeds))
    means = {(row["benchmark"], row["version"]): row["mean"] for row in rows}
    entries = [(entry.benchmark, entry.version) for entry in suite.entries]
    return {entry[0]: means[entry] for entry in entries if entry in means}


def adopt(database: Database, suite_id: int, suite: Suite) -> None:
    """File the scores that agents have, which are of no suite yet, under this one."""
    suites = Suites(database)
    rows = database.rows(
        "SELECT id, number, score, lower, upper FROM agents "
        "WHERE number IS NOT NULL AND score IS NOT NULL AND lower IS NOT NULL "
        "AND upper IS NOT NULL"
    )
    for row in rows:
        vector = vector_of(database, row["id"], suite)
        suites.keep(row["number"], (row["score"], row["lower"], row["upper"]), vector, suite_id)


def backfill(database: Database) -> None:
    """Find the suite that an older Cambrian's archive was grown by, and file its scores there: the
    benchmarks of its last run, at the versions at which its agents were judged."""
    told = database.value("SELECT settings FROM runs ORDER BY id DESC LIMIT 1")
    if told is None:
        return
    entries = []
    for name in decode(told).get("benchmarks", ()):
        version = database.value(
            "SELECT version FROM evaluations WHERE benchmark = ? AND stage = 'full' "
            "AND verdict = 'scored' ORDER BY id DESC LIMIT 1",
            (name,),
        )
        if version is None:
            return  # nobody was judged
        entries.append(Entry(name, version))
    if not entries:
        return
    suites, suite = Suites(database), Suite("", tuple(entries))
    suite_id = suites.add(suite)
    database.execute("UPDATE suites SET current = 1 WHERE id = ?", (suite_id,))
    database.execute("UPDATE runs SET suite_id = ?", (suite_id,))
    adopt(database, suite_id, suite)
    outside = (
        "SELECT 1 FROM evaluations WHERE stage <> 'race' AND (benchmark, version) NOT IN "
        f"({clades.OF_SUITE}) LIMIT 1"
    )
    if database.value(outside) is not None:
        clades.fill(database)
