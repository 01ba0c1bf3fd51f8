"""The tree in numbers: what selection and the pages of a big archive read, kept in step.

`nodes` has one short row per decided agent: its place in the tree of primary parents, and two
counts of *successes* over *trials*: its own, and those of its clade (it and all its descendants by
primary parent, rejected ones too). They are what clade-metaproductivity is estimated from:
Huxley-Gödel Machine (Wang et al. 2025, arXiv 2510.21614, section 3), where a trial is a task
that was solved or not. Here a trial is an evaluation of the screen or full stage, and a normalised
score s counts as max(0, min(1, s)) of a success (in millionths, so that sums are exact in any
order); a learner that failed in a stage that it went through before it was decided is a trial
without success. Evaluations by benchmarks that are not the current suite's do not count. The race
is no such stage: a member is raced again with each of its children, when depends on the workers,
and what selection sees must not.

A row is made when an agent is decided, and each later evaluation is added when it is recorded:
both go up the ancestors in the same transaction, at a cost of the depth, not of the size.
`recount` counts everything again; `db check` compares.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np

from cambrian.archive.sqlite.database import Database, Row

UNIT = 1_000_000
"""One success, in the integers of `nodes`."""


_COUNTS = (
    "((verdict = 'failed' AND stage <> 'race') OR "
    "(verdict = 'scored' AND stage IN ('screen', 'full')))"
)
OF_SUITE = (
    "SELECT json_extract(j.value, '$.benchmark'), json_extract(j.value, '$.version') "
    "FROM suites s, json_each(s.definition, '$.benchmarks') j WHERE s.current = 1"
)
"""Benchmarks and versions of the current suite."""
_IN_SUITE = (
    "AND ((SELECT count(*) FROM suites WHERE current = 1) = 0 "
    f"OR (benchmark, version) IN ({OF_SUITE}))"
)
_SUCCESS = (
    f"CASE verdict WHEN 'scored' THEN CAST(round(min(max(score, 0.0), 1.0) * {UNIT}) AS INTEGER) "
    "ELSE 0 END"
)
_OUTCOME = f"ifnull(sum({_SUCCESS}), 0) AS successes, count(*) AS trials"

_UP = """
WITH RECURSIVE up (number) AS (
    VALUES (:number)
    UNION ALL
    SELECT n.parent FROM up JOIN nodes n ON n.number = up.number WHERE n.parent IS NOT NULL
)
SELECT number FROM up
"""

_ADD = f"""
UPDATE nodes SET clade_successes = clade_successes + :successes,
    clade_trials = clade_trials + :trials, clade_members = clade_members + :members
WHERE number IN ({_UP})
"""

_DECIDED = f"""
SELECT a.number, pa.number AS parent, a.status IN ('seed', 'admitted') AS member,
    a.proposal_index, a.score, {{children}} AS children,
    ifnull(o.successes, 0) AS successes, ifnull(o.trials, 0) AS trials
FROM agents a
LEFT JOIN parents p ON p.child_id = a.id AND p.position = 0
LEFT JOIN agents pa ON pa.id = p.parent_id
LEFT JOIN (SELECT agent_id, {_OUTCOME} FROM evaluations WHERE {_COUNTS} {{which}} GROUP BY 1) o
    ON o.agent_id = a.id
"""

_CHILDREN = """(SELECT count(*) FROM parents c JOIN agents k ON k.id = c.child_id
    WHERE c.parent_id = a.id AND k.status = 'admitted' AND k.score IS NOT NULL)"""

RUNS_OF_SUITE = "SELECT id FROM runs WHERE suite_id IS (SELECT id FROM suites WHERE current = 1)"
"""The runs that were judged by the current suite."""


@dataclass(frozen=True)
class Node:
    """A row of `nodes`: see the module. `parent` is the primary parent's number; `children` counts
    admitted children by either parent, `clade_members` members of the clade, itself included: of
    either only those that have a score in the current suite (a seed agent always counts)."""

    number: int
    parent: int | None
    member: int
    proposal_index: int | None
    score: float | None
    children: int
    successes: int
    trials: int
    clade_successes: int
    clade_trials: int
    clade_members: int


class Nodes:
    """The verbs that keep `nodes` in step; each is called inside a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decided(self, agent_id: str) -> None:
        """An agent got its number: give it its row, and its ancestors what it adds to them."""
        database = self._database
        which = f"{_IN_SUITE} AND agent_id = :agent"
        sql = _DECIDED.format(children="0", which=which) + "WHERE a.id = :agent"
        row = database.row(sql, {"agent": agent_id})
        assert row is not None
        empty = {"clade_successes": 0, "clade_trials": 0, "clade_members": 0}
        database.insert("nodes", {**row, **empty})
        self._add(row["number"], row["successes"], row["trials"], _counted(row))
        if _counted(row):
            self._count_child(row["number"])

    def evaluated(self, number: int, evaluation_id: int) -> None:
        """An agent that was decided before was evaluated once more."""
        row = self._database.row(
            f"SELECT {_OUTCOME} FROM evaluations WHERE id = ? AND {_COUNTS} {_IN_SUITE}",
            (evaluation_id,),
        )
        if row is None or not row["trials"]:
            return
        self._database.execute(
            "UPDATE nodes SET successes = successes + ?, trials = trials + ? WHERE number = ?",
            (row["successes"], row["trials"], number),
        )
        self._add(number, row["successes"], row["trials"], 0)

    def scored(self, number: int, score: float) -> None:
        """A seed got its score."""
        self._database.execute("UPDATE nodes SET score = ? WHERE number = ?", (score, number))

    def rescored(self, number: int, score: float) -> None:
        """A member that another suite admitted got its score in the current one: from now on it
        counts among the members of its clades and the children of its parents."""
        node = self.get(number)
        assert node is not None and node.member and node.score is None
        self.scored(number, score)
        if node.proposal_index is not None:  # a seed agent counts from the start
            self._add(number, 0, 0, 1)
            self._count_child(number)

    def _count_child(self, number: int) -> None:
        """A member is one more child of either parent."""
        self._database.execute(
            "UPDATE nodes SET children = children + 1 WHERE number IN (SELECT a.number "
            "FROM agents c JOIN parents p ON p.child_id = c.id JOIN agents a ON a.id = p.parent_id "
            "WHERE c.number = ?)",
            (number,),
        )

    # -- behaviours --------------------------------------------------------------------

    def store_descriptor(self, number: int, measure: int, vector: np.ndarray) -> None:
        """Keep how a member behaves, (d,); what was kept of another measure goes."""
        self._database.execute(
            "INSERT OR REPLACE INTO behaviours (number, measure, vector) VALUES (?, ?, ?)",
            (number, measure, np.asarray(vector, dtype="<f8").tobytes()),
        )

    def behaviours(self, measure: int, after: int = 0) -> tuple[list[int], np.ndarray]:
        """Numbers above `after`, and behaviours (n, d), of all with this measure, by number."""
        rows = self._database.tuples(
            "SELECT number, vector FROM behaviours WHERE number > ? AND measure = ? "
            "ORDER BY number",
            (after, measure),
        )
        numbers, vectors = [], []
        for number, vector in rows:
            numbers.append(int(number))
            vectors.append(vector)
        flat = np.frombuffer(b"".join(vectors), dtype="<f8")
        return numbers, flat.reshape(len(numbers), -1) if numbers else flat.reshape(0, 0)

    def without_behaviour(self, measure: int, after: int = 0) -> list[tuple[int, str]]:
        """Number and id of each member with a score of which no such behaviour is kept."""
        rows = self._database.tuples(
            "SELECT n.number, a.id FROM nodes n JOIN agents a ON a.number = n.number "
            "LEFT JOIN behaviours b ON b.number = n.number AND b.measure = ? "
            "WHERE n.number > ? AND n.member AND n.score IS NOT NULL AND b.number IS NULL "
            "ORDER BY n.number",
            (measure, after),
        )
        return [(number, agent_id) for number, agent_id in rows]

    # -- clades ------------------------------------------------------------------------

    def _add(self, number: int, successes: int, trials: int, members: int) -> None:
        self._database.execute(
            _ADD,
            {"number": number, "successes": successes, "trials": trials, "members": members},
        )

    def forget(self, number: int) -> None:
        """A rejected agent (it has no children) is to be decided anew: take its node away."""
        node = self.get(number)
        assert node is not None and not node.member
        self._add(number, -node.successes, -node.trials, 0)
        self._database.execute("DELETE FROM nodes WHERE number = ?", (number,))

    def get(self, number: int) -> Node | None:
        """The node of a decided agent."""
        row = self._database.row("SELECT * FROM nodes WHERE number = ?", (number,))
        return None if row is None else Node(**row)


def _counted(row: Row) -> int:
    """Whether a decided agent is one of the members of the clades that it is in: 0 or 1."""
    return int(row["member"] and (row["score"] is not None or row["proposal_index"] is None))


def recount(database: Database, *, suites: bool = True) -> Iterator[Node]:
    """Every node as it should be, counted from agents, parents and evaluations, last number first.

    A parent has a smaller number than its child, so one walk from the end adds up all clades.

    Args:
        suites: false in an archive of old, which knows of none.
    """
    below: dict[int, list[int]] = {}
    sql = _DECIDED.format(children=_CHILDREN, which=_IN_SUITE if suites else "")
    for row in database.stream(sql + "WHERE a.number IS NOT NULL ORDER BY a.number DESC"):
        successes, trials, members = below.pop(row["number"], (0, 0, 0))
        totals = [successes + row["successes"], trials + row["trials"], members + _counted(row)]
        clade = dict(zip(("clade_successes", "clade_trials", "clade_members"), totals, strict=True))
        yield Node(**row, **clade)
        if row["parent"] is not None:
            so_far = below.setdefault(row["parent"], [0, 0, 0])
            below[row["parent"]] = [a + b for a, b in zip(so_far, totals, strict=True)]


def fill(database: Database, *, suites: bool = True) -> None:
    """Make every row of `nodes` anew; called inside a transaction. `suites`: as for `recount`."""
    database.execute("DELETE FROM nodes")
    names = [field.name for field in fields(Node)]
    rows = [tuple(vars(node).values()) for node in recount(database, suites=suites)]
    rows.reverse()  # a parent's row is before its children's
    places = ", ".join("?" * len(names))
    database.execute_many(f"INSERT INTO nodes ({', '.join(names)}) VALUES ({places})", rows)
