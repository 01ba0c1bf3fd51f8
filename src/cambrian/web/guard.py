"""Who may read and who may change what is served.

Held off are pages of other origins that the same browser shows (a forged POST, DNS rebinding, a
frame around ours), text in an archive that tries to run as a script, and, on an address that others
reach, whoever lacks the token. Not held off: other users of the same machine may read what is
served on loopback, and whoever sees the token may steer. There is no TLS: on a network, put a proxy
in front.

- `Host` has to be a name of loopback while we listen there, so that no other name leads to us.
- What a browser says that a page of another site loads (`Sec-Fetch-Site`) is not answered, but for
  links to us: what we read costs time, also where the answer cannot be seen.
- Reading needs the token wherever we listen on more than loopback.
- Changing always needs a POST, an `Origin` that is our own, and the token.

The token comes once in the address (`?token=`), then in a cookie that scripts do not see and other
sites do not send, or as `Authorization: Bearer`.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""What loopback is called."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing in the page itself, no frame around it."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
SAFE = ("GET", "HEAD")
TOKEN = "token"  # noqa: S105 - the name of a parameter


@dataclass(frozen=True)
class Rules:
    """What is asked of a request.

    Attributes:
        token: what opens what is not open to all.
        local: whether we listen on loopback only, where reading needs no token.
    """

    token: str
    local: bool = True


class Guard:
    """An ASGI application around another: refuses what the rules forbid, and adds the headers."""

    def __init__(self, app: ASGIApp, rules: Rules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        scope.setdefault("state", {})["known"] = self.knows(scope)
        answer = self.refusal(scope) or self._login(scope)
        await (answer or self._app)(scope, receive, guarded)

    def refusal(self, scope: Scope) -> Response | None:
        """Why a request is not answered; None if it is."""
        headers = Headers(scope=scope)
        if self._rules.local and _host(headers.get("host", "")) not in LOOPBACK:
            return _no(f"expected a name of loopback as Host, got {headers.get('host', '')!r}")
        if _is_drawn_in(headers):
            return _no("expected this to be opened or followed, not loaded by another site's page")
        given = _query(scope).get(TOKEN)
        if given is not None and not self._is_token(given):
            return _no("wrong token: open the address that `cambrian serve` printed")
        if scope["method"] not in SAFE:
            return self._changes(scope, headers)
        if not self._rules.local and given is None and not self.knows(scope):
            return _no("expected the token: open the address that `cambrian serve` printed")
        return None

    def _changes(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["method"] != "POST":
            return PlainTextResponse("expected GET or POST\n", 405)
        # A proxy in front may speak TLS with the browser and none with us.
        ours = [f"{scheme}://{headers.get('host', '')}" for scheme in ("http", "https")]
        if headers.get("origin") not in ours:
            return _no(f"expected the Origin {ours[0]}, got {headers.get('origin')!r}")
        if not self.knows(scope):
            return _no("wrong or no token: open the address that `cambrian serve` printed")
        return None

    def knows(self, scope: Scope) -> bool:
        """Whether a request brings the token, in its cookie or as a bearer."""
        headers = Headers(scope=scope)
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        return (kind.lower() == "bearer" and self._is_token(bearer)) or self._is_token(
            _cookies(headers).get(cookie_name(scope), "")
        )

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._rules.token.encode())

    def _login(self, scope: Scope) -> Response | None:
        """The right token in the address: keep it in a cookie, and take it out of the address."""
        query = _query(scope)
        if scope["method"] not in SAFE or TOKEN not in query:
            return None
        rest = urlencode({name: value for name, value in query.items() if name != TOKEN})
        # One slash only: "//name" would lead to another host.
        path = "/" + scope["path"].lstrip("/\\") + (f"?{rest}" if rest else "")
        answer = RedirectResponse(path, 303)
        answer.set_cookie(
            cookie_name(scope),
            self._rules.token,
            httponly=True,
            samesite="strict",
            secure=scope.get("scheme") == "https",
        )
        return answer


def cookie_name(scope: Mapping[str, Any]) -> str:
    """The cookie's name: cookies know no ports, so two servers on one machine need two names."""
    server = scope.get("server") or ("", 0)
    return f"cambrian-{server[1]}"


def _is_drawn_in(headers: Headers) -> bool:
    """Whether another site's page loads this as a part of itself (Fetch Metadata, W3C)."""
    site, mode = headers.get("sec-fetch-site"), headers.get("sec-fetch-mode")
    return site == "cross-site" and mode != "navigate"


def _host(given: str) -> str:
    if given.startswith("["):
        return given[1:].partition("]")[0]
    return given.rpartition(":")[0] if ":" in given else given


def _query(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))


def _cookies(headers: Headers) -> dict[str, str]:
    try:
        found = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in found.items()}


def _no(why: str) -> Response:
    return PlainTextResponse(f"refused: {why}\n", 403)
