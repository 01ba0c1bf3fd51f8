"""What happens, as it happens: server-sent events."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from cambrian.archive import Archive
from cambrian.errors import CambrianError, Refused
from cambrian.reports.events import last_event
from cambrian.web.pages import PAGES
from cambrian.web.site import Site, failed

LOOK_S = 1.0
"""How often the archive is asked whether there is an event: one row of an index."""
SHOW_S = 5.0
"""The page is made anew after so long at the latest, for times go on."""
MOST = 24
"""So many pages are kept up to date at once."""


def routes(site: Site) -> list[BaseRoute]:
    """The addresses of what goes on."""
    open_pages = anyio.CapacityLimiter(MOST)

    async def now(request: Request) -> Response:
        name = request.path_params["archive"]
        try:
            site.path(name)
            if open_pages.available_tokens < 1:
                raise Refused(f"{MOST} pages are kept up to date already; close one")
        except CambrianError as error:
            return failed(site, request, error)
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(
            _watched(site, name, request, open_pages), 200, headers, "text/event-stream"
        )

    return [Route("/{archive}/live", now)]


async def _watched(
    site: Site, name: str, request: Request, open_pages: anyio.CapacityLimiter
) -> AsyncIterator[str]:
    """The page's live part whenever there is something new, until the browser goes away."""
    async with open_pages:
        seen, shown_at = None, 0.0
        while not await request.is_disconnected():
            try:
                seq = await run_in_threadpool(_newest, site, name)
                if seq != seen or time.monotonic() - shown_at > SHOW_S:
                    seen, shown_at = seq, time.monotonic()
                    yield event("now", await run_in_threadpool(_fragment, site, name))
            except (CambrianError, sqlite3.Error):
                yield ": the archive cannot be read just now\n\n"
            await anyio.sleep(LOOK_S)


def _newest(site: Site, name: str) -> tuple[int, int | None]:
    with Archive.open(site.path(name), read_only=True) as archive:
        return last_event(archive), archive.lock_holder()


def _fragment(site: Site, name: str) -> str:
    found = site.read(name, PAGES["now"], {})
    return site.html("now_live.html", d=found, archive=name)


def event(kind: str, text: str) -> str:
    """One event of a stream; a line of text a line of data."""
    lines = "".join(f"data: {row}\n" for row in text.replace("\r", "").split("\n"))
    return f"event: {kind}\n{lines}\n"
