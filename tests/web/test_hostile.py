"""What agents wrote is shown and does nothing, in every field and on every page."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import EvolvedArchive, learner
from tests.web.conftest import Served, Visit, serving
from tests.web.test_browser import MENU, ready

from cambrian.archive import Archive, Gate
from cambrian.measurement import Measurement

BIDI = "\u202e\u2066\u200b\U000e0041"
TEXT = (
    f"\x1b[2J\x1b]0;t\x07{BIDI}'\"><script>window.ran=1</script>"
    "<img src=x onerror=window.ran=1><svg onload=window.ran=1></style></script></textarea>"
    "{{7*7}}${7*7}javascript:window.ran=1//<a href=javascript:window.ran=1>--></pre>"
)
LONG = TEXT + "x" * 1_000_000 + TEXT


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Served]:
    """An archive with such text as title, hypothesis, reason, gate, failure, log and so on."""
    grown = EvolvedArchive(tmp_path / "archive")
    archive = Archive.open(grown.path)
    index = archive.counts()["proposals"]
    proposal = archive.proposals.open(grown.run.id, index, -1, [grown["graft"]], "recombine")
    tree = learner("hostile")
    archive.proposals.record_variant(
        proposal.id,
        tree.identity,
        tree,
        title=LONG,
        hypothesis=LONG,
        predicted_gain=0.1,
        confidence=0.5,
        operation={"mechanism": TEXT, "kind": "graft", "op": TEXT},
        stage="smoke",
    )
    archive.evaluations.record(
        tree.identity,
        Measurement(
            benchmark="split-mnist", version="1", stage="screen", seed=0, verdict="failed",
            reason=LONG, metrics={}, provenance={},
        ),
    )  # fmt: skip
    archive.steering.ask_approval(proposal.id, LONG, "improvement")
    other = archive.proposals.open(grown.run.id, index + 1, -1, [grown["graft"]], "recombine")
    text = learner(f"more {TEXT!r}")
    archive.proposals.record_variant(
        other.id, text.identity, text, title=TEXT, hypothesis=TEXT, predicted_gain=None,
        confidence=None, operation={}, stage="smoke",
    )  # fmt: skip
    gate = Gate(gate=TEXT, rule=LONG, verdict="pass", detail=LONG)
    archive.proposals.record(
        other.id, "improvement", TEXT, [gate], score=0.9, lower=0.85, upper=0.95
    )
    (tmp_path / "archive" / "logs").mkdir(exist_ok=True)
    (tmp_path / "archive" / "logs" / "worker-0.log").write_text(LONG)
    archive.close()
    with serving({"one": grown.path}) as served:
        yield served


def addresses(served: Served) -> list[str]:
    with Archive.open(served.archives["one"], read_only=True) as archive:
        agents = [agent.id for agent in archive.agents.select(everyone=True)]
    return [*MENU, *(f"agent/{agent_id[:10]}" for agent_id in agents), "lineage?agent=@best"]


def test_hostile_text_is_escaped_visible_and_bounded_on_every_page(hostile: Served) -> None:
    seen = 0
    for path in addresses(hostile):
        text = hostile.ask(f"/one/{path}", Cookie=hostile.cookie).text
        seen += "window.ran" in text
        assert not re.search(r"<(script>|img|svg onload|a href=.?javascript)", text), path
        hidden = {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c not in "\n\t"}
        assert not hidden, (path, hidden)
        assert "49" not in re.findall(r"\$?\{*(\d+)\}*javascript", text)
        assert len(text) < 400_000, path
    assert seen >= 5


@pytest.mark.slow
def test_hostile_text_runs_nothing_in_a_browser(hostile: Served, visit: Visit) -> None:
    page = visit(hostile, "/one/now")
    for path in [*MENU, "agent/@best", *addresses(hostile)[-3:]]:
        page.goto(f"{hostile.origin}/one/{path}")
        ready(page)
        assert page.evaluate("window.ran === undefined"), path
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, path
    page.goto(f"{hostile.origin}/one/tree")
    ready(page)
    page.focus("#canvas")
    page.keyboard.press("Home")
    assert "<script>" in page.locator("#about").inner_text()
    assert page.evaluate("window.ran === undefined")


def test_hostile_addresses_are_answered_and_shown_as_text(hostile: Served) -> None:
    for path in (
        "/one/agent/%3Cscript%3E",
        "/one/spend?by=%3Cscript%3Ealert(1)%3C/script%3E",
        "/one/compare?of=%E2%80%AE%1B%5B2J",
        "/%3Cscript%3E/now",
        "/one/find?agent=%00%FF",
        "/one/branch?of=" + "9" * 400,
        "/one/live%0d%0aSet-Cookie:x=1",
    ):
        answer = hostile.ask(path)
        assert 400 <= answer.status < 500 and "<script>" not in answer.text, path
        assert "set-cookie" not in answer.headers
