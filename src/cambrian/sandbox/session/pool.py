"""A session that is ready before it is needed."""

from __future__ import annotations

import threading

from cambrian.errors import CambrianError, SandboxBroken
from cambrian.sandbox.backends.process import Backend
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.session import Session


class SessionPool:
    """Keeps one session ready ahead of need, so that importing torch costs no latency."""

    def __init__(self, backend: Backend, limits: Limits | None = None) -> None:
        self.backend = backend
        self.limits = limits or Limits()
        self._spare: Session | None = None
        self._error: CambrianError | None = None
        self._thread: threading.Thread | None = None

    def prepare(self) -> None:
        """Start to make the spare session, in the background."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._make, name="session-pool", daemon=True)
            self._thread.start()

    def _make(self) -> None:
        try:
            self._spare = Session(self.backend, self.limits)
        except CambrianError as error:
            self._error = error

    def _taken(self) -> tuple[Session | None, CambrianError | None]:
        if self._thread is not None:
            self._thread.join()
        spare, error = self._spare, self._error
        self._thread, self._spare, self._error = None, None, None
        return spare, error

    def acquire(self) -> Session:
        """A fresh session; it belongs to the caller.

        Raises:
            SandboxBroken: none could be opened.
        """
        self.prepare()
        spare, error = self._taken()
        if spare is None:
            raise error or SandboxBroken("no session could be opened")
        return spare

    def close(self) -> None:
        """End the spare session, once it is made."""
        spare, _ = self._taken()
        if spare is not None:
            spare.close()
