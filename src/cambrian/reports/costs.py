"""What was spent: on models, and on evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cambrian.errors import UsageError
from cambrian.reports.agent.yields import improver_yields
from cambrian.reports.stated.shares import share_of

if TYPE_CHECKING:
    from cambrian.archive import Archive

GROUPS = {
    "model": "s.model",
    "day": "date(s.at, 'unixepoch')",
    "phase": "s.phase",
    "agent": "coalesce(s.agent_id, p.agent_id, 'no variant')",
}
"""What spend can be added up by, and how SQL says it."""

BY = (*GROUPS, "format", "improver")
"""What can be asked for: of formats, how many of their changes could be made; of improvers, what
their edits came to."""

_SPEND = """
SELECT {group} AS name, count(*) AS calls, sum(s.prompt_tokens) AS prompt_tokens,
       sum(s.completion_tokens) AS completion_tokens, sum(s.dollars) AS dollars,
       sum(s.estimated) AS estimated
FROM spend s {join} GROUP BY 1 ORDER BY {order} LIMIT ?
"""

_WORK = """
SELECT count(*) AS evaluations, ifnull(sum(cpu_s), 0.0) AS cpu_s,
       ifnull(sum(wall_s), 0.0) AS wall_s FROM {table} WHERE verdict <> 'broken'
"""


def _spend(archive: Archive, by: str, limit: int) -> list[dict[str, Any]]:
    order = "name" if by == "day" else "dollars DESC, prompt_tokens DESC, name"
    join = "LEFT JOIN proposals p ON p.id = s.proposal_id" if by == "agent" else ""
    sql = _SPEND.format(group=GROUPS[by], order=order, join=join)
    return archive.database.rows(sql, (limit or -1,))


def costs(archive: Archive, by: str = "phase", limit: int = 0) -> dict[str, Any]:
    """Spend by one of `BY` (at most `limit` rows, the dearest first; 0: all), in total, and the
    processor and wall seconds of evaluations, as JSON; by model, also how honest each was.

    Raises:
        UsageError: `by` is none of `BY`.
    """
    if by not in BY:
        raise UsageError(f"expected one of {sorted(BY)} to add up by, got {by!r}")
    # Imported late: it needs what takes a second to import.
    from cambrian.reports.stated.honesty import honesty

    return {
        "by": by,
        "items": _items(archive, by, limit),
        **({"honesty": honesty(archive)} if by == "model" else {}),
        "total": vars(archive.ledger.total()),
        **{
            table: archive.database.row(_WORK.format(table=table))
            for table in ("evaluations", "sealed_evaluations")
        },
        "wall_s": archive.database.value("SELECT ifnull(sum(wall_s), 0.0) FROM runs"),
    }


def _items(archive: Archive, by: str, limit: int) -> list[dict[str, Any]]:
    if by == "format":
        return changes_by_format(archive, limit)
    return improver_yields(archive, limit) if by == "improver" else _spend(archive, by, limit)


SIZES = (
    "CASE WHEN size < 1000 THEN 'under 1,000' WHEN size <= 4000 THEN '1,000 to 4,000' "
    "ELSE 'above 4,000' END"
)

_CHANGES = f"""
SELECT format AS name, model, {SIZES} AS size, count(*) AS changes, sum(made) AS made
FROM edit_changes GROUP BY 1, 2, 3 ORDER BY name, model, min(size) LIMIT ?
"""  # noqa: S608 -- of constants


def changes_by_format(archive: Archive, limit: int = 0) -> list[dict[str, Any]]:
    """The changes of models' answers by format, model and characters (search and replacement
    together), how many of them were made, and that share with its 95 % interval, as JSON.

    The interval is Wilson's (1927, "Probable inference, the law of succession, and statistical
    inference").
    """
    rows = archive.database.rows(_CHANGES, (limit or -1,))
    return [{**row, **share_of(row["made"], row["changes"])} for row in rows]
