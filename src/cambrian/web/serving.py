"""Serving the page: the names of archives, the token, and the server."""

from __future__ import annotations

import re
import secrets
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import uvicorn

from cambrian.archive import Archive
from cambrian.errors import Unreachable, UsageError
from cambrian.web.app import create_app
from cambrian.web.guard import LOOPBACK, Rules

SHORTEST = 16
"""Characters that a token of one's own has at least."""
_TAKEN = {"static"}


def names_of(paths: Sequence[Path]) -> dict[str, Path]:
    """The archives by the names that they have in addresses: those of their folders, told apart by
    a number where two are the same.

    Raises:
        NotFound, UsageError, Refused: one of them is no archive that can be read.
    """
    found: dict[str, Path] = {}
    for path in paths:
        Archive.open(path, read_only=True).close()
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", path.resolve().name).strip(".-") or "archive"
        name, number = plain, 2
        while name in found or name in _TAKEN:
            name, number = f"{plain}-{number}", number + 1
        found[name] = path.resolve()
    return found


def rules_of(host: str, token: str | None) -> Rules:
    """What is asked of requests where we listen on `host`; a token is made where none is given.

    Raises:
        UsageError: we would listen on more than loopback without a token of the user's own, or the
            token is short or would not pass through an address.
    """
    local = host in LOOPBACK
    if token is None:
        if not local:
            raise UsageError(
                f"others can reach {host}: expected a token, with --token or "
                "CAMBRIAN_SERVE_TOKEN, which whoever reads the page has to know"
            )
        return Rules(secrets.token_urlsafe(24), local)
    if len(token) < SHORTEST or not re.fullmatch(r"[A-Za-z0-9._~-]+", token):
        raise UsageError(
            f"expected a token of at least {SHORTEST} letters, digits or . _ ~ -, got one of "
            f"{len(token)} characters"
        )
    return Rules(token, local)


class _Server(uvicorn.Server):
    """Says so once it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        Unreachable: the address is taken, or none of this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except (OSError, UnicodeError) as error:
        raise Unreachable(
            f"cannot listen on {host}, port {port}: {error}; choose another with --port"
        ) from error


def serve(
    paths: Sequence[Path],
    host: str,
    port: int,
    token: str | None,
    ready: Callable[[int, str], None],
) -> None:
    """Serve until interrupted.

    Args:
        port: 0 takes any free one.
        ready: called with the port and the token once requests are answered.

    Raises:
        UsageError, NotFound, Refused: see `names_of` and `rules_of`.
        Unreachable: the address is taken, or none of this machine's.
    """
    rules = rules_of(host, token)
    config = uvicorn.Config(
        create_app(names_of(paths), rules),
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=32 << 10,
    )
    with _listen(host, port) as listener:
        at = int(listener.getsockname()[1])
        _Server(config, lambda: ready(at, rules.token)).run(sockets=[listener])
