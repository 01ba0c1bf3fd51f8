"""A daemon in a process of its own, for the tests that steer one."""

from __future__ import annotations

import os
import socket as sockets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.conftest import SOURCE

from cambrian.daemon import socket
from cambrian.errors import Unreachable

ROOT = Path(__file__).parents[3]


class Daemon:
    """A run with slow instant workers, in a process of its own."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.cli.run.slow_daemon", str(home), *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{SOURCE}"} | environment,
        )

    def until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Ask for its status until that is so."""
        end = time.monotonic() + 60
        status: dict[str, Any] = {}
        while time.monotonic() < end and self.process.poll() is None:
            try:
                status = socket.ask(self.home, "status")["data"]
            except Unreachable:
                time.sleep(0.05)
                continue
            if true(status):
                return status
            time.sleep(0.05)
        raise AssertionError(f"never came to be: {status}")


@contextmanager
def daemon(home: Path, *arguments: str, **environment: str) -> Iterator[Daemon]:
    running = Daemon(home, *arguments, **environment)
    try:
        running.until(lambda status: status["jobs"]["leased"] > 0 or bool(status["paused"]))
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def raw(home: Path, text: bytes) -> bytes:
    descriptor = os.open(home / "socket", os.O_RDONLY)
    try:
        with sockets.socket(sockets.AF_UNIX) as stream:
            stream.settimeout(10)
            stream.connect(f"/proc/self/fd/{descriptor}/control.sock")
            stream.sendall(text)
            return stream.recv(1 << 16)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
