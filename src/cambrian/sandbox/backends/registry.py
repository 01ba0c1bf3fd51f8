"""Which backend this machine gets."""

from __future__ import annotations

import os
from collections.abc import Callable

from cambrian.errors import CambrianError, NotFound, Refused, UsageError
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.session.limits import Limits, require_bound_memory

NAMES = ("auto", "docker", "gvisor", "bubblewrap", "none")
IMAGE = "CAMBRIAN_SANDBOX_IMAGE"
RUNTIME = "CAMBRIAN_DOCKER_RUNTIME"

UNSAFE = (
    "--sandbox none: agents run as you, with your files, your network and no limits. "
    "Only for code that you would run by hand."
)


def choose(name: str, announce: Callable[[str], None]) -> Backend:
    """The backend of that name, or for "auto" the strongest that works here.

    Args:
        name: one of `NAMES`; "none" has to be typed, it is never chosen.
        announce: called with which one it is, and why not a stronger one.

    Raises:
        Refused: "auto", and neither Docker nor bubblewrap works; or what works does not bound
            memory, and that was not allowed; says what to do.
        Unreachable, NotFound, SandboxBroken: the one that was named does not work.
    """
    if name == "docker":
        return docker()
    if name == "gvisor":
        return gvisor()
    if name == "bubblewrap":
        return _bounding(bubblewrap())
    if name == "none":
        from cambrian.sandbox.backends.plain import PlainBackend

        announce(UNSAFE)
        return PlainBackend()
    if name != "auto":
        raise UsageError(f"expected a sandbox of {', '.join(NAMES)}; got {name!r}")
    return _strongest(announce)


def docker() -> Backend:
    """Docker, with the image and runtime that the environment may name."""
    from cambrian.sandbox.backends.docker import DockerBackend

    return DockerBackend(os.environ.get(IMAGE) or None, os.environ.get(RUNTIME) or None)


def gvisor() -> Backend:
    """Docker with gVisor: a kernel of its own for what is in it.

    Raises:
        NotFound: the engine has no such runtime.
    """
    from cambrian.sandbox.backends.docker import DockerBackend

    runtime = os.environ.get(RUNTIME) or "runsc"
    backend = DockerBackend(os.environ.get(IMAGE) or None, runtime)
    if not backend.gvisor:
        raise NotFound(
            f"expected a runtime {runtime} of the engine that is gVisor; there is none. "
            "`scripts/gvisor` sets it up as root on Debian and Ubuntu"
        )
    return backend


def _bounding(backend: Backend) -> Backend:
    if "memory" in backend.reduced:
        require_bound_memory(Limits())
    return backend


def bubblewrap() -> Backend:
    """Bubblewrap, tried out."""
    from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend

    backend = BubblewrapBackend()
    backend.try_out()
    return backend


def _strongest(announce: Callable[[str], None]) -> Backend:
    reasons = []
    for name, make in (("docker", docker), ("bubblewrap", bubblewrap)):
        try:
            backend = _bounding(make())
        except CambrianError as error:
            reasons.append(f"{name}: {error}")
            continue
        why = f" ({'; '.join(reasons)})" if reasons else ""
        announce(f"sandbox: {name}, isolation {backend.isolation}{why}")
        return backend
    raise Refused(
        "no sandbox works here, and agents are never run without one unless "
        "`--sandbox none` is typed. Start a Docker engine and build the image "
        "(`python -m cambrian.sandbox.image.image build`), or install bubblewrap "
        f"(package bubblewrap). {'. '.join(reasons)}"
    )
