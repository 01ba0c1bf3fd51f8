"""The SQL views: a public interface for people with `sqlite3`, `datasette` or a notebook.

============== ==============================================================================
view           one row is
============== ==============================================================================
agent_tree     a member, depth first over primary parents, with `level` and an indented `name`
lineage        (agent, ancestor, distance): every ancestor over both parents, nearest path
stepping_stones a stepping stone, and whether it is `used`: an ancestor of the champion
leaderboard    a member with a score, the best lower bound first
spend_by_day   a day (UTC), a model: calls, tokens and dollars
============== ==============================================================================

`agent_tree` and `lineage` walk the whole tree: they are for reading, not for the hot path
(`Agents.ancestors` is the bounded walk from one agent). Frozen like the tables.
"""

# ruff: noqa: S608 -- SQL is put together from constants of this module; values are parameters.
from __future__ import annotations

CHAMPION = """
SELECT id FROM agents
WHERE status IN ('seed', 'admitted') AND lower IS NOT NULL
ORDER BY lower DESC, number LIMIT 1
"""

VIEWS: dict[str, str] = {
    # The queue of a recursive query that is ordered by level descending is a stack: depth first.
    "agent_tree": """
WITH RECURSIVE tree (id, parent_id, level, number, status, kind, title, score, lower, upper) AS (
    SELECT id, NULL, 0, number, status, kind, title, score, lower, upper
    FROM agents WHERE status = 'seed'
    UNION ALL
    SELECT a.id, tree.id, tree.level + 1,
           a.number, a.status, a.kind, a.title, a.score, a.lower, a.upper
    FROM tree
    JOIN parents p ON p.parent_id = tree.id AND p.position = 0
    JOIN agents a ON a.id = p.child_id AND a.status = 'admitted'
    ORDER BY 3 DESC, 4
)
SELECT id, parent_id, level, number, status, kind, title, score, lower, upper,
       printf('%*s', 2 * level, '') || '#' || number || ' ' || substr(id, 1, 12) || ' ' || title
           AS name
FROM tree
""",
    "lineage": """
WITH RECURSIVE up (agent, ancestor, distance) AS (
    SELECT child_id, parent_id, 1 FROM parents
    UNION
    SELECT up.agent, p.parent_id, up.distance + 1
    FROM up JOIN parents p ON p.child_id = up.ancestor
)
SELECT agent, ancestor, min(distance) AS distance FROM up GROUP BY agent, ancestor
""",
    "stepping_stones": f"""
WITH RECURSIVE up (id) AS (
    SELECT p.parent_id FROM parents p WHERE p.child_id = ({CHAMPION})
    UNION
    SELECT p.parent_id FROM up JOIN parents p ON p.child_id = up.id
)
SELECT id, number, title, score, lower, upper, decided_at, id IN (SELECT id FROM up) AS used
FROM agents WHERE kind = 'stepping_stone' AND status = 'admitted'
""",
    "leaderboard": """
SELECT id, number, kind, title, score, lower, upper, depth
FROM agents
WHERE status IN ('seed', 'admitted') AND lower IS NOT NULL
ORDER BY lower DESC, number
""",
    "spend_by_day": """
SELECT date(at, 'unixepoch') AS day, model, count(*) AS calls,
       sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens,
       sum(dollars) AS dollars
FROM spend GROUP BY day, model
""",
}
