"""Archives that are served for real: uvicorn on loopback, HTTP over a socket, Chromium."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import uvicorn
from tests.cli.conftest import EvolvedArchive

from cambrian.web.app import create_app
from cambrian.web.guard import Rules

TOKEN = "a-token-of-more-than-16-characters"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Served:
    """A server on loopback, and HTTP to it that adds nothing of its own."""

    port: int
    archives: Mapping[str, Path]
    cookie: str = field(init=False)

    def __post_init__(self) -> None:
        self.cookie = f"cambrian-{self.port}={TOKEN}"

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body or None, given)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read().decode())
        finally:
            connection.close()

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """A form as our own page would send it, unless `headers` say otherwise ("": leave out)."""
        plain = {"Origin": self.origin, "Cookie": self.cookie}
        given = {name: value for name, value in {**plain, **headers}.items() if value}
        return self.ask(path, "POST", urlencode(form or {}), **given)


@contextmanager
def serving(archives: Mapping[str, Path], *, local: bool = True) -> Iterator[Served]:
    app = create_app(archives, Rules(TOKEN, local))
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < end, "the server did not start"
        time.sleep(0.02)
    try:
        yield Served(server.servers[0].sockets[0].getsockname()[1], archives)
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def grown(tmp_path: Path) -> EvolvedArchive:
    return EvolvedArchive(tmp_path / "archive")


@pytest.fixture
def served(grown: EvolvedArchive) -> Iterator[Served]:
    with serving({"one": grown.path}) as found:
        yield found


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> EvolvedArchive:
    """One archive for all tests that only read."""
    return EvolvedArchive(tmp_path_factory.mktemp("kept") / "archive")


@pytest.fixture(scope="session")
def shared(kept: EvolvedArchive) -> Iterator[Served]:
    """It, served: for tests that change nothing."""
    with serving({"one": kept.path}) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real Chromium, of the system: nothing is downloaded. Its lack is a failure, not a skip.

    Not for longer than a module: while it is there an event loop runs, and other tests could run
    none.
    """
    from playwright.sync_api import sync_playwright

    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    assert path is not None, "expected Chromium on this machine: scripts/chromium installs it"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield made
        made.close()


Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Open a page, and see to it that nothing is complained of and nothing asked for elsewhere."""
    contexts, troubles = [], []

    def open_page(served: Served, path: str, *, token: bool = True, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))

        def asked(dialog: Any) -> None:
            troubles.append("a dialog")
            dialog.dismiss()

        page.on("dialog", asked)

        def requested(request: Any) -> None:
            if not request.url.startswith((served.origin, "data:", "about:")):
                troubles.append(f"asked for {request.url}")

        page.on("request", requested)
        if token:
            context.add_cookies(
                [{"name": f"cambrian-{served.port}", "value": TOKEN, "url": served.origin}]
            )
        page.goto(served.origin + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []
