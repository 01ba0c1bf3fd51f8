"""The file of a benchmark that a table is made into: short, and yours to change."""

from __future__ import annotations

import keyword
import re
from dataclasses import fields
from pathlib import Path

from cambrian.errors import UsageError
from cambrian.tables.plan import Kind, Plan
from cambrian.tables.planning import Made

_TASKS = ("class-incremental", "domain")
_HOW = {
    "drift": "Rows come in their order, a few at a time: predict {label}, then be told.",
    "regression": "Rows come in their order, a few at a time: predict the number {label}, "
    "then be told.",
    "class-incremental": "Tell {label}; its classes come one after the other.",
    "domain": "Tell {label}; the values of {domain} come one after the other.",
}


def benchmark_file(table: Path, target: Path, made: Made, kind: Kind) -> str:
    """The text of `target`, a benchmark of the table that lies beside it. Names in the table and
    of its file stand in it as literals only.

    Raises:
        UsageError: the two are not in one folder, or the file's name names no benchmark.
    """
    if table.resolve().parent != target.resolve().parent:
        raise UsageError(
            f"expected the benchmark beside its table, in {table.resolve().parent}; got {target}"
        )
    name = re.sub(r"[^a-z0-9]+", "-", target.stem.lower()).strip("-")
    if target.suffix != ".py" or not name:
        raise UsageError(f"expected a file NAME.py, with letters or digits; got {target.name!r}")
    base = "TableTasks" if kind in _TASKS else "TableStream"
    how = _HOW[kind].format(label=made.plan.label, domain=made.plan.domain)
    said = {
        "task": how,
        "data": " ".join([f"{table.name}: {made.rows} rows.", *made.notes])
        + f" Columns are centred and scaled by the first {made.plan.first} rows"
        + (" of a fixed random order, which are to learn from" if base == "TableTasks" else "")
        + "; of rows with equal inputs the first alone is there.",
        "hidden": "Every label until the prediction was made, and the later rows, which are sealed."
        if base == "TableStream"
        else "The labels of all rows to be judged by, and the rows of tasks to come.",
        "floor": _floor(kind),
        "ceiling": "No error at all; nothing says that it can be reached.",
        "shortcuts": "Unknown: nobody has looked. Where labels stay the same for long, the last "
        "one is a good guess.",
        "reference": "None known; hold a classifier of your own against it.",
    }
    card = "".join(f"        {key}={text!r},\n" for key, text in said.items())
    cls = "".join(part.capitalize() for part in name.split("-"))
    cls = f"Table{cls}" if keyword.iskeyword(cls) or not cls[0].isalpha() else cls
    return f'''"""A table as a benchmark, written by `cambrian bench new`; yours to change.

Change what a learner could notice, and `version` has to change too.
"""

from pathlib import Path

from cambrian.benchmarks import Card
from cambrian.tables import Column, Plan, {base}

{_literal(made.plan)}


class {cls}({base}):
    name = {name!r}
    version = "1"
    file = Path(__file__).with_name({table.name!r})
    plan = PLAN
    card = Card(
{card}    )
'''


def _literal(plan: Plan) -> str:
    """The plan as code, a line for each column."""
    rest = {field.name: getattr(plan, field.name) for field in fields(plan)}
    columns = "".join(f"        {column!r},\n" for column in rest.pop("columns"))
    rows = "".join(f"    {name}={value!r},\n" for name, value in rest.items())
    return f"PLAN = Plan(\n{rows}    columns=(\n{columns}    ),\n)"


def _floor(kind: Kind) -> str:
    if kind == "regression":
        return "The last value told, said again; 1 less the share of its squared error."
    if kind == "drift":
        return "The commonest label so far."
    return "One constant label, the best in hindsight, as a mean over tasks."
