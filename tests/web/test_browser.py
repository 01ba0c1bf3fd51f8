"""The page in a real Chromium: clicked through, by keyboard, live, in both schemes and widths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import EvolvedArchive
from tests.web.conftest import Served, Visit

from cambrian.archive import Archive
from cambrian.web.pages import PAGES

MENU = [name for name, page in PAGES.items() if page.title]
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


def ready(page: Any) -> None:
    page.wait_for_load_state("load")
    if page.locator("#tree").count():
        page.wait_for_selector("#tree[data-ready]")
    if page.locator("#plot").count():
        page.wait_for_selector("#plot canvas")


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["1280", "390"])
def test_every_page_opens_from_the_menu_and_fits_its_width(
    shared: Served, visit: Visit, viewport: dict[str, int]
) -> None:
    page = visit(shared, "/", viewport=viewport)
    for name in MENU:
        page.click(f"nav a[href='/one/{name}']")
        page.wait_for_url(f"**/one/{name}")
        ready(page)
        assert page.locator("nav a[aria-current=page]").inner_text() == PAGES[name].title
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.click("a.home")
    page.wait_for_url("**/now")
    page.click(".champion a")
    ready(page)
    assert "#3" in page.locator("h1").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


@pytest.mark.slow
def test_no_page_has_a_serious_finding_of_accessibility(shared: Served, visit: Visit) -> None:
    page = visit(shared, "/one/now", viewport=WIDE)
    found = []
    for name in [*MENU, "agent/@best"]:
        page.goto(f"{shared.origin}/one/{name}")
        ready(page)
        page.evaluate(AXE.read_text() + "; undefined")
        for scheme, rules in (("light", "{}"), ("dark", "{runOnly: ['color-contrast']}")):
            page.emulate_media(color_scheme=scheme)
            result = page.evaluate(f"axe.run(document, {rules})")
            found += [
                (name, scheme, each["id"], [node["html"][:120] for node in each["nodes"][:3]])
                for each in result["violations"]
                if each["impact"] in ("serious", "critical")
            ]
    assert found == []


def test_what_happens_is_seen_without_a_reload(
    served: Served, visit: Visit, grown: EvolvedArchive
) -> None:
    page = visit(served, "/one/now")
    page.evaluate("window.same = true")
    assert page.locator(".alive .state").inner_text() == "Stopped"
    with Archive.open(grown.path) as archive, archive.lock():
        page.wait_for_selector(".state.running")
        index = archive.counts()["proposals"]
        archive.proposals.open(grown.run.id, index, -1, [grown["graft"]], "recombine")
        page.wait_for_selector(".events >> text=proposal opened")
        page.click("text=Pause")
    assert page.evaluate("window.same") is True


def test_pause_and_resume_by_a_click_are_told_and_done(
    served: Served, visit: Visit, grown: EvolvedArchive
) -> None:
    page = visit(served, "/one/now")
    page.click("button:has-text('Pause')")
    page.wait_for_selector("#said >> text=is paused")
    with Archive.open(grown.path, read_only=True) as archive:
        assert archive.steering.orders(grown.run.id)["paused"] is True
    page.click("button:has-text('Resume')")
    page.wait_for_selector("#said >> text=continues")
    assert page.url.endswith("/one/now")


def test_the_tree_is_walked_by_keyboard_and_the_address_keeps_where_one_is(
    shared: Served, visit: Visit, kept: EvolvedArchive
) -> None:
    page = visit(shared, "/one/tree", viewport=WIDE)
    ready(page)
    page.focus("#canvas")
    page.keyboard.press("Home")
    assert "#3 Graft it" in page.locator("#about").inner_text()
    page.keyboard.press("ArrowUp")
    assert "#2 replay" in page.locator("#about").inner_text()
    page.keyboard.press("ArrowLeft")
    assert "#1 finetune" in page.locator("#about").inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert f"agent={kept['graft'][:10]}" in page.url
    page.reload()
    ready(page)
    page.wait_for_selector("#about >> text=#3 Graft it")
    page.focus("#canvas")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/agent/{kept['graft'][:10]}")


def test_rejected_ones_come_on_demand_and_the_replay_shows_the_growth(
    shared: Served, visit: Visit
) -> None:
    page = visit(shared, "/one/tree", viewport=WIDE)
    ready(page)
    assert page.get_attribute("#tree", "data-ready") == "4"
    page.check("#ghosts")
    page.wait_for_selector("#tree[data-ready='6']")
    page.focus("#time")
    page.keyboard.press("Home")
    assert page.locator("#when").inner_text() == "1 after #1"
    assert "at=1" in page.url and "ghosts=1" in page.url
    page.click("#play")
    page.wait_for_selector("#when >> text=all 6 shown")
    page.fill("#search", "cross")
    page.keyboard.press("Enter")
    assert "#6 Cross it" in page.locator("#about").inner_text()


def test_a_page_is_read_and_left_without_a_mouse(shared: Served, visit: Visit) -> None:
    page = visit(shared, "/one/now")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(3):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Tree"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_url("**/one/tree")


def test_a_script_in_the_page_itself_is_not_run(shared: Served, browser: Any) -> None:
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"{shared.origin}/one/now")
    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1';"
        " document.body.append(s); const d = document.createElement('div');"
        " d.innerHTML = '<img src=x onerror=\"window.ran = 2\">'; document.body.append(d); }"
    )
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran === undefined")
    assert any("Content Security Policy" in text for text in said)
    context.close()


def test_it_prints_without_the_menu(shared: Served, visit: Visit) -> None:
    page = visit(shared, "/one/agent/@best")
    ready(page)
    page.emulate_media(media="print")
    assert not page.locator("header nav").is_visible()
    assert page.locator("h1").is_visible() and page.locator("pre.code").first.is_visible()
