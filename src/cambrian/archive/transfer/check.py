"""`cambrian db check`: does every invariant of the archive hold?"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from cambrian.archive import suites
from cambrian.archive.lineage.lineage import Lineage
from cambrian.archive.schema import schema
from cambrian.archive.store import Archive
from cambrian.archive.tables import clades, sources
from cambrian.errors import CambrianError

Identity = Callable[[Mapping[str, str]], str]


@dataclass(frozen=True)
class Problem:
    """Something that is not as promised: which promise, and what was found."""

    kind: str
    detail: str


# Each query finds rows that must not exist, and says in words what is wrong with one.
_RULES: dict[str, str] = {
    "evaluation counted twice": """
        SELECT agent_id || ' ' || benchmark || ' ' || stage || ' seed ' || seed || ': ' || count(*)
        FROM {table} WHERE verdict <> 'broken'
        GROUP BY agent_id, benchmark, version, stage, seed HAVING count(*) > 1""",
    "job of an ended proposal": """
        SELECT 'job ' || j.id || ' is queued, proposal ' || p.idx || ' is ' || p.state
        FROM jobs j JOIN proposals p ON p.id = j.proposal_id
        WHERE j.state = 'queued' AND p.state NOT IN ('open', 'proposed', 'ready')""",
    "decision without event": """
        SELECT 'proposal ' || idx || ' is ' || state FROM proposals p
        WHERE state NOT IN ('open', 'proposed', 'ready') AND NOT EXISTS
            (SELECT 1 FROM events e WHERE e.proposal_id = p.id AND e.kind = 'proposal.' || p.state)
        """,
    "event without effect": """
        SELECT 'event ' || e.seq || ': ' || e.kind FROM events e WHERE
           (e.kind IN ('evaluation.recorded', 'answers.recorded') AND NOT EXISTS
                (SELECT 1 FROM evaluations v WHERE v.id = json_extract(e.data, '$.evaluation')
                 AND v.agent_id = ifnull(e.agent_id, v.agent_id)))
        OR (e.kind = 'sealed.recorded' AND NOT EXISTS
                (SELECT 1 FROM sealed_evaluations v
                 WHERE v.id = json_extract(e.data, '$.evaluation')
                 AND v.agent_id = e.agent_id))
        OR (e.kind = 'agent.seeded' AND NOT EXISTS
                (SELECT 1 FROM agents a WHERE a.id = e.agent_id AND a.number IS NOT NULL))
        OR (e.kind LIKE 'job.%' AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.id = e.job_id))
        OR (e.kind LIKE 'proposal.%' AND NOT EXISTS
                (SELECT 1 FROM proposals p WHERE p.id = e.proposal_id))
        OR (e.kind IN ('run.started', 'run.finished') AND NOT EXISTS
                (SELECT 1 FROM runs r WHERE r.id = e.run_id))""",
    "proposal behind its events": """
        SELECT 'proposal ' || p.idx || ' is ' || p.state || ' after ' || last FROM proposals p
        JOIN (SELECT proposal_id, kind AS last, max(seq) FROM events
              WHERE proposal_id IS NOT NULL AND kind IN ('proposal.admitted', 'proposal.rejected',
                  'proposal.duplicate', 'proposal.invalid', 'proposal.failed_smoke',
                  'proposal.ready', 'proposal.proposed', 'proposal.opened',
                  'proposal.parked', 'proposal.reopened')
              GROUP BY proposal_id) e ON e.proposal_id = p.id
        WHERE 'proposal.' || CASE p.state WHEN 'open' THEN 'opened' ELSE p.state END <> last
          AND last <> 'proposal.reopened'""",
    "spend without event": """
        SELECT 'expected ' || n || ' model calls, found ' || (SELECT count(*) FROM spend)
        FROM (SELECT count(*) AS n FROM events WHERE kind = 'spend.added')
        WHERE n > (SELECT count(*) FROM spend)""",
    "orphan job": """
        SELECT 'job ' || j.id || ' is ' || j.state || ', and nothing waits for it' FROM jobs j
        WHERE j.state IN ('queued', 'leased') AND j.kind = 'evaluate' AND j.proposal_id IS NULL
          AND NOT EXISTS (SELECT 1 FROM agents a WHERE a.id = j.agent_id AND a.status = 'seed')
          AND NOT EXISTS (SELECT 1 FROM nulls n WHERE n.state = 'waiting'
                          AND j.stage = 'null-' || n.id)""",
    "admission without gates": """
        SELECT 'agent ' || id FROM agents a WHERE status = 'admitted'
        AND NOT EXISTS (SELECT 1 FROM gates g WHERE g.agent_id = a.id)""",
    "admission without parents": """
        SELECT 'agent ' || id FROM agents a WHERE status = 'admitted'
        AND NOT EXISTS (SELECT 1 FROM parents p WHERE p.child_id = a.id)""",
    "file without its text": """
        SELECT 'agent ' || a.id || ' lacks ' || f.key FROM agents a, json_each(a.files) f
        WHERE NOT EXISTS (SELECT 1 FROM sources s WHERE s.id = f.value)""",
    "parent that is no member": """
        SELECT 'agent ' || p.child_id || ' has parent ' || p.parent_id || ', which is ' || a.status
        FROM parents p JOIN agents a ON a.id = p.parent_id
        WHERE a.status NOT IN ('seed', 'admitted')""",
    "agent and proposal disagree": """
        SELECT 'agent ' || a.id || ' is ' || a.status || ', proposal ' || p.idx || ' is ' || p.state
        FROM agents a JOIN proposals p ON p.id = a.proposal_id
        WHERE p.agent_id IS NOT a.id OR p.idx <> a.proposal_index
           OR (a.status = 'admitted') <> (p.state = 'admitted')
           OR (a.status = 'rejected') <> (p.state IN ('rejected', 'failed_smoke', 'duplicate'))""",
    "gap in proposals": """
        SELECT 'expected ' || (max(idx) + 1) || ' proposals, found ' || count(*)
        FROM proposals HAVING count(*) <> max(idx) + 1""",
    "tally is off": """
        SELECT name || ': expected ' || sum(counted) || ', found ' || sum(kept)
        FROM (SELECT name, n AS counted, 0 AS kept FROM ({tallied})
              UNION ALL SELECT name, 0, n FROM tallies)
        GROUP BY name HAVING sum(counted) <> sum(kept)""",
    "spend total is off": """
        SELECT 'run ' || t.run_id || ': ' || t.calls || ' calls' FROM spend_totals t
        LEFT JOIN (SELECT ifnull(run_id, 0) AS run_id, count(*) AS calls,
                   sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion,
                   sum(dollars) AS dollars FROM spend GROUP BY 1) s USING (run_id)
        WHERE t.calls <> s.calls OR t.prompt_tokens <> s.prompt
           OR t.completion_tokens <> s.completion OR abs(t.dollars - s.dollars) > 1e-6""",
}

_CLOSE = 1e-9
_NOT_COPIED = """
SELECT a.number, a.score FROM agents a
LEFT JOIN scores c ON c.number = a.number
    AND c.suite_id = (SELECT id FROM suites WHERE current = 1)
WHERE a.number IS NOT NULL AND EXISTS (SELECT 1 FROM suites WHERE current = 1)
  AND (a.score IS NOT c.score OR a.lower IS NOT c.lower OR a.upper IS NOT c.upper)
"""

_TALLIED = " UNION ALL ".join(
    f"SELECT '{table}.' || {column} AS name, count(*) AS n FROM {table} GROUP BY {column}"  # noqa: S608 -- constants
    for table, column in (
        ("proposals", "state"),
        ("agents", "status"),
        ("evaluations", "verdict"),
        ("sealed_evaluations", "verdict"),
    )
)
_TALLIED += (
    " UNION ALL SELECT 'admitted.' || ifnull(reason, ''), count(*) FROM proposals "
    "WHERE state = 'admitted' GROUP BY 1"
)


def check(archive: Archive, *, identity: Identity | None = None) -> list[Problem]:
    """Look at everything. May take as long as reading the archive; holds no lock.

    Args:
        identity: the id of a source tree; without it, ids are not compared with the code.

    Returns:
        The problems, or an empty list.
    """
    problems: list[Problem] = []
    try:
        for problem in _everything(archive, identity):
            problems.append(problem)
    except (sqlite3.DatabaseError, CambrianError) as error:
        # The rest cannot be looked at; what was found so far stands.
        problems.append(Problem("unreadable", str(error)))
    return problems


def _everything(archive: Archive, identity: Identity | None) -> Iterator[Problem]:
    sound = True
    for problem in _storage(archive):
        sound = False
        yield problem
    if sound:
        # Rows of a damaged file would only repeat the same news.
        with archive.database.snapshot():
            yield from _rules(archive)
            yield from _nodes(archive)
            yield from _scores(archive)
            yield from _leases(archive)
            yield from _code(archive, identity)
        yield from (Problem("lineage", text) for text in Lineage(archive).verify())


def _storage(archive: Archive) -> Iterator[Problem]:
    database = archive.database
    for row in database.rows("PRAGMA integrity_check"):
        if row["integrity_check"] != "ok":
            yield Problem("integrity", str(row["integrity_check"]))
    for row in database.rows("PRAGMA foreign_key_check"):
        yield Problem("foreign key", f"{row['table']} row {row['rowid']} → {row['parent']}")
    if waiting := schema.pending(database):
        names = ", ".join(migration.__name__ for migration in waiting)
        yield Problem("schema", f"migrations are missing: {names}")


def _rules(archive: Archive) -> Iterator[Problem]:
    for kind, query in _RULES.items():
        tables = ("evaluations", "sealed_evaluations") if "{table}" in query else ("",)
        for table in tables:
            sql = query.format(table=table, tallied=_TALLIED)
            for row in archive.database.stream(sql):
                yield Problem(kind, str(next(iter(row.values()))))


def _nodes(archive: Archive) -> Iterator[Problem]:
    """The tree in numbers against a count of everything."""
    found = iter(archive.database.stream("SELECT * FROM nodes ORDER BY number DESC"))
    counted = 0
    for node in clades.recount(archive.database):
        counted += 1
        row = next(found, None)
        if row != vars(node):
            yield Problem("clade counts", f"#{node.number}: expected {vars(node)}, found {row}")
            return
    if (row := next(found, None)) is not None:
        yield Problem("clade counts", f"expected {counted} clades, found #{row['number']} too")


def _scores(archive: Archive) -> Iterator[Problem]:
    """Scores against the evaluations that they are made of, and the copy of the current suite's."""
    database = archive.database
    for kept in archive.suites.all():
        for row in database.stream(
            "SELECT c.*, a.id FROM scores c JOIN agents a ON a.number = c.number "
            "WHERE c.suite_id = ?",
            (kept.id,),
        ):
            vector = suites.vector_of(database, row["id"], kept.suite)
            found = json.loads(row["vector"])
            weights = kept.suite.weights
            score = sum(weights[name] * mean for name, mean in vector.items())
            if vector.keys() != weights.keys() or abs(score - row["score"]) > _CLOSE:
                yield Problem(
                    "score without its evaluations",
                    f"#{row['number']} in {kept.label}: expected {score:.6f} of {vector}, found "
                    f"{row['score']:.6f}",
                )
            elif found.keys() != vector.keys() or any(
                abs(found[name] - mean) > _CLOSE for name, mean in vector.items()
            ):
                yield Problem("score vector", f"#{row['number']}: expected {vector}, found {found}")
    for row in database.stream(_NOT_COPIED):
        yield Problem("score of another suite", f"#{row['number']}: found {row['score']}")


def _leases(archive: Archive) -> Iterator[Problem]:
    """Leases that no process will return (the next start of a killed run returns its own)."""
    run = archive.runs.current()
    if archive.lock_holder() is not None or (run is not None and run.state == "running"):
        return
    for row in archive.database.stream("SELECT id, lease_owner FROM jobs WHERE state = 'leased'"):
        yield Problem(
            "lease without a daemon",
            f"job {row['id']} is leased to {row['lease_owner']}, but no process holds the lock",
        )


def _code(archive: Archive, identity: Identity | None) -> Iterator[Problem]:
    for row in archive.database.stream("SELECT hash, content FROM sources"):
        try:
            sources.read(row["hash"], row["content"])
        except CambrianError as error:
            yield Problem("source", str(error))
    for row in archive.database.stream("SELECT id FROM agents"):
        try:
            files = archive.agents.files(row["id"])
        except CambrianError as error:
            yield Problem("code", f"agent {row['id']}: {error}")
            continue
        if identity is not None and (came := identity(files)) != row["id"]:
            yield Problem("code", f"agent {row['id']}: its code has the id {came}")
