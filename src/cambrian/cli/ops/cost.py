"""`cambrian cost`: what was spent, on what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import note, show_fields, show_json, show_table
from cambrian.cli.render.text import duration, quantity

if TYPE_CHECKING:
    from cambrian.archive import Archive

_GROUPS = {
    "model": "s.model",
    "day": "date(s.at, 'unixepoch')",
    "phase": "s.phase",
    "agent": "coalesce(s.agent_id, p.agent_id, 'no variant')",
}

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


@click.command(epilog=examples("cambrian cost", "cambrian cost --by model", "cambrian cost --json"))
@click.option(
    "--by",
    type=click.Choice(sorted(_GROUPS)),
    default="phase",
    show_default=True,
    help="What to add up by.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    metavar="N",
    help="At most so many rows; 0 for all.",
)
@json_option
@common
@click.pass_obj
def cost(shared: Shared, by: str, limit: int, as_json: bool) -> None:
    """Show what was spent: calls, tokens and dollars of models, evaluations and processor time.

    Calls that an endpoint did not count, or that a kill cut off, are counted by an upper estimate
    and shown as such.
    """
    with shared.reading() as archive:
        found = _found(archive, by, limit)
    if as_json:
        show_json(found)
        return
    if found["items"]:
        headers = (by, "calls", "prompt", "completion", "dollars", "estimated")
        show_table(headers, [_row(item) for item in found["items"]])
    else:
        note("no model was asked")
    show_fields(
        {
            "evaluations": _work(found["evaluations"]),
            "sealed": _work(found["sealed_evaluations"]),
            "run time": duration(found["wall_s"]),
        }
    )


def _found(archive: Archive, by: str, limit: int) -> dict[str, Any]:
    order = "name" if by == "day" else "dollars DESC, prompt_tokens DESC, name"
    sql = _SPEND.format(group=_GROUPS[by], order=order)
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


def _row(item: dict[str, Any]) -> list[str]:
    return [
        str(item["name"]),
        str(item["calls"]),
        quantity(item["prompt_tokens"]),
        quantity(item["completion_tokens"]),
        f"${item['dollars']:.2f}",
        f"{item['estimated']} calls" if item["estimated"] else "",
    ]


def _work(item: dict[str, Any]) -> str:
    return f"{item['evaluations']}, {duration(item['cpu_s'])} of processor time"
