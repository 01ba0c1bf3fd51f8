"""Telling the service manager how we are: `sd_notify(3)` over `NOTIFY_SOCKET`, without its library.

Ready, status and stopping messages, and the watchdog's heartbeat, which comes from the event loop
itself: a process that hangs is killed and started again by systemd, and loses nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import anyio

MICRO = 1_000_000


class Notifier:
    """Sends datagrams to the service manager; does nothing where there is none.

    Args:
        address: a path, or an abstract name after "@"; "" for nobody.
        watchdog_s: how often the service manager wants to hear from us at least; 0 for never.
    """

    def __init__(self, address: str = "", watchdog_s: float = 0.0) -> None:
        self.address = address
        self.watchdog_s = watchdog_s

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Notifier:
        """As the service manager says in the environment (`WATCHDOG_PID` may mean another)."""
        pid = environment.get("WATCHDOG_PID")
        ours = pid is None or pid == str(os.getpid())
        usec = environment.get("WATCHDOG_USEC", "0")
        watchdog_s = int(usec) / MICRO if ours and usec.isdigit() else 0.0
        return cls(environment.get("NOTIFY_SOCKET", ""), watchdog_s)

    def ready(self, status: str) -> None:
        """READY=1: the service manager may start what waits for this one (also after a reload)."""
        self._send("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def starting(self, text: str) -> None:
        """Not ready yet, and getting on: wait for another minute."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(60 * MICRO)}", f"STATUS={text}")

    def status(self, text: str) -> None:
        """STATUS=: a line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """RELOADING=1, with the monotonic clock in microseconds; `ready` ends it."""
        usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={usec}")

    def stopping(self) -> None:
        """STOPPING=1: no restart is needed for what follows."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """WATCHDOG=1: the event loop turns; without it, the service manager restarts us."""
        self._send("WATCHDOG=1")

    async def watchdog(self) -> None:
        """Say that we are alive, twice as often as asked; for ever."""
        while self.watchdog_s:
            self.alive()
            await anyio.sleep(self.watchdog_s / 2)

    def _send(self, *lines: str) -> None:
        if not self.address:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        text = "\n".join(" ".join(line.splitlines()) for line in lines)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
                to.sendto(text.encode(), socket.MSG_DONTWAIT, address)
        except OSError:
            return  # the service manager's trouble must not become ours
