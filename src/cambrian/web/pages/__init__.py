"""The pages: what each says of an archive, as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cambrian.web.pages import agent, compare, keeping, library, lineage, now, tree

if TYPE_CHECKING:
    from cambrian.archive import Archive

Ask = Mapping[str, str]
"""What is asked of a page: the address's parameters, and the archive's name."""


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        read: what it says of an archive.
        title: as it stands in the menu; "" for one that is not there.
        template: that shows it.
        about: whether its address names an agent (`ref`).
    """

    read: Callable[[Archive, Ask], dict[str, Any]]
    title: str
    template: str
    about: bool = False


PAGES: dict[str, Page] = {
    "now": Page(now.read, "Now", "now.html"),
    "tree": Page(tree.read, "Tree", "tree.html"),
    "branch": Page(tree.branch, "", "tree.html"),
    "lineage": Page(lineage.read, "Lineage", "lineage.html"),
    "compare": Page(compare.read, "Compare", "compare.html"),
    "benchmarks": Page(library.benchmarks, "Benchmarks", "benchmarks.html"),
    "mechanisms": Page(library.mechanisms, "Mechanisms", "mechanisms.html"),
    "spend": Page(keeping.spend, "Spend", "spend.html"),
    "approvals": Page(keeping.approvals, "Approvals", "approvals.html"),
    "health": Page(keeping.health, "Health", "health.html"),
    "agent": Page(agent.read, "", "agent.html", about=True),
}
