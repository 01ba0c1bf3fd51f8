"""Agents: what is known of each, the tree they form, and the view of it that selection draws from.

An agent's row is made once. What changes later is its fate (a candidate is admitted or
rejected, and only then gets its number) and, for a seed, its score.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from cambrian.archive.records import Agent, Member
from cambrian.archive.sqlite.cache import RowCache
from cambrian.archive.sqlite.database import Database, Row
from cambrian.archive.suites import Suites
from cambrian.archive.tables import agent_queries as queries
from cambrian.archive.tables.clades import Nodes
from cambrian.archive.tables.sources import Sources
from cambrian.errors import NotFound, Refused, UsageError

Order = Literal["number", "score", "lower", "recent"]
_ORDERS: dict[str, str] = {
    "number": "a.number IS NULL, a.number, a.proposal_index",
    "score": "a.score DESC, a.number",
    "lower": "a.lower DESC, a.number",
    "recent": "a.created_at DESC, a.id",
}

_EVERYTHING = 2**62
KEPT = 512
"""Agents kept at most, while this process is the only writer."""


class Agents:
    """The verbs on agents."""

    def __init__(self, database: Database, sources: Sources, nodes: Nodes, suites: Suites) -> None:
        self._database = database
        self._sources = sources
        self._nodes = nodes
        self._suites = suites
        self._known: RowCache[str, Agent] = RowCache(database, KEPT)

    def add_seed(self, agent_id: str, files: Mapping[str, str], title: str) -> Agent:
        """Add a seed agent; the same seed again changes nothing and returns what is there.

        Raises:
            Refused: the same code is in the archive as something other than a seed.
            InvalidAgent: files that cannot be stored (see `Sources.add`).
        """
        database = self._database
        with database.transaction():
            known = self.find(agent_id)
            if known is not None and known.status != "seed":
                raise Refused(
                    f"expected new code for a seed, but {agent_id} is in the archive as "
                    f"{known.status}; nothing was added"
                )
            if known is None:
                number = self.next_number()
                row = {"title": title, "number": number, "status": "seed", "kind": "seed"}
                self.insert(agent_id, files, (), {**row, "decided_at": database.now()})
                self._nodes.decided(agent_id)
                database.event("agent.seeded", agent_id=agent_id, number=number)
        return self.get(agent_id)

    def insert(
        self,
        agent_id: str,
        files: Mapping[str, str],
        parents: Sequence[str],
        columns: Mapping[str, Any],
    ) -> None:
        """Insert an agent's row, its files and parents; for the verbs that make agents.

        Raises:
            UsageError: `agent_id` is not 64 lower-case hexadecimal digits.
        """
        if len(agent_id) != 64 or set(agent_id) - set("0123456789abcdef"):
            raise UsageError(f"expected 64 lower-case hex digits as an id, got {agent_id!r}")
        row = {"id": agent_id, "hypothesis": "", "created_at": self._database.now()}
        row |= {"files": self._sources.add(agent_id, files)}
        self._database.insert("agents", {**row, "depth": self._depth(parents), **columns})
        self._insert_parents(agent_id, parents)

    def set_parents(self, agent_id: str, parents: Sequence[str]) -> None:
        """Make these its parents, the primary one first, and its depth follow."""
        self._database.execute("DELETE FROM parents WHERE child_id = ?", (agent_id,))
        self._insert_parents(agent_id, parents)
        self.set(agent_id, depth=self._depth(parents))

    def _insert_parents(self, agent_id: str, parents: Sequence[str]) -> None:
        for position, parent_id in enumerate(parents):
            self._database.insert(
                "parents", {"child_id": agent_id, "parent_id": parent_id, "position": position}
            )

    def set(self, agent_id: str, **columns: Any) -> None:
        """Change columns of an agent's row; for the verbs that decide its fate."""
        assignments = ", ".join(f"{name} = ?" for name in columns)
        self._database.execute(
            f"UPDATE agents SET {assignments} WHERE id = ?", (*columns.values(), agent_id)
        )
        self._known.drop(agent_id)

    def _depth(self, parents: Sequence[str]) -> int:
        return self.get(parents[0]).depth + 1 if parents else 0

    def next_number(self) -> int:
        """The number for the next agent whose fate is decided (from 1)."""
        return int(self._database.value("SELECT ifnull(max(number), 0) + 1 FROM agents"))

    def set_score(
        self,
        agent_id: str,
        score: float,
        lower: float,
        upper: float,
        vector: Mapping[str, float] | None = None,
    ) -> Agent:
        """Set a seed's score in the current suite: its mean normalised score and its interval, and
        the means by benchmark that it is made of.

        Raises:
            Refused: the agent is no seed; a variant's score is set when it is decided.
        """
        with self._database.transaction():
            agent = self.get(agent_id)
            if agent.status != "seed":
                raise Refused(f"expected a seed agent, but {agent_id} is {agent.status}")
            self.set(agent_id, score=score, lower=lower, upper=upper)
            number = cast(int, agent.number)
            self._suites.keep(number, (score, lower, upper), vector or {})
            self._nodes.scored(number, score)
            self._database.event(
                "agent.scored", agent_id=agent_id, score=score, lower=lower, upper=upper
            )
        return self.get(agent_id)

    def rescore(
        self,
        agent_id: str,
        score: float,
        lower: float,
        upper: float,
        vector: Mapping[str, float],
    ) -> Agent:
        """Give a member that was admitted by another suite its score in the current one; what
        decided it is not touched.

        Raises:
            Refused: the agent is no member, or it has a score in the current suite.
        """
        with self._database.transaction():
            agent = self.get(agent_id)
            if agent.status not in ("seed", "admitted") or agent.number is None:
                raise Refused(f"expected a member, but {agent_id} is {agent.status}")
            if agent.score is not None:
                raise Refused(f"#{agent.number} has a score in the current suite: {agent.score}")
            self.set(agent_id, score=score, lower=lower, upper=upper)
            self._suites.keep(agent.number, (score, lower, upper), vector)
            self._nodes.rescored(agent.number, score)
            self._database.event(
                "agent.rescored", agent_id=agent_id, score=score, lower=lower, upper=upper
            )
        return self.get(agent_id)

    def keep_score(self, agent_id: str, vector: Mapping[str, float]) -> None:
        """File what a decided agent's row says among the scores of the current suite."""
        agent = self.get(agent_id)
        if agent.number is None or agent.score is None:
            return
        if agent.lower is not None and agent.upper is not None:
            interval = agent.score, agent.lower, agent.upper
            self._suites.keep(agent.number, interval, vector)

    def find(self, agent_id: str) -> Agent | None:
        """The agent with this full id, or None."""
        known = self._known.known(agent_id)
        if known is not None:
            return known
        row = self._database.row(
            f"SELECT {queries.COLUMNS} FROM agents a WHERE a.id = ?", (agent_id,)
        )
        if row is None:
            return None
        agent = Agent.of(row)
        self._known.keep(agent_id, agent)
        return agent

    def get(self, agent_id: str) -> Agent:
        """The agent with this full id.

        Raises:
            NotFound: no such agent (`Archive.resolve` understands short names).
        """
        agent = self.find(agent_id)
        if agent is None:
            raise NotFound(f"expected the id of an agent in this archive, got {agent_id!r}")
        return agent

    def files(self, agent_id: str) -> dict[str, str]:
        """Its source tree: text by path, in path order.

        Raises:
            NotFound: no such agent.
        """
        self.get(agent_id)
        return self._sources.files(agent_id)

    def files_between(self, first: int, last: int) -> dict[str, dict[str, int]]:
        """The files of all decided agents with numbers from `first` to `last`, by id: by path, the
        number of the text (see `texts`)."""
        return self._sources.between(first, last)

    def texts(self, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
        """Texts by their numbers; see `Sources.texts`."""
        return self._sources.texts(numbers)

    def twin(self, fingerprint: bytes) -> Agent | None:
        """The first agent whose code does the same; None if there is none."""
        row: Row | None = self._database.row(queries.TWIN, (fingerprint,))
        return None if row is None else Agent.of(row)

    def twin_through(self, fingerprint: bytes, through: int) -> Agent | None:
        """The first agent, as decided through a proposal, whose code does the same."""
        found = self._database.value(queries.SAME_CODE, (fingerprint, through))
        return None if found is None else self.get(str(found))

    def twin_of(self, agent_id: str) -> Agent | None:
        """Another agent whose code does the same as that of one that was parked."""
        found = self._database.value("SELECT fingerprint FROM agents WHERE id = ?", (agent_id,))
        twin = None if found is None else self.twin(bytes(found))
        return None if twin is None or twin.id == agent_id else twin

    def learner(self, agent_id: str) -> bytes | None:
        """The fingerprint of an agent's learner; None where there is none."""
        found = self._database.value("SELECT learner FROM agents WHERE id = ?", (agent_id,))
        return None if found is None else bytes(found)

    def with_learner(self, learner: bytes, through: int) -> str | None:
        """The first scored member, as decided through a proposal, whose learner is the same."""
        found = self._database.value(queries.SAME_LEARNER, (learner, through))
        return None if found is None else str(found)

    def without_fingerprint(self, limit: int) -> list[str]:
        """Up to `limit` agents whose code was not looked at yet: of an archive of old, or seeds."""
        rows = self._database.rows(
            "SELECT id FROM agents WHERE fingerprint IS NULL LIMIT ?", (limit,)
        )
        return [row["id"] for row in rows]

    def parents(self, agent_id: str) -> list[Agent]:
        """Its parents, the primary one first; none for a seed."""
        return [self.get(parent_id) for parent_id in self.get(agent_id).parents]

    def children(self, agent_id: str, *, members_only: bool = True) -> list[Agent]:
        """Agents with this parent, by number, undecided ones last."""
        only = "AND a.status = 'admitted'" if members_only else ""
        rows = self._database.rows(
            f"SELECT {queries.COLUMNS} FROM parents p JOIN agents a ON a.id = p.child_id "
            f"WHERE p.parent_id = ? {only} ORDER BY {_ORDERS['number']}",
            (agent_id,),
        )
        return [Agent.of(row) for row in rows]

    def children_through(self, agent_id: str, through: int, last: int) -> list[Agent]:
        """The `last` children that came of proposals up to `through`, members or not, by number
        (undecided ones, which were parked, last)."""
        rows = self._database.rows(
            "SELECT a.id, a.number, a.proposal_index FROM parents p "
            "JOIN agents a ON a.id = p.child_id "
            "WHERE p.parent_id = ? AND a.proposal_index <= ? "
            "ORDER BY a.number IS NULL DESC, a.number DESC, a.proposal_index DESC LIMIT ?",
            (agent_id, through, last),
        )
        return [self.get(row["id"]) for row in reversed(rows)]

    def subtree(
        self, agent_id: str, *, limit: int = 200, depth: int | None = None, offset: int = 0
    ) -> list[tuple[Agent, int]]:
        """A member and its descendants by primary parent, depth first, each with its level.

        Args:
            limit: so many at most: a page of a big clade.
            depth: levels below the agent.
            offset: so many are left out, for the pages before.

        Raises:
            NotFound: no such agent, or it is undecided and has no place in the tree yet.
        """
        number = self.get(agent_id).number
        if number is None:
            raise NotFound(f"expected an agent that was decided, but {agent_id} is a candidate")
        deepest = _EVERYTHING if depth is None else depth
        keys = {"number": number, "limit": limit, "depth": deepest, "offset": offset}
        walk = [(row["number"], row["level"]) for row in self._database.rows(queries.SUBTREE, keys)]
        marks = ", ".join("?" * len(walk))
        rows = self._database.rows(
            f"SELECT {queries.COLUMNS} FROM agents a WHERE a.number IN ({marks})",
            tuple(number for number, _ in walk),
        )
        agents = {row["number"]: Agent.of(row) for row in rows}
        return [(agents[number], level) for number, level in walk]

    def count_below(self, agent_ids: Sequence[str]) -> dict[str, int]:
        """How many admitted children have each of these as their primary parent; none: left out."""
        marks = ", ".join("?" * len(agent_ids))
        rows = self._database.rows(
            "SELECT p.parent_id AS id, count(*) AS n FROM parents p "
            "JOIN agents a ON a.id = p.child_id AND a.status = 'admitted' "
            f"WHERE p.parent_id IN ({marks}) AND p.position = 0 GROUP BY p.parent_id",
            tuple(agent_ids),
        )
        return {row["id"]: row["n"] for row in rows}

    def line(self, agent_id: str) -> list[Agent]:
        """An agent and its primary ancestors, from itself to its seed, in one query."""
        rows = self._database.rows(queries.LINE, {"agent": agent_id})
        return [Agent.of(row) for row in rows]

    def ancestors(self, agent_id: str) -> dict[str, int]:
        """Every ancestor over both parents and its distance (1 for a parent), nearest first."""
        rows = self._database.rows(queries.ANCESTORS, {"agent": agent_id})
        return {row["id"]: row["distance"] for row in rows}

    def select(
        self, *, everyone: bool = False, limit: int | None = None, order: Order = "number"
    ) -> list[Agent]:
        """Members, or `everyone`: candidates and rejected ones too. `limit` None or 0: no limit.

        Raises:
            UsageError: an unknown order.
        """
        if order not in _ORDERS:
            raise UsageError(f"expected an order out of {sorted(_ORDERS)}, got {order!r}")
        where = "" if everyone else "WHERE a.status IN ('seed', 'admitted')"
        rows = self._database.rows(
            f"SELECT {queries.COLUMNS} FROM agents a {where} ORDER BY {_ORDERS[order]} LIMIT ?",
            (limit or -1,),
        )
        return [Agent.of(row) for row in rows]

    def after(self, number: int, limit: int) -> list[Agent]:
        """The next `limit` members with a number above this one: to walk all of them in pages."""
        rows = self._database.rows(
            f"SELECT {queries.COLUMNS} FROM agents a WHERE a.number > ? "
            "AND a.status IN ('seed', 'admitted') ORDER BY a.number LIMIT ?",
            (number, limit),
        )
        return [Agent.of(row) for row in rows]

    def seeds(self) -> list[Agent]:
        """The seed agents, by number."""
        rows = self._database.rows(
            f"SELECT {queries.COLUMNS} FROM agents a WHERE a.status = 'seed' ORDER BY a.number"
        )
        return [Agent.of(row) for row in rows]

    def members(self, through: int | None = None) -> list[Member]:
        """The tree as decided through proposal `through` (None: as it is now), by number.

        Seeds with a score, and agents admitted by proposals with an index up to `through`;
        `children` counts only children admitted by then. The result depends on nothing that
        was decided later, so a proposal sees the same whatever the number of workers.
        """
        limit = _EVERYTHING if through is None else through
        return [Member(**row) for row in self._database.rows(queries.MEMBERS, {"through": limit})]

    def champion(self, through: int | None = None) -> Agent | None:
        """The member with the best lower bound (the lowest number of equals); None before any.

        Args:
            through: of those decided through this proposal only.
        """
        limit = _EVERYTHING if through is None else through
        row: Row | None = self._database.row(queries.CHAMPION, {"through": limit})
        return None if row is None else Agent.of(row)
