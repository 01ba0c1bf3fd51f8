"""What a person changes from the page: the same intents as on the command line."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from cambrian.daemon.asking import request as ask_run
from cambrian.errors import CambrianError, UsageError
from cambrian.web.site import Site, failed

MOST = 16 << 10
"""Bytes of a form."""
Form = Mapping[str, str]


def _nothing(_: Form) -> dict[str, Any]:
    return {}


def _answer(form: Form) -> dict[str, Any]:
    return {"agent": form.get("agent", ""), "reason": form.get("reason", "")}


def _budget(form: Form) -> dict[str, Any]:
    """The limit, or none where the field is empty.

    Raises:
        UsageError: it is no number.
    """
    given = form.get("limit", "").strip()
    if not given:
        return {"name": form.get("name", ""), "limit": None}
    try:
        number = float(given)
    except ValueError:
        raise UsageError(f"expected a number as the limit, got {given!r}") from None
    return {"name": form.get("name", ""), "limit": int(number) if number.is_integer() else number}


ACTIONS: dict[str, Callable[[Form], dict[str, Any]]] = {
    "pause": _nothing,
    "resume": _nothing,
    "stop": _nothing,
    "approve": _answer,
    "reject": _answer,
    "set-budget": _budget,
}
"""What may be asked from the page, and the arguments that a form gives; `guard` has seen to it that
whoever asks may."""


def routes(site: Site) -> list[BaseRoute]:
    """The addresses of what can be done."""

    async def act(request: Request) -> Response:
        name, verb = request.path_params["archive"], request.path_params["verb"]
        try:
            if verb not in ACTIONS:
                raise UsageError(f"expected one of {', '.join(ACTIONS)}, got {verb!r}")
            path, arguments = site.path(name), ACTIONS[verb](await _form(request))
            said = await run_in_threadpool(ask_run, path, verb, arguments)
        except (CambrianError, sqlite3.Error) as error:
            if _by_htmx(request):
                shown = {"said": str(error), "bad": True}
                return HTMLResponse(site.html("said.html", **shown))
            return failed(site, request, error)
        template = "said.html" if _by_htmx(request) else "said_page.html"
        shown = {"said": said["answer"], "bad": False, "archive": name}
        return HTMLResponse(site.html(template, page="", known=True, **shown))

    return [Route("/{archive}/do/{verb}", act, methods=["POST"])]


def _by_htmx(request: Request) -> bool:
    return "hx-request" in request.headers


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form.

    Raises:
        UsageError: it is larger than `MOST`, or no form.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST:
            raise UsageError(f"expected a form of at most {MOST:,} bytes")
        parts.append(part)
    try:
        fields = parse_qs(b"".join(parts).decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise UsageError(f"expected the fields of a form: {error}") from None
    return {name: values[-1] for name, values in fields.items()}
