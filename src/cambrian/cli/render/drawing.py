"""Trees drawn with lines, for any depth: nothing here recurses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Node = TypeVar("Node")


@dataclass(frozen=True)
class Drawn(Generic[Node]):
    """A node as it is to be drawn.

    Attributes:
        branch: what is printed before it: "│  ├─ ".
        level: 0 for a root.
        hidden: how many nodes right below it the depth limit keeps from being drawn.
    """

    branch: str
    node: Node
    level: int
    hidden: int


def draw(
    roots: Sequence[Node], below: Callable[[Node], Sequence[Node]], depth: int | None = None
) -> Iterator[Drawn[Node]]:
    """Every node, depth first, down to `depth` levels below the roots."""
    # On the stack: a node, what its own branch begins with, and whether it is the last below
    # its parent; None for a root.
    stack: list[tuple[Node, str, int, bool | None]] = [(r, "", 0, None) for r in reversed(roots)]
    while stack:
        node, before, level, last = stack.pop()
        nodes = below(node)
        shown = nodes if depth is None or level < depth else ()
        branch = "" if last is None else before + ("└─ " if last else "├─ ")
        yield Drawn(branch, node, level, len(nodes) - len(shown))
        inner = "" if last is None else before + ("   " if last else "│  ")
        stack += [
            (each, inner, level + 1, position == len(shown) - 1)
            for position, each in reversed(list(enumerate(shown)))
        ]
