"""The application: addresses, pages as HTML and as JSON, errors as pages.

A page is a function from an archive and what is asked of it to JSON; its template shows that JSON
and nothing else. Each request opens the archive for reading and closes it again, so that nothing
holds back the run that writes to it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from cambrian.archive import Archive
from cambrian.errors import CambrianError, NotFound
from cambrian.web import actions, live
from cambrian.web.guard import Guard, Rules
from cambrian.web.pages import PAGES
from cambrian.web.site import Site, failed

HERE = Path(__file__).parent
JSON = ".json"
Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(archives: Mapping[str, Path], rules: Rules) -> ASGIApp:
    """The page of these archives, behind its guard.

    Args:
        archives: their folders by name; a name has letters, digits, ".", "_" and "-" only.
    """
    site = Site(archives)
    app = Starlette(
        routes=[
            Route("/", _front(site)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
            Route("/{archive}/", _first),
            Route("/{archive}", _first),
            Route("/{archive}/find", _find(site)),
            *live.routes(site),
            *actions.routes(site),
            *(route for name in PAGES for route in _routes(site, name)),
        ],
        exception_handlers={404: _lost(site)},
    )
    return Guard(app, rules)


async def _first(request: Request) -> Response:
    return RedirectResponse(f"/{request.path_params['archive']}/now", 307)


def _front(site: Site) -> Endpoint:
    """The archives; with one only, its first page."""

    async def front(request: Request) -> Response:
        if len(site.archives) == 1:
            return RedirectResponse(f"/{next(iter(site.archives))}/now", 307)
        rows = await site.apart(lambda: [_card(site, name) for name in site.archives])
        return HTMLResponse(
            site.html("archives.html", d=rows, archive=None, page="", known=request.state.known)
        )

    return front


def _card(site: Site, name: str) -> dict[str, Any]:
    try:
        return {"name": name, "error": None, **site.read(name, PAGES["now"], {})}
    except (CambrianError, sqlite3.Error) as error:
        return {"name": name, "error": str(error)}


def _find(site: Site) -> Endpoint:
    """From any reference to an agent to its page."""

    async def find(request: Request) -> Response:
        name, given = request.path_params["archive"], request.query_params.get("agent", "").strip()

        def resolved() -> str:
            with Archive.open(site.path(name), read_only=True) as archive:
                reference = f"#{given}" if given.isdigit() and len(given) < 8 else given
                return archive.resolve(reference)

        try:
            found = await site.apart(resolved)
        except (CambrianError, sqlite3.Error) as error:
            return failed(site, request, error)
        return RedirectResponse(f"/{name}/agent/{found[:10]}", 303)

    return find


def _routes(site: Site, name: str) -> list[BaseRoute]:
    page = PAGES[name]
    path = f"/{{archive}}/{name}" + ("/{ref}" if page.about else "")
    endpoint = _endpoint(site, name)
    return [Route(f"{path}{JSON}", endpoint), Route(path, endpoint)]


def _endpoint(site: Site, name: str) -> Endpoint:
    async def answer(request: Request) -> Response:
        as_json = request.url.path.endswith(JSON)
        archive = request.path_params["archive"]
        shown_as = "json" if as_json else "html"
        ask = {**request.query_params, **request.path_params, "as": shown_as}
        try:
            found = await site.apart(lambda: site.read(archive, PAGES[name], ask))
        except (CambrianError, sqlite3.Error) as error:
            return failed(site, request, error, as_json=as_json)
        if as_json:
            return JSONResponse(found)
        shown = {"archive": archive, "page": name, "ask": ask, "known": request.state.known}
        html = await site.apart(lambda: site.html(PAGES[name].template, d=found, **shown))
        return HTMLResponse(html)

    return answer


def _lost(site: Site) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def lost(request: Request, _: Exception) -> Response:
        error = NotFound(f"there is no page {request.url.path}")
        return failed(site, request, error, as_json=request.url.path.endswith(JSON))

    return lost
