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

The tables `agents`, `gates`, `evaluations` and `series` are part of the interface as they are; all
is documented in docs/archive.md. No view needs a function of ours, so that any program that reads
SQLite shows them. `agent_tree` walks the whole tree up to the last row that is asked for. Frozen
like the tables.
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

# Of a later migration, and frozen as well.
LATER: dict[str, str] = {
    "clade": """
SELECT n.number, a.id, a.title, n.clade_members AS members, n.children,
       n.clade_trials AS trials, n.clade_successes / 1000000.0 AS successes,
       n.clade_successes / 1000000.0 / nullif(n.clade_trials, 0) AS mean,
       n.trials AS own_trials, n.successes / 1000000.0 AS own_successes
FROM nodes n JOIN agents a ON a.number = n.number
WHERE n.member
""",
    "evaluations_by_benchmark": """
SELECT benchmark, version, stage, count(DISTINCT agent_id) AS agents,
       sum(verdict = 'scored') AS scored, sum(verdict = 'failed') AS failed,
       sum(verdict = 'broken') AS broken, avg(score) AS mean_score, max(score) AS best_score,
       sum(cpu_s) AS cpu_s, sum(wall_s) AS wall_s, sum(flops * 1.0) AS flops
FROM evaluations GROUP BY benchmark, version, stage
""",
}

# Of a later migration again: `AGAIN` makes these two anew, for a million agents.
AGAIN: dict[str, str] = {
    # Numbers only while it walks, and what belongs to them afterwards. Without the LIMIT, SQLite
    # takes the order for one that a join makes meaningless, and drops it: it is the walk's.
    "agent_tree": """
WITH RECURSIVE tree (number, level) AS (
    SELECT number, 0 FROM nodes WHERE parent IS NULL AND member
    UNION ALL
    SELECT n.number, tree.level + 1
    FROM tree JOIN nodes n ON n.parent = tree.number AND n.member
    ORDER BY 2 DESC, 1 LIMIT -1
)
SELECT a.id, p.parent_id, tree.level, tree.number, a.status, a.kind, a.title,
       a.score, a.lower, a.upper,
       printf('%*s', 2 * tree.level, '') || '#' || tree.number || ' ' || substr(a.id, 1, 12)
           || ' ' || a.title AS name
FROM tree CROSS JOIN agents a ON a.number = tree.number
LEFT JOIN parents p ON p.child_id = a.id AND p.position = 0
""",
    # A walk for each agent, so that a question for one walks for one. Only a table-valued function
    # may depend on what stands before it in a join; JSON carries the walk through it.
    "lineage": """
SELECT a.id AS agent, up.key AS ancestor, up.value AS distance
FROM agents a, json_each((
    WITH RECURSIVE up (id, distance) AS (
        SELECT parent_id, 1 FROM parents WHERE child_id = a.id
        UNION
        SELECT p.parent_id, up.distance + 1 FROM up JOIN parents p ON p.child_id = up.id
    )
    SELECT json_group_object(id, distance)
    FROM (SELECT id, min(distance) AS distance FROM up GROUP BY id)
)) up
""",
}
