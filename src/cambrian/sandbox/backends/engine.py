"""Where the Docker engine is: found in one way by all who ask for it.

In the order of Docker's own command: `DOCKER_HOST`, the context that `DOCKER_CONTEXT` names, the
current context of its configuration (Docker Desktop, colima, rootless), the usual socket; and then
a rootless engine's own.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cambrian.errors import Unreachable

if TYPE_CHECKING:
    from docker import APIClient  # type: ignore[attr-defined,unused-ignore]

ANSWER_S = 20
USUAL = "unix:///var/run/docker.sock"
HERE = ("localhost", "127.0.0.1", "::1")
WHAT_TO_DO = (
    "Start it (in a checkout: scripts/engine), set DOCKER_HOST to where it listens, or use "
    "`--sandbox bubblewrap`"
)


@dataclass(frozen=True)
class Address:
    """Where an engine listens.

    Attributes:
        url: as in `DOCKER_HOST`.
        named_by: what says so; empty for the usual socket.
        tls: the SDK's TLS settings, or None.
    """

    url: str
    named_by: str = ""
    tls: Any = None

    @property
    def settings(self) -> dict[str, Any]:
        """What the SDK's clients are made with."""
        secured = {"tls": self.tls} if self.tls is not None else {}
        return {"base_url": self.url, "version": "auto", **secured}

    def silent(self, error: Exception) -> Unreachable:
        """The error for an engine that does not answer."""
        return Unreachable(
            f"expected a Docker engine to answer at {self}; got: {error}. {WHAT_TO_DO}"
        )

    def __str__(self) -> str:
        return self.url + (f" ({self.named_by})" if self.named_by else "")


def address() -> Address:
    """Where to ask.

    Raises:
        Unreachable: the context that is named does not exist or cannot be read, or the engine is
            on another host, which has no access to this one's folders.
    """
    import docker
    import docker.errors

    try:
        given = docker.utils.kwargs_from_env()
    except docker.errors.DockerException as error:
        raise Unreachable(
            "expected the certificates that DOCKER_TLS_VERIFY asks for in DOCKER_CERT_PATH; got: "
            f"{error}. {WHAT_TO_DO}"
        ) from None
    if given.get("base_url"):
        found = Address(str(given["base_url"]), "DOCKER_HOST", given.get("tls"))
    else:
        found = _of_context() or Address(_usual(), "", given.get("tls"))
    try:
        url = urlsplit(found.url)
        _ = url.port
    except ValueError as error:
        raise Unreachable(f"expected an address, got {found}: {error}. {WHAT_TO_DO}") from None
    if url.scheme not in ("unix", "tcp", "http", "https"):
        raise Unreachable(
            f"expected the Docker engine at unix:// or tcp://, got {found}. {WHAT_TO_DO}"
        )
    if url.scheme != "unix" and url.hostname not in HERE:
        raise Unreachable(
            f"expected a Docker engine on this host, got {found}: one elsewhere cannot mount this "
            f"host's session folders. {WHAT_TO_DO}"
        )
    return found


def _of_context() -> Address | None:
    """The address of the context that is in use; None for the default one."""
    from docker.context import ContextAPI
    from docker.context.config import get_current_context_name

    named_by = "DOCKER_CONTEXT" if os.environ.get("DOCKER_CONTEXT") else "the current context"
    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    if not name or name == "default":
        return None
    said = f"{named_by} of Docker, {name!r}"
    try:
        context = ContextAPI.get_context(name)
    except Exception as error:  # noqa: BLE001 - the SDK raises bare ones for what it cannot read
        raise Unreachable(
            f"expected to read {said}; got: {error}. See `docker context ls`"
        ) from None
    if context is None or not context.Host:
        raise Unreachable(
            f"expected {said} to exist; there is none. See `docker context ls`, choose one with "
            "`docker context use`, or set DOCKER_HOST"
        )
    return Address(str(context.Host), said, context.TLSConfig)


def _usual() -> str:
    """The usual socket, or a rootless engine's where there is none."""
    own = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}", "docker.sock")
    if not Path(urlsplit(USUAL).path).exists() and own.is_socket():
        return f"unix://{own}"
    return USUAL


def connect(timeout: float = ANSWER_S) -> APIClient:
    """A client of the engine.

    Raises:
        Unreachable: no engine answers.
    """
    import docker
    import docker.errors

    where = address()
    try:
        knock(where.url)
        return docker.APIClient(timeout=timeout, **where.settings)
    except (docker.errors.DockerException, OSError) as error:
        raise where.silent(error) from None
    except (AttributeError, TypeError, ValueError) as error:  # the SDK reads it at once
        raise Unreachable(
            f"expected Docker's config.json to be as Docker writes it; got: {error}. Mend or "
            "remove it"
        ) from None


def knock(where: str) -> None:
    """Raise OSError where nobody listens; the SDK would leave its socket open."""
    if where.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(ANSWER_S)
            door.connect("/" + where.removeprefix("unix://").lstrip("/"))


@contextlib.contextmanager
def engine() -> Iterator[APIClient]:
    """A client for the length of a block."""
    with contextlib.closing(connect()) as client:
        yield client
