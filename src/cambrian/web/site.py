"""What is served: archives, read for one request at a time, and errors as pages."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from cambrian.archive import Archive
from cambrian.errors import NotFound, Refused, Unreachable, UsageError
from cambrian.text import finite
from cambrian.web import drawings, highlight
from cambrian.web.pages import PAGES, Ask, Page
from cambrian.web.words import environment

PATIENCE_S = 10.0
"""How long a page may ask the archive; then it says so, and lets go of it."""
STEPS = 10_000
READERS = 4
"""Pages that are read at once."""
T = TypeVar("T")
STATUS = ((NotFound, 404), (UsageError, 400), (Refused, 409), (Unreachable, 503))


def _templates() -> Environment:
    made = environment()
    made.globals.update(drawings.DRAWINGS)
    made.globals.update(python=highlight.python, diff=highlight.diff)
    return made


@dataclass(frozen=True)
class Site:
    """What is served.

    Attributes:
        archives: their folders, by the name that each has in an address.
        templates: that pages are made with.
        readers: the requests that are read and written out just now; others wait.
    """

    archives: Mapping[str, Path]
    templates: Environment = field(default_factory=_templates)
    readers: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(READERS))

    def path(self, name: str) -> Path:
        """The folder of an archive.

        Raises:
            NotFound: none of that name is served.
        """
        if name not in self.archives:
            raise NotFound(f"expected one of {', '.join(self.archives)}; got {name!r}")
        return self.archives[name]

    def read(self, name: str, page: Page, ask: Ask) -> dict[str, Any]:
        """What a page says of an archive, as JSON.

        Raises:
            CambrianError: there is no such archive, agent or answer.
        """
        with Archive.open(self.path(name), read_only=True) as archive:
            end = time.monotonic() + PATIENCE_S
            connection = archive.database.connection
            connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
            found: dict[str, Any] = finite(page.read(archive, ask))
            return found

    async def apart(self, work: Callable[[], T]) -> T:
        """What `work` returns, from a thread of its own; at most `READERS` of them at once."""
        return await anyio.to_thread.run_sync(work, limiter=self.readers)

    def html(self, template: str, **shown: Any) -> str:
        """A template with what it shows."""
        return self.templates.get_template(template).render(
            archives=self.archives, pages=PAGES, **shown
        )


def failed(site: Site, request: Request, error: Exception, *, as_json: bool = False) -> Response:
    """An error as a page, or as JSON, with the status of its kind."""
    status = next((code for kind, code in STATUS if isinstance(error, kind)), 500)
    said = str(error)
    if isinstance(error, sqlite3.Error):
        status = 503
        said = f"the archive cannot be read just now: {error}; try again, or ask for less"
    if as_json:
        return JSONResponse({"error": said}, status)
    name = request.path_params.get("archive")
    shown = {"archive": name if name in site.archives else None, "page": ""}
    known = request.state.known
    html = site.html("error.html", d={"error": said, "status": status}, known=known, **shown)
    return HTMLResponse(html, status)
