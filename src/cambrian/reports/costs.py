"""What was spent: on models, and on evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError

if TYPE_CHECKING:
    from cambrian.archive import Archive

GROUPS = {
    "model": "s.model",
    "day": "date(s.at, 'unixepoch')",
    "phase": "s.phase",
    "agent": "coalesce(s.agent_id, p.agent_id, 'no variant')",
}
"""What spend can be added up by, and how SQL says it."""

_SPEND = """
SELECT {group} AS name, count(*) AS calls, sum(s.prompt_tokens) AS prompt_tokens,
       sum(s.completion_tokens) AS completion_tokens, sum(s.dollars) AS dollars,
       sum(s.estimated) AS estimated
FROM spend s LEFT JOIN proposals p ON p.id = s.proposal_id GROUP BY 1 ORDER BY {order} LIMIT ?
"""

_WORK = """
SELECT count(*) AS evaluations, ifnull(sum(cpu_s), 0.0) AS cpu_s,
       ifnull(sum(wall_s), 0.0) AS wall_s FROM {table} WHERE verdict <> 'broken'
"""


def costs(archive: Archive, by: str = "phase", limit: int = 0) -> dict[str, Any]:
    """Spend by one of `GROUPS` (at most `limit` rows, the dearest first; 0: all), in total, and the
    processor and wall seconds of evaluations, as JSON.

    Raises:
        UsageError: `by` is none of `GROUPS`.
    """
    if by not in GROUPS:
        raise UsageError(f"expected one of {sorted(GROUPS)} to add up by, got {by!r}")
    order = "name" if by == "day" else "dollars DESC, prompt_tokens DESC, name"
    sql = _SPEND.format(group=GROUPS[by], order=order)
    items = archive.database.rows(sql, (limit or -1,))
    return {
        "by": by,
        "items": items,
        "total": vars(archive.ledger.total()),
        **{
            table: archive.database.row(_WORK.format(table=table))
            for table in ("evaluations", "sealed_evaluations")
        },
        "wall_s": archive.database.value("SELECT ifnull(sum(wall_s), 0.0) FROM runs"),
    }
