"""An agent's imports, made relative: what it takes from us and from its parts lies beside it then.

Only the import statements change; all else stays byte for byte as it is in the archive.
"""

from __future__ import annotations

import ast
import re

from cambrian.agents.reach import OURS
from cambrian.agents.syntax import parsed
from cambrian.errors import InvalidAgent

PARTS = "parts"
_PREFIX = "cambrian.agents."
_LINE_END = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")
"""Where a syntax tree begins a new line: unlike `splitlines`, not after a form feed."""


def made_relative(path: str, text: str) -> str:
    """The file of an agent as it stands in a package, below a folder of its own.

    Args:
        path: `learner.py` or `parts/<name>.py`.
        text: its code.

    Raises:
        InvalidAgent: it imports something of ours that a package does not bring, or does not parse.
    """
    up = 2 if path.startswith(f"{PARTS}/") else 1
    lines = _LINE_END.split(text)
    found = [n for n in parsed(path, text).nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
    for node in sorted(found, key=lambda one: (one.lineno, one.col_offset), reverse=True):
        new = _from(node, path, up) if isinstance(node, ast.ImportFrom) else _plain(node, path, up)
        if new is not None:
            _replace(lines, node, new)
    made = "".join(lines)
    parsed(path, made)
    return made


def _from(node: ast.ImportFrom, path: str, up: int) -> str | None:
    """`from parts.x import A` as `from .parts.x import A`; None where nothing is to change."""
    if node.level or node.module is None:
        return None
    first = node.module.partition(".")[0]
    if first not in (PARTS, "cambrian"):
        return None
    if node.module == "cambrian.agents":
        names = [f"{_PREFIX}{alias.name}" for alias in node.names]
        module = ""
    else:
        names, module = [node.module], _beside(node.module, up)
    if first == "cambrian":
        _require_ours(names, path, node.lineno)
    level = 1 if first == PARTS else up
    return ast.unparse(ast.ImportFrom(module or None, node.names, level))


def _plain(node: ast.Import, path: str, up: int) -> str | None:
    """`import parts.x as y` as `from .parts import x as y`."""
    rows, changed = [], False
    for alias in node.names:
        first, _, rest = alias.name.partition(".")
        if first == "cambrian":
            _require_ours([alias.name], path, node.lineno)
            if alias.asname is None:
                raise InvalidAgent(
                    f"{path}:{node.lineno}: expected `from {alias.name} import NAME` or `import "
                    f"{alias.name} as NAME`; a package cannot bring the name `cambrian`"
                )
            name = alias.name.removeprefix(_PREFIX)
            rows.append(f"from {'.' * up} import {name} as {alias.asname}")
        elif first == PARTS:
            inside = "." if up == 2 else f".{PARTS}"
            if alias.asname is not None and rest:
                rows.append(f"from {inside} import {rest} as {alias.asname}")
            else:
                if rest:
                    rows.append(f"from {inside} import {rest} as _{rest}")
                bound = f" as {alias.asname}" if alias.asname else ""
                rows.append(f"from {'.' * up} import {PARTS}{bound}")
        else:
            rows.append(ast.unparse(ast.Import([alias])))
            continue
        changed = True
    return "; ".join(rows) if changed else None


def _beside(module: str, up: int) -> str:
    """A module's name, seen from the file that imports it."""
    if module.startswith(_PREFIX):
        return module.removeprefix(_PREFIX)
    return module if up == 1 else module.removeprefix(PARTS).removeprefix(".")


def _require_ours(names: list[str], path: str, line: int) -> None:
    allowed = {f"{_PREFIX}{name}" for name in ("contract", "part", "spec")} & set(OURS)
    for name in names:
        if name not in allowed:
            raise InvalidAgent(f"{path}:{line}: expected one of {sorted(allowed)}; got {name}")


def _replace(lines: list[str], node: ast.stmt, new: str) -> None:
    """Put `new` in the place of a statement; columns of a syntax tree count bytes."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before = lines[first].encode()[: node.col_offset].decode()
    after = lines[last].encode()[node.end_col_offset :].decode()
    lines[first : last + 1] = [before + new + after]
