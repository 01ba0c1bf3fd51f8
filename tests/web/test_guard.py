"""Who may read what is served, and who may change what runs."""

from __future__ import annotations

import threading
import time

import anyio
import pytest
from tests.cli.conftest import EvolvedArchive
from tests.web.conftest import TOKEN, Served, serving

from cambrian.archive import Archive
from cambrian.web.guard import POLICY
from cambrian.web.site import READERS, Site


def intents(grown: EvolvedArchive) -> int:
    with Archive.open(grown.path, read_only=True) as archive:
        return int(archive.database.value("SELECT count(*) FROM intents"))


def paused(grown: EvolvedArchive) -> bool:
    with Archive.open(grown.path, read_only=True) as archive:
        return bool(archive.steering.orders(grown.run.id).get("paused"))


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8600", "127.0.0.1.evil.example", ""]
)
def test_a_name_that_another_rebinds_to_us_is_refused(shared: Served, host: str) -> None:
    answer = shared.ask("/one/now", Host=host)
    assert answer.status == 403 and "judged" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]:99", "localhost:8600"])
def test_names_of_loopback_are_answered(shared: Served, host: str) -> None:
    assert shared.ask("/one/now", Host=host).status == 200


def test_a_page_of_another_site_may_link_to_us_and_load_nothing(shared: Served) -> None:
    def ask(site: str, mode: str) -> int:
        return shared.ask("/one/now", Sec_Fetch_Site=site, Sec_Fetch_Mode=mode).status

    assert ask("cross-site", "no-cors") == ask("cross-site", "cors") == 403
    assert ask("cross-site", "navigate") == ask("same-origin", "cors") == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "https://127.0.0.1:1"])
def test_a_page_of_another_origin_changes_nothing(
    served: Served, grown: EvolvedArchive, origin: str
) -> None:
    assert served.post("/one/do/pause", Origin=origin).status == 403
    assert intents(grown) == 0 and not paused(grown)


@pytest.mark.parametrize("cookie", ["", "cambrian-1=x", f"cambrian={TOKEN}", "{bad}"])
def test_without_the_token_nothing_is_changed(
    served: Served, grown: EvolvedArchive, cookie: str
) -> None:
    assert served.post("/one/do/pause", Cookie=cookie).status == 403
    assert served.post("/one/do/pause", Cookie=cookie, Authorization="Bearer no").status == 403
    assert served.post("/one/do/pause?token=wrong", Cookie=cookie).status == 403
    assert intents(grown) == 0 and not paused(grown)


def test_a_get_changes_nothing(served: Served, grown: EvolvedArchive) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = served.ask("/one/do/pause", method, Cookie=served.cookie, Origin=served.origin)
        assert answer.status in (404, 405)
    assert intents(grown) == 0


def test_our_own_page_with_the_token_pauses_and_resumes_by_an_intent(
    served: Served, grown: EvolvedArchive
) -> None:
    answer = served.post("/one/do/pause")
    assert answer.status == 200 and "run 1 is paused" in answer.text
    assert paused(grown) and intents(grown) == 1
    by_bearer = served.post("/one/do/resume", Cookie="", Authorization=f"Bearer {TOKEN}")
    assert by_bearer.status == 200 and not paused(grown)


def test_a_limit_is_set_and_what_is_no_number_is_refused(
    served: Served, grown: EvolvedArchive
) -> None:
    form = {"name": "proposals", "limit": "77"}
    assert "77 now" in served.post("/one/do/set-budget", form).text
    assert served.post("/one/do/set-budget", {**form, "limit": "many"}).status == 400
    assert served.post("/one/do/set-budget", {**form, "limit": "nan"}).status == 400
    with Archive.open(grown.path, read_only=True) as archive:
        assert archive.steering.orders(grown.run.id)["budget.proposals"]["limit"] == 77


def test_what_is_not_asked_for_properly_is_told_so(served: Served) -> None:
    assert served.post("/one/do/cancel").status == 400
    assert served.post("/two/do/pause").status == 404
    assert served.post("/one/do/approve", {"agent": "x" * 20_000}).status == 400
    assert served.post("/one/do/approve", {"agent": "no such"}).status in (400, 404)


def test_the_token_in_the_address_becomes_a_cookie_that_scripts_do_not_see(
    shared: Served,
) -> None:
    answer = shared.ask(f"/one/agent/@best?token={TOKEN}&x=1")
    assert answer.status == 303 and answer.headers["location"] == "/one/agent/@best?x=1"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert shared.ask("/one/now?token=wrong").status == 403
    away = shared.ask(f"//evil.example/?token={TOKEN}")
    assert away.headers["location"] == "/evil.example/"


def test_where_others_reach_us_reading_needs_the_token(grown: EvolvedArchive) -> None:
    with serving({"one": grown.path}, local=False) as served:
        for path in ("/", "/one/now", "/one/now.json", "/one/live", "/static/page.css"):
            assert served.ask(path, Host="archive.example").status == 403
            assert served.ask(path, Cookie=f"cambrian-{served.port}=wrong").status == 403
        assert served.ask("/one/now", Cookie=served.cookie).status == 200
        assert served.ask("/one/now", Authorization=f"Bearer {TOKEN}").status == 200
        proxied = {"Host": "archive.example", "Origin": "https://archive.example"}
        assert served.post("/one/do/pause", {}, **proxied).status == 200
        assert (
            served.post("/one/do/resume", {}, **{**proxied, "Host": "other.example"}).status == 403
        )


@pytest.mark.parametrize("path", ["/one/now", "/nothing", "/one/now.json", "/static/page.css"])
def test_every_answer_says_that_nothing_comes_from_elsewhere(shared: Served, path: str) -> None:
    headers = shared.ask(path).headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_without_the_token_the_page_has_no_buttons(shared: Served) -> None:
    assert "<button>Pause" not in shared.ask("/one/now").text
    assert "<button>Pause" in shared.ask("/one/now", Cookie=shared.cookie).text


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"]
)
def test_files_beside_the_static_ones_are_not_served(shared: Served, path: str) -> None:
    assert shared.ask(path).status == 404


def test_only_so_many_pages_are_read_at_once() -> None:
    site, lock, now, most = Site({}), threading.Lock(), 0, 0

    def work() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1

    async def ask() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(5 * READERS):
                group.start_soon(site.apart, work)

    anyio.run(ask)
    assert most == READERS
