"""The archive in the terminal, driven by Textual's pilot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from tests.cli.conftest import HOSTILE, EvolvedArchive, learner
from textual.pilot import Pilot
from textual.widgets import Static, Tree

from cambrian.archive import Archive
from cambrian.cli.terminal.app import Top
from cambrian.cli.terminal.source import MOST, ArchiveSource, gate_lines

Steps = Callable[[Top, Pilot[None]], Awaitable[None]]


def drive(path: Path, steps: Steps) -> None:
    async def run() -> None:
        with Archive.open(path, read_only=True) as archive:
            app = Top(ArchiveSource(archive))
            async with app.run_test(size=(80, 24)) as pilot:
                await pilot.pause()
                await steps(app, pilot)

    anyio.run(run)


def text(app: Top, name: str) -> str:
    return str(app.query_one(f"#{name}", Static).render())


def labels(app: Top) -> list[str]:
    return [str(node.label) for node in app.query_one("#tree", Tree).root.children]


@pytest.fixture
def grown(tmp_path: Path) -> EvolvedArchive:
    return EvolvedArchive(tmp_path / "archive")


def test_one_glance_says_whether_it_is_alive_and_who_is_best(grown: EvolvedArchive) -> None:
    async def steps(app: Top, _: Pilot[None]) -> None:
        head = text(app, "head")
        assert "stopped: last event" in head
        assert "3 judged: 2 admitted, 1 rejected" in head
        assert "champion: #3 0.700" in head

    drive(grown.path, steps)


def test_a_level_of_the_tree_is_read_when_it_is_opened(grown: EvolvedArchive) -> None:
    async def steps(app: Top, pilot: Pilot[None]) -> None:
        assert [each.split()[0] for each in labels(app)] == ["#1", "#2"]
        second = app.query_one("#tree", Tree).root.children[1]
        assert len(second.children) == 0
        second.expand()
        await pilot.pause()
        assert [str(each.label).split()[0] for each in second.children] == ["#3"]

    drive(grown.path, steps)


def test_the_keys_show_the_diff_the_gates_and_the_scores_beside_the_champions(
    grown: EvolvedArchive,
) -> None:
    async def steps(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("slash", "#", "3", "enter", "down")
        await pilot.pause()
        assert "score 0.700" in text(app, "details")
        await pilot.press("d")
        assert "+# " in text(app, "details")
        await pilot.press("w")
        assert "✓" in text(app, "details")
        await pilot.press("c")
        assert "beside the champion, #3" in text(app, "details")
        await pilot.press("question_mark")
        assert "approve the agent" in text(app, "details")
        await pilot.press("escape")
        await pilot.pause()
        assert len(labels(app)) == 2

    drive(grown.path, steps)


def test_pausing_gives_the_same_order_as_the_command_line(grown: EvolvedArchive) -> None:
    grown.archive.close()

    async def steps(app: Top, pilot: Pilot[None]) -> None:
        await pilot.press("p")
        await app.workers.wait_for_complete()
        app.look()
        await pilot.pause()

    drive(grown.path, steps)
    with Archive.open(grown.path, read_only=True) as archive:
        assert archive.steering.orders(1).get("paused")


def test_hostile_titles_are_plain_text_and_no_markup(grown: EvolvedArchive) -> None:
    long = "[bold red]x[/]" + HOSTILE + "x" * 1_000_000
    archive = Archive.open(grown.path)
    archive.database.execute("UPDATE agents SET title = ?, hypothesis = ?", (long, long))
    archive.close()

    async def steps(app: Top, pilot: Pilot[None]) -> None:
        assert all("[bold red]x[/]" in each and each.isprintable() for each in labels(app))
        await pilot.press("down")
        shown = text(app, "details")
        assert "[bold red]x[/]" in shown
        assert shown.replace("\n", "").isprintable()
        assert len(shown) < 10_000

    drive(grown.path, steps)


def test_a_gate_is_passed_failed_or_not_run() -> None:
    gate = {"gate": "g", "rule": "r", "value": None, "lower": None, "upper": None, "detail": ""}
    told = gate_lines([{**gate, "verdict": each} for each in ("pass", "fail", "skipped")])
    assert [row[:1] for row in told.split("\n")[::2]] == ["✓", "✗", "n"]


def test_a_tree_of_ten_thousand_reads_so_many_at_once(grown: EvolvedArchive) -> None:
    archive = Archive.open(grown.path)
    rows = "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 10099)"
    names = [row["name"] for row in archive.database.rows("PRAGMA table_info(agents)", {})]
    changed = {"id": "printf('%064x', i)", "number": "i", "proposal_id": "NULL"}
    values = ", ".join(changed.get(name, f"a.{name}") for name in names)
    archive.database.execute(
        f"INSERT INTO agents ({', '.join(names)}) {rows} SELECT {values} FROM n, agents a "
        "WHERE a.number = 1",
        (),
    )
    archive.close()

    async def steps(app: Top, _: Pilot[None]) -> None:
        assert len(labels(app)) == MOST

    drive(grown.path, steps)


def test_who_waits_for_approval_can_be_chosen_and_approved(grown: EvolvedArchive) -> None:
    archive = grown.archive = Archive.open(grown.path)
    index = archive.counts()["proposals"]
    proposal = archive.proposals.open(grown.run.id, index, -1, [grown["graft"]], "recombine")
    tree = learner("waits")
    archive.proposals.record_variant(
        proposal.id, tree.identity, tree, title="patient", hypothesis="h", predicted_gain=None,
        confidence=None, operation={}, stage="smoke",
    )  # fmt: skip
    archive.steering.ask_approval(proposal.id, "it is new", "improvement")
    archive.close()

    async def steps(app: Top, pilot: Pilot[None]) -> None:
        assert labels(app)[-1] == "waits for you: patient"
        await pilot.press("end", "a")
        await app.workers.wait_for_complete()

    drive(grown.path, steps)
    with Archive.open(grown.path, read_only=True) as archive:
        assert archive.steering.waiting() == []
