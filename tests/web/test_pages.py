"""Every page as HTML and as JSON, from a real archive."""

from __future__ import annotations

import shutil
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import EvolvedArchive, learner
from tests.web.conftest import Served, serving

from cambrian.archive import Archive, Gate
from cambrian.evaluators.statistics import mean_interval
from cambrian.reports.scores.changes import changes
from cambrian.reports.scores.pairs import paired
from cambrian.web.drawings import waterfall
from cambrian.web.pages import PAGES, tallies

MENU = [name for name, page in PAGES.items() if page.title]


class Elements(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


@pytest.mark.parametrize("page", MENU)
def test_a_page_is_html_and_the_same_as_json(shared: Served, page: str) -> None:
    html, found = shared.ask(f"/one/{page}"), shared.ask(f"/one/{page}.json")
    assert (html.status, found.status) == (200, 200)
    assert html.headers["content-type"].startswith("text/html")
    assert isinstance(found.json(), dict) and found.json()
    assert f'href="/one/{page}.json"' in html.text


@pytest.mark.parametrize("page", [*MENU, "agent/@best", "agent/@root"])
def test_no_page_has_scripts_or_styles_of_its_own_or_anything_from_elsewhere(
    shared: Served, page: str
) -> None:
    for tag, attributes in Elements(shared.ask(f"/one/{page}").text).found:
        assert tag != "style" and "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert tag != "script" or str(attributes["src"]).startswith("/static/")
        for name in ("src", "href", "action"):
            assert not str(attributes.get(name, "")).startswith(("//", "http", "javascript:"))


def test_every_agent_has_a_page_decided_or_not(shared: Served, kept: EvolvedArchive) -> None:
    for name, agent_id in kept.ids.items():
        assert shared.ask(f"/one/agent/{agent_id[:10]}").status == 200, name
        assert shared.ask(f"/one/agent/{agent_id}.json").json()["agent"]["id"] == agent_id


def test_now_says_in_a_word_whether_it_is_alive(served: Served, grown: EvolvedArchive) -> None:
    assert served.ask("/one/now.json").json()["state"]["word"] == "stopped"
    with Archive.open(grown.path) as archive, archive.lock():
        found = served.ask("/one/now.json").json()
        assert found["state"]["word"] == "running" and found["state"]["alive"]
        archive.steering.order(grown.run.id, "paused", True)
        assert served.ask("/one/now.json").json()["state"]["word"] == "paused"
    assert found["counts"]["judged"] == 3 and found["counts"]["admitted"] == 2


def test_the_tree_has_members_the_champions_line_and_ghosts_on_demand(
    shared: Served, kept: EvolvedArchive
) -> None:
    found = shared.ask("/one/tree.json").json()
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["nodes"]]
    assert [row["number"] for row in rows] == [1, 2, 3, 6]
    assert found["champion"] == 3 and sorted(found["line"]) == [2, 3]
    assert {row["number"]: row["parent"] for row in rows} == {1: None, 2: None, 3: 2, 6: 3}
    assert {row["number"]: row["children"] for row in rows} == {1: 0, 2: 1, 3: 1, 6: 0}
    ghosts = shared.ask("/one/tree.json?ghosts=1").json()
    assert len(ghosts["nodes"]) == 6
    below = shared.ask("/one/branch.json?of=2&ghosts=1").json()
    assert sorted(row[0] for row in below["nodes"]) == [3, 4, 6]
    to = shared.ask(f"/one/branch.json?to={kept['cross'][:8]}").json()
    assert [row[0] for row in to["nodes"]] == [2, 3, 6]


def test_the_gates_of_an_agent_say_what_was_never_looked_at(
    shared: Served, kept: EvolvedArchive
) -> None:
    found = shared.ask(f"/one/agent/{kept['crash'][:10]}.json").json()
    verdicts = {gate["gate"]: gate["verdict"] for gate in found["gates"]}
    assert verdicts == {"smoke": "fail", "screen": "not run", "improver": "not run"}


def test_what_was_not_measured_is_unknown_and_never_zero(
    shared: Served, kept: EvolvedArchive
) -> None:
    found = shared.ask(f"/one/agent/{kept['graft'][:10]}.json").json()
    cost = found["costs"]["benchmarks"][0]
    assert cost["flops"] == 2_000_000_000 and cost["peak_bytes"] is None and cost["cpu_s"] is None
    assert "unknown" in shared.ask(f"/one/agent/{kept['graft'][:10]}").text


def test_two_agents_are_compared_by_seed_and_benchmark(
    shared: Served, kept: EvolvedArchive
) -> None:
    ours, other = kept["graft"], kept["replay"]
    found = shared.ask(f"/one/compare.json?of={ours[:10]},{other[:10]}").json()
    (pair,) = found["pairs"]
    assert pair["overall"]["mean"] == pytest.approx(0.3) and pair["seeds"] == [0, 1, 2, 3, 4]
    assert pair["probability_of_improvement"] == pytest.approx(1.0)
    assert pair["fork"]["id"] == other and pair["fork"]["steps_ours"] == 1
    assert "# graft" in pair["diff"]
    assert all(row["difference"]["lower"] is not None for row in pair["benchmarks"].values())


def test_the_steps_of_a_lineage_and_what_does_not_add_up_make_the_last_score(
    shared: Served,
) -> None:
    found = shared.ask("/one/lineage.json").json()
    assert [step["number"] for step in found["steps"]] == [2, 3]
    total = found["steps"][0]["score"] + found["gained"] + found["rest"]
    assert total == pytest.approx(found["agent"]["score"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/two/now", 404),
        ("/one/nothing", 404),
        ("/one/agent/ffffffff", 404),
        ("/one/agent/%00%0a", 400),
        ("/one/branch?of=x", 400),
        ("/one/spend?by=x", 400),
        ("/one/compare?of=@best,ffffffff", 404),
        ("/one/compare?of=a,b,c,d,e,f,g", 400),
        ("/one/find?agent=ffffffff", 404),
    ],
)
def test_a_bad_address_is_answered_with_what_was_expected(
    shared: Served, path: str, status: int
) -> None:
    page = shared.ask(path)
    assert page.status in (status, 404 if status == 400 else status)
    assert 'class="bad"' in page.text


def test_a_short_reference_leads_to_the_agents_page(shared: Served, kept: EvolvedArchive) -> None:
    for given in ("3", "%233", "@best", kept["graft"][:6]):
        answer = shared.ask(f"/one/find?agent={given}")
        assert answer.headers["location"] == f"/one/agent/{kept['graft'][:10]}"


def test_several_archives_are_listed_also_one_that_cannot_be_read(
    grown: EvolvedArchive, tmp_path: Path
) -> None:
    shutil.copytree(grown.path, tmp_path / "second")
    with serving({"one": grown.path, "second": tmp_path / "second"}) as served:
        (tmp_path / "second" / "archive.db").write_bytes(b"no archive")
        front = served.ask("/").text
        assert 'href="/one/now"' in front and 'class="bad"' in front
        assert served.ask("/one/now").status == 200


def test_an_empty_archive_has_every_page(tmp_path: Path) -> None:
    Archive.create(tmp_path / "empty").close()
    with serving({"empty": tmp_path / "empty"}) as served:
        for page in MENU:
            assert served.ask(f"/empty/{page}").status == 200, page


def test_reading_every_page_neither_changes_nor_waits_for_the_archive(
    served: Served, grown: EvolvedArchive
) -> None:
    writer = sqlite3.connect(grown.path / "archive.db", isolation_level=None)
    try:
        before = writer.execute("SELECT max(seq) FROM events").fetchone()
        version = writer.execute("PRAGMA data_version").fetchone()
        writer.execute("BEGIN IMMEDIATE")
        for page in [*MENU, "agent/@best"]:
            assert served.ask(f"/one/{page}").status == 200
        writer.execute("COMMIT")
        assert writer.execute("PRAGMA data_version").fetchone() == version
        assert writer.execute("SELECT max(seq) FROM events").fetchone() == before
        assert writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    finally:
        writer.close()


def test_mechanisms_are_counted_on_as_decisions_come(served: Served, grown: EvolvedArchive) -> None:
    def adam() -> dict[str, Any]:
        items = served.ask("/one/mechanisms.json").json()["items"]
        return next(item for item in items if item["name"] == "adam")

    assert adam()["proposed"] == 0 and adam()["gain"] is None
    with Archive.open(grown.path) as archive:
        archive.proposals.close(7, "invalid", "so that all before are decided")
        gains = [0.1, 0.3]
        for gain in gains:
            index = archive.counts()["proposals"]
            made = archive.proposals.open(grown.run.id, index, -1, [grown["graft"]], "recombine")
            tree = learner(f"adam {index}")
            archive.proposals.record_variant(
                made.id, tree.identity, tree, title="Adam", hypothesis="", predicted_gain=None,
                confidence=None, operation={"kind": "graft", "mechanism": "adam"}, stage="smoke",
            )  # fmt: skip
            gate = Gate(gate="improvement", rule="better", verdict="pass", value=gain)
            archive.proposals.record(
                made.id, "improvement", "better", [gate], score=0.6, lower=0.5, upper=0.7
            )
            found = adam()
    assert (found["proposed"], found["admitted"], found["gains"]) == (2, 2, 2)
    expected = mean_interval(gains)
    assert found["gain"]["mean"] == pytest.approx(expected.mean)
    assert found["gain"]["lower"] == pytest.approx(expected.lower)
    assert found["gain"]["upper"] == pytest.approx(expected.upper)


def test_a_visit_that_was_cut_off_counts_nothing_twice(grown: EvolvedArchive) -> None:
    with Archive.open(grown.path) as archive:
        archive.proposals.close(7, "invalid", "so that all before are decided")
        for _ in range(3):
            index = archive.counts()["proposals"]
            made = archive.proposals.open(grown.run.id, index, -1, [grown["graft"]], "recombine")
            tree = learner(f"adam {index}")
            archive.proposals.record_variant(
                made.id, tree.identity, tree, title="Adam", hypothesis="", predicted_gain=None,
                confidence=None, operation={"kind": "graft", "mechanism": "adam"}, stage="smoke",
            )  # fmt: skip
            archive.proposals.close(made.id, "failed_smoke", "it raised")
        interrupted, steps = 0, 0
        tallies._kept.clear()
        while True:
            left = steps

            def late() -> bool:
                nonlocal left
                left -= 1
                return left < 0

            archive.database.connection.set_progress_handler(late, 1)
            try:
                found = tallies.tally(archive)
                break
            except sqlite3.OperationalError:
                interrupted, steps = interrupted + 1, steps + 1
        archive.database.connection.set_progress_handler(None, 1)
    assert interrupted > 100 and found.mechanisms["adam"].proposed == 3


def test_a_seed_agent_that_is_scored_late_becomes_a_champion(tmp_path: Path) -> None:
    with Archive.create(tmp_path / "archive") as archive:
        early, late, last = (learner(name) for name in ("early", "late", "last"))
        for tree in (early, late, last):
            archive.agents.add_seed(tree.identity, tree, "a seed")
        archive.agents.set_score(early.identity, 0.3, 0.2, 0.4)
        archive.agents.set_score(last.identity, 0.7, 0.6, 0.8)
        assert tallies.tally(archive).champions == [early.identity, last.identity]
        assert tallies.tally(archive).champions == [early.identity, last.identity]
        archive.agents.set_score(late.identity, 0.5, 0.4, 0.6)
        found = tallies.tally(archive).champions
    assert found == [early.identity, late.identity, last.identity]


def test_a_long_file_that_differs_is_named_and_not_compared() -> None:
    long = {"parts/long.py": "a\n" * 3_001, "learner.py": "x = 1\n"}
    found = changes(long, {"parts/long.py": "b\n" * 3_001, "learner.py": "x = 2\n"})
    assert "+x = 2\n" in found and "+b" not in found
    assert "+++ b/parts/long.py\n@@ not compared: longer than 3,000 lines" in found
    assert changes(long, long) == ""
    assert "not compared" in changes({}, {"learner.py": "a" * 100_001})


def test_a_gain_that_was_not_measured_is_drawn_as_unknown() -> None:
    steps: list[dict[str, Any]] = [
        {"number": 1, "score": 0.25, "gain": None},
        {"number": 2, "score": None, "gain": None},
        {"number": 3, "score": 0.75, "gain": {"mean": 0.5}},
    ]
    drawn = str(waterfall(steps, None))
    assert ">–</text>" in drawn and "+0.00" not in drawn and "+0.50" in drawn
    assert drawn.count('class="unknown"') == 1


def test_one_common_seed_gives_a_difference_without_an_interval() -> None:
    found = paired({"a": {1: 0.5}, "b": {1: 0.1, 2: 0.3}}, {"a": {1: 0.25}, "b": {1: 0.0}}, {})
    assert found["overall"]["mean"] == pytest.approx(0.175)
    assert found["benchmarks"]["a"]["difference"]["mean"] == 0.25
    assert found["benchmarks"]["a"]["p_holm"] is None
    assert paired({"a": {1: 0.5}}, {"b": {1: 0.5}}, {})["overall"] is None
