"""The longer questions that `tables.agents` asks, as SQL."""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

# The parents come with the row, so that a list of agents is one query.
COLUMNS = """
a.id, a.number, a.status, a.kind, a.title, a.hypothesis, a.depth,
(SELECT json_group_array(parent_id) FROM
    (SELECT parent_id FROM parents WHERE child_id = a.id ORDER BY position)) AS parents,
a.run_id, a.proposal_id, a.proposal_index, a.score, a.lower, a.upper, a.created_at, a.decided_at
"""

# The code of one that was parked is not judged; a variant that equals it has to be.
TWIN = f"""
SELECT {COLUMNS} FROM agents a LEFT JOIN proposals p ON p.id = a.proposal_id
WHERE a.fingerprint = ? AND (a.status <> 'candidate' OR p.state NOT IN ('parked', 'invalid'))
ORDER BY a.number IS NULL, a.number, a.proposal_index LIMIT 1
"""

SAME_CODE = """
SELECT a.id FROM agents a LEFT JOIN proposals p ON p.id = a.proposal_id
WHERE a.fingerprint = ? AND a.number IS NOT NULL AND (p.idx IS NULL OR p.idx <= ?)
ORDER BY a.number LIMIT 1
"""


SAME_LEARNER = """
SELECT id FROM agents WHERE learner = ? AND status IN ('seed', 'admitted') AND score IS NOT NULL
  AND (proposal_index IS NULL OR proposal_index <= ?)
ORDER BY number LIMIT 1
"""


# One row per member through a proposal; parents(parent_id) and agents(id) answer the count.
MEMBERS = """
SELECT m.id AS agent_id, m.number, m.score, m.lower, m.depth,
    (SELECT count(*) FROM parents p JOIN agents c ON c.id = p.child_id
     WHERE p.parent_id = m.id AND c.status = 'admitted' AND c.score IS NOT NULL
       AND c.proposal_index <= :through) AS children
FROM (
    SELECT id, number, score, lower, depth FROM agents
    WHERE status = 'seed' AND score IS NOT NULL
    UNION ALL
    SELECT id, number, score, lower, depth FROM agents
    WHERE status = 'admitted' AND score IS NOT NULL AND proposal_index <= :through
) m
ORDER BY m.number
"""

CHAMPION = f"""
SELECT {COLUMNS} FROM agents a
WHERE a.status IN ('seed', 'admitted') AND a.lower IS NOT NULL
  AND (a.proposal_index IS NULL OR a.proposal_index <= :through)
ORDER BY a.lower DESC, a.number LIMIT 1
"""

ANCESTORS = """
WITH RECURSIVE up (id, distance) AS (
    SELECT parent_id, 1 FROM parents WHERE child_id = :agent
    UNION
    SELECT p.parent_id, up.distance + 1 FROM up JOIN parents p ON p.child_id = up.id
)
SELECT id, min(distance) AS distance FROM up GROUP BY id ORDER BY distance, id
"""

# The queue of a recursive query that is ordered by level descending is a stack: depth first.
SUBTREE = """
WITH RECURSIVE down (number, level) AS (
    VALUES (:number, 0)
    UNION ALL
    SELECT n.number, down.level + 1 FROM down
    JOIN nodes n ON n.parent = down.number AND n.member
    WHERE down.level < :depth
    ORDER BY 2 DESC, 1
    LIMIT :limit OFFSET :offset
)
SELECT number, level FROM down
"""

LINE = f"""
WITH RECURSIVE up (id, distance) AS (
    VALUES (:agent, 0)
    UNION ALL
    SELECT p.parent_id, up.distance + 1
    FROM up JOIN parents p ON p.child_id = up.id AND p.position = 0
)
SELECT {COLUMNS} FROM up JOIN agents a ON a.id = up.id ORDER BY up.distance
"""
