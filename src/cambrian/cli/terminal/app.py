"""The screen: the tree on the left, details on the right, limits and events below."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Footer, Input, Static, Tree
from textual.widgets.tree import TreeNode

from cambrian.cli.terminal.source import Node, Source
from cambrian.errors import CambrianError
from cambrian.reports.live import lines
from cambrian.reports.live.state import State

LOOK_S = 0.5
"""Seconds between two looks."""
HELP = """/  filter by title, #number or id; Escape ends it
d  what was changed against the parent
w  why it was decided so, gate by gate
c  scores beside the champion's
p  pause the run, or let it go on
a  approve the agent that is chosen
q  leave; the run goes on
Arrows move, Enter opens and closes."""


class Top(App[None]):
    """An archive, or a recording of one, in the terminal."""

    CSS = """
    #head { height: 3; padding: 0 1; }
    #tree { width: 1fr; border-right: solid $primary; }
    #right { width: 1fr; padding: 0 1; }
    #limits { height: 1; padding: 0 1; background: $panel; }
    #events { height: 5; padding: 0 1; }
    #filter { display: none; height: 3; }
    #filter.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("slash", "filter", "filter"),
        ("d", "about('diff')", "diff"),
        ("w", "about('why')", "why"),
        ("c", "about('compare')", "compare"),
        ("p", "pause", "pause"),
        ("a", "approve", "approve"),
        ("question_mark", "help", "help"),
        ("q", "quit", "quit"),
        ("escape", "unfilter", ""),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._state = State()
        self._seen: tuple[int, ...] = ()
        self._chosen: str | None = None

    def compose(self) -> ComposeResult:
        """Tree left, details right, limits and events below. No text is read as markup."""
        yield Static(id="head", markup=False)
        with Horizontal():
            yield Tree[str](Text(self._source.name), id="tree")
            with VerticalScroll(id="right"):
                yield Static("Choose an agent with the arrows.", id="details", markup=False)
        yield Input(placeholder="title, #number or id", id="filter")
        yield Static(id="limits", markup=False)
        yield Static(id="events", markup=False)
        yield Footer()

    def on_mount(self) -> None:
        """The first picture, and one look after another."""
        tree = self.query_one("#tree", Tree)
        tree.root.expand()
        tree.focus()
        self.look()
        self.set_interval(LOOK_S, self.look)

    def look(self) -> None:
        """Bring everything up to date with what was recorded since."""
        self._state, now = self._source.look()
        state = self._state
        head = [lines.headline(state, now), lines.counts(state), lines.champion(state)]
        if self._source.replay:
            head[0] = f"REPLAY of a recorded run · {head[0]}"
        width = max(20, self.size.width - 3)
        self._show("head", "\n".join(lines.clip(row, width) for row in head))
        limits = " · ".join(lines.limits(state))
        told = limits or "no limit is set"
        self._show("limits", lines.clip(f"{told} · {lines.spend(state)}", width))
        last = [lines.clip(lines.event(one), width) for one in state.events[-5:]]
        self._show("events", "\n".join(reversed(last)))
        members = (state.ends.get("admitted", 0), state.seeds, state.standing.approvals)
        if members != self._seen:
            self._seen = members
            self._grow(self.query_one("#tree", Tree).root)

    def _show(self, name: str, text: str) -> None:
        self.query_one(f"#{name}", Static).update(Text(text))

    def _grow(self, node: TreeNode[str]) -> None:
        """Add what is new below a node that is open, and below those that are open below it."""
        if self.query_one("#filter").has_class("open") or not node.is_expanded:
            return
        known = {child.data: child for child in node.children}
        below = self._source.below(node.data)
        for gone in known.keys() - {each.id for each in below}:
            known[gone].remove()
        for found in below:
            if found.id not in known:
                self._add(node, found)
            elif found.opens:
                known[found.id].allow_expand = True
        for child in node.children:
            self._grow(child)

    def _add(self, node: TreeNode[str], found: Node) -> None:
        node.add(Text(found.label), data=found.id, allow_expand=found.opens)

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[str]) -> None:
        """A level is read when it is opened."""
        self._grow(event.node)

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted[str]) -> None:
        """Details of the agent that is chosen."""
        self._chosen = event.node.data
        if self._chosen is not None:
            self.action_about("details")

    def action_about(self, what: str) -> None:
        """A text about the agent that is chosen."""
        if self._chosen is None:
            self.notify("choose an agent first", markup=False)
            return
        self._show("details", self._source.about(self._chosen, what))
        self.query_one("#right").scroll_home(animate=False)

    def action_help(self) -> None:
        """What the keys do."""
        self._show("details", HELP)

    def action_filter(self) -> None:
        """Open the line in which to type."""
        field = self.query_one("#filter", Input)
        field.add_class("open")
        field.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Those that are found, as a list."""
        tree = self.query_one("#tree", Tree)
        tree.root.remove_children()
        for found in self._source.find(event.value) if event.value else ():
            self._add(tree.root, found)

    def on_input_submitted(self) -> None:
        """To the list of those that were found."""
        self.query_one("#tree", Tree).focus()

    def action_unfilter(self) -> None:
        """The whole tree again."""
        field, tree = self.query_one("#filter", Input), self.query_one("#tree", Tree)
        if not field.has_class("open"):
            return
        field.remove_class("open")
        with field.prevent(Input.Changed):
            field.value = ""
        tree.root.remove_children()
        self._grow(tree.root)
        tree.focus()

    def action_pause(self) -> None:
        """Pause, or go on, by the same intents as on the command line."""
        verb = "resume" if self._state.paused else "pause"
        self.run_worker(lambda: self._ask(verb, {}), thread=True)

    def action_approve(self) -> None:
        """Approve the agent that is chosen."""
        if self._chosen is None:
            self.notify("choose an agent first", markup=False)
            return
        arguments = {"agent": self._chosen, "reason": ""}
        self.run_worker(lambda: self._ask("approve", arguments), thread=True)

    def _ask(self, verb: str, arguments: dict[str, str]) -> None:
        bad = False
        try:
            said = self._source.ask(verb, arguments)
        except CambrianError as error:
            said, bad = lines.clip(error, 300), True
        self.call_from_thread(
            self.notify, said, severity="error" if bad else "information", markup=False
        )
