"""How many of the changes that models gave could be made: by format, size and model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cambrian.archive import Archive

SIZES = (
    "CASE WHEN size < 1000 THEN 'under 1,000' WHEN size <= 4000 THEN '1,000 to 4,000' "
    "ELSE 'above 4,000' END"
)

_CHANGES = f"""
SELECT format AS name, model, {SIZES} AS size, count(*) AS changes, sum(made) AS made
FROM edit_changes GROUP BY 1, 2, 3 ORDER BY name, model, min(size) LIMIT ?
"""  # noqa: S608 -- of constants
_Z = 1.959963984540054


def changes_by_format(archive: Archive, limit: int = 0) -> list[dict[str, Any]]:
    """The changes of models' answers by format, model and characters (search and replacement
    together), how many of them were made, and that share with its 95 % interval, as JSON.

    The interval is Wilson's (1927, "Probable inference, the law of succession, and statistical
    inference").
    """
    rows = archive.database.rows(_CHANGES, (limit or -1,))
    return [{**row, **_share(row["made"], row["changes"])} for row in rows]


def _share(made: int, count: int) -> dict[str, float]:
    share, square = made / count, _Z * _Z
    middle = (share + square / (2 * count)) / (1 + square / count)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    half /= 1 + square / count
    lower, upper = max(0.0, middle - half), min(1.0, middle + half)
    return {"share": share, "lower": lower, "upper": upper}
