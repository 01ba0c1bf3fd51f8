"""No sandbox at all: the zygote as an ordinary process of this user.

For development on machines with neither Docker nor bubblewrap, and only when
`--sandbox none` was typed: an agent run this way can do whatever its user can.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import cambrian
from cambrian.sandbox.limits import Limits
from cambrian.sandbox.process import ZYGOTE

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class PlainProcess:
    def __init__(self, share: Path) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="cambrian-scratch-")
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        source = str(Path(cambrian.__file__).parent.parent)
        path = os.pathsep.join([source, *(p for p in sys.path if p.endswith("site-packages"))])
        self._process = subprocess.Popen(
            [sys.executable, "-m", ZYGOTE, str(share), self._scratch.name],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            env=ENVIRONMENT | {"PYTHONPATH": path},
            start_new_session=True,
            cwd=self._scratch.name,
        )
        self._last = ""

    def kill(self) -> None:
        if self._said.closed:
            return
        self._last = self.log()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._said.close()
        self._scratch.cleanup()

    def alive(self) -> bool:
        return self._process.poll() is None

    def oom_kills(self) -> int | None:
        return None

    def cpu_s(self) -> float | None:
        return None

    def log(self) -> str:
        if self._said.closed:
            return self._last
        self._said.seek(0)
        return self._said.read()[-8000:].decode("utf-8", "replace")


class PlainBackend:
    """`--sandbox none`."""

    name = "none"
    isolation = "none"

    def launch(self, share: Path, limits: Limits) -> PlainProcess:
        return PlainProcess(share)

    def provenance(self) -> Mapping[str, str]:
        return {"backend": self.name, "isolation": self.isolation, "python": sys.version.split()[0]}

    def reap(self) -> int:
        return 0
