"""Static checks of what a file imports: found here, an error costs no evaluation."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping

from cambrian.agents.reach import OURS, PARTS
from cambrian.agents.syntax import parsed
from cambrian.agents.tree import IMPROVER, NOTES
from cambrian.errors import InvalidAgent

PACKAGES = frozenset({"numpy", "torch"})
"""What a sandbox has beside the standard library and the few modules of ours (`reach.OURS`)."""
ANSWERS = "cambrian.agents.answers"


def check_imports(files: Mapping[str, str], before: Mapping[str, str]) -> None:
    """Check the files that are not what they were before.

    Raises:
        InvalidAgent: one imports what a sandbox does not have, or a part that the agent has not;
            with the file, the line, and what there is.
    """
    for path, text in files.items():
        if path != NOTES and before.get(path) != text:
            for node in parsed(path, text).nodes:
                for name in _names(node, path):
                    _check(name, path, getattr(node, "lineno", 1), files)


def _names(node: ast.AST, path: str) -> Iterator[str]:
    """The modules that a statement imports, by their full names."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        inside = PARTS if node.level and path.startswith(f"{PARTS}/") else ""
        module = ".".join(filter(None, (inside, node.module)))
        if module in (PARTS, "cambrian", "cambrian.agents"):
            yield from (f"{module}.{alias.name}" for alias in node.names if alias.name != "*")
        elif module:
            yield module


def _check(name: str, path: str, line: int, files: Mapping[str, str]) -> None:
    first, _, rest = name.partition(".")
    where = f"{path}:{line}: import of {name[:80]!r}"
    if first == PARTS and rest:
        part = f"{PARTS}/{rest.partition('.')[0]}.py"
        if part not in files:
            own = sorted(one for one in files if one.startswith(f"{PARTS}/"))
            raise InvalidAgent(f"{where}: expected a part of the agent, {own}; got none named so")
    elif first == "cambrian":
        allowed = OURS if path == IMPROVER else OURS - {ANSWERS}
        if not any(name == one or name.startswith(f"{one}.") for one in allowed):
            raise InvalidAgent(f"{where}: expected one of {sorted(allowed)}")
    elif first not in PACKAGES | {PARTS, "learner", "improver"} | sys.stdlib_module_names:
        raise InvalidAgent(
            f"{where}: expected the standard library, {', '.join(sorted(PACKAGES))} or a part of "
            "the agent (from parts import NAME)"
        )
