#!/usr/bin/env python3
"""Write docs/views.md, contract.md and channel.md from the code; with --check, only compare."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sqlite3
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from cambrian.agents import contract  # noqa: E402 - after the path is set
from cambrian.agents.spec import TaskSpec  # noqa: E402
from cambrian.archive import Archive  # noqa: E402
from cambrian.sandbox.runner import frames, verbs  # noqa: E402

DOCS = ROOT / "docs"
MADE = "Made by `tools/docs_site/reference_docs.py` from the code; a test holds the two together.\n"

VIEWS_HEAD = f"""# SQL views and tables

{MADE}
What an archive's database holds, as SQLite tells it. What the columns of the views mean, and which
tables may be relied on, is said in [The archive](archive.md); how to ask, too. Views keep their
columns; a table that page does not name may change with any migration.
"""

CONTRACT_HEAD = f"""# The learner contract

{MADE}
An agent is a folder with a `learner.py` that defines a class `Learner`. The evaluator calls its
methods by name; a subclass of `cambrian.agents.contract.Learner` gets what every learner needs. A
learner implements what it can, and each benchmark names the methods that it calls. Inside the
sandbox there are the standard library, numpy, torch and this contract, and nothing else. To write a
learner out of parts, see [Extend Cambrian](extend.md).

This is version {contract.CONTRACT_VERSION} of the contract.
"""

CHANNEL_HEAD = f"""# The channel

{MADE}
The one door of the sandbox: frames over a socket, in both directions. The trusted side asks and the
sandbox answers. The set of frames is closed, every size is checked before memory is taken for it,
and nothing is ever unpickled ([threat model](threat-model.md)).

A frame is a header, a JSON object and at most one array:

```text
magic "{frames.MAGIC.decode()}" | type u8 | dtype u8 | ndim u8 | 0
sequence u32 | meta u32 | payload u64 | dims {frames.MAX_DIMS} x u32
```

| bound | value |
|---|---|
| header | {frames.HEADER.size} bytes |
| JSON | {frames.MAX_META:,} bytes |
| array | {frames.MAX_PAYLOAD:,} bytes, {frames.MAX_DIMS} dimensions |
| types of arrays | {", ".join(f"`{dtype.name}`" for dtype in frames.DTYPES)} |
"""


def cell(text: str) -> str:
    """Text that may stand in a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def table(head: str, rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table; `head` has the columns, separated by bars."""
    columns = head.split("|")
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def views_page() -> str:
    """`docs/views.md`, read off an empty archive."""
    with tempfile.TemporaryDirectory() as folder:
        Archive.create(Path(folder) / "archive").close()
        database = sqlite3.connect(Path(folder) / "archive" / "archive.db")
        found = database.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'table')"
            " AND name NOT LIKE 'sqlite_%' ORDER BY name"
        ).fetchall()
        columns = {
            name: database.execute(
                "SELECT name, type FROM pragma_table_info(?)", (name,)
            ).fetchall()
            for _, name, _ in found
        }
        database.close()
    parts = [VIEWS_HEAD, "## Views\n"]
    for kind, name, sql in found:
        if kind == "view":
            listed = ", ".join(f"`{column}`" for column, _ in columns[name])
            parts.append(f"### `{name}`\n\n{listed}\n\n```sql\n{sql.strip()}\n```\n")
    rows = [
        (
            f"`{name}`",
            ", ".join(f"`{column}` {kind.lower()}".strip() for column, kind in columns[name]),
        )
        for what, name, _ in found
        if what == "table"
    ]
    return "\n".join([*parts, "## Tables\n", table("table|columns", rows)])


def attributes(text: str) -> dict[str, str]:
    """What a docstring's `Attributes:` says of each name."""
    section = inspect.cleandoc(text).split("Attributes:\n")[1].split("\n\n")[0]
    found: dict[str, str] = {}
    for line in section.splitlines():
        if start := re.match(r"    (\w+(?:, \w+)*): (.*)", line):
            names, rest = start.groups()
            found |= dict.fromkeys(names.split(", "), rest)
            last = names.split(", ")
        else:
            found |= {name: f"{found[name]} {line.strip()}" for name in last}
    return found


def default(field: dataclasses.Field[object]) -> str:
    """A field's default as code, or nothing."""
    return "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"


def signature(source: str, node: ast.FunctionDef, owner: ast.ClassDef) -> str:
    """A method's head and docstring as they are written; those of the class for `__init__`."""
    rows, first = source.splitlines(), node.body[0]
    head = rows[node.lineno - 1 : first.lineno - 1]
    said = first if ast.get_docstring(node) else owner.body[0]
    text = rows[said.lineno - 1 : said.end_lineno]
    if said is not first:
        text = [f"    {row}".rstrip() for row in text]
    return re.sub(r"  # noqa.*", "", textwrap.dedent("\n".join([*head, *text])))


def contract_page() -> str:
    """`docs/contract.md`."""
    told = attributes(TaskSpec.__doc__ or "")
    fields = [
        (f"`{field.name}`", default(field), cell(told[field.name]))
        for field in dataclasses.fields(TaskSpec)
    ]
    source = inspect.getsource(contract)
    learner = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    parts = [CONTRACT_HEAD, "## Methods\n"]
    for node in learner.body:
        if isinstance(node, ast.FunctionDef):
            code = signature(source, node, learner)
            parts.append(f"### `{node.name}`\n\n```python\n{code}\n```\n")
    head = "## What a learner is told of its stream\n\n`self.spec`, a `TaskSpec`:\n"
    return "\n".join([*parts, head, table("field|default|what it is", fields)])


def frame_rows() -> list[tuple[str, ...]]:
    """What the comments beside `frames.Kind` say: number, name, direction, content, use, answer."""
    rows: list[tuple[str, ...]] = []
    for line in inspect.getsource(frames.Kind).splitlines():
        if found := re.match(r"    ([A-Z_]+) = (\d+)(?:  # ?(.*))?", line):
            name, number, comment = found.groups(default="")
            before, _, answer = comment.partition("->")
            pieces = [piece for piece in re.split(r"\s{2,}", before.strip()) if piece]
            carries = pieces.pop(0) if pieces and re.match("meta|tensor", pieces[0]) else ""
            side = "to the sandbox" if int(number) < 64 else "out of it"
            what = " ".join(pieces)
            rows.append((number, f"`{name}`", side, cell(carries), cell(what), cell(answer)))
    return rows


def verb_rows() -> list[tuple[str, ...]]:
    """Every verb: its arguments, its answer, and what is done with that."""
    return [
        (
            f"`{verb.name}`",
            ", ".join(f"`{name}`" for name in (*verb.arrays, *verb.numbers)),
            verb.answer.what if verb.answer else "none",
            "yes" if verb.answer or verb.waits else "no",
            "yes" if verb.recorded else "no",
        )
        for verb in verbs.VERBS.values()
    ]


def channel_page() -> str:
    """`docs/channel.md`."""
    framed = table("number|frame|direction|carries|what for|answered by", frame_rows())
    called = table("verb|arguments|answer|waited for|answer is kept", verb_rows())
    text = (
        "## Verbs\n\nEach is a method of a learner ([the contract](contract.md)) and a row of the"
        " table `sandbox.runner.verbs.VERBS`,\nfrom which both ends of the channel, the record and"
        " its playback follow.\n"
    )
    return "\n".join([CHANNEL_HEAD, "## Frames\n", framed, text, called])


PAGES: dict[str, Callable[[], str]] = {
    "views.md": views_page,
    "contract.md": contract_page,
    "channel.md": channel_page,
}


def main() -> None:
    """Write every page, or compare."""
    for name, make in PAGES.items():
        target, text = DOCS / name, make()
        if "--check" not in sys.argv[1:]:
            target.write_text(text, encoding="utf-8")
        elif not target.is_file() or target.read_text(encoding="utf-8") != text:
            sys.exit(f"docs/{name} is out of date: run tools/docs_site/reference_docs.py")


if __name__ == "__main__":
    main()
