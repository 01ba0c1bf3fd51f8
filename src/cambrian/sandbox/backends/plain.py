"""No sandbox at all: the zygote as an ordinary process of this user.

For development on machines with neither Docker nor bubblewrap, and only when
`--sandbox none` was typed: an agent run this way can do whatever its user can.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

from cambrian import places
from cambrian.errors import SandboxBroken
from cambrian.sandbox.backends import owner, spawn
from cambrian.sandbox.backends.cgroups import OomKills
from cambrian.sandbox.backends.process import MEMORY, ZYGOTE
from cambrian.sandbox.session.limits import Limits

ENVIRONMENT = MEMORY | {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}


MISSING = (
    *("network", "host files", "root file system", "capabilities", "seccomp", "process 1"),
    *("machine", "shared files"),
    *("processes", "open files", "memory", "cpu", "scratch size", "shared memory", "gpu"),
)
"""All but what the host's side enforces by itself."""


class PlainProcess:
    """An ordinary process of this user, in a folder of its own: nothing holds it but good
    manners."""

    def __init__(self, share: Path, gpu: str | None = None) -> None:
        self._scratch = owner.folder()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by kill()
        self._last = ""
        source = str(places.PACKAGE.parent)
        path = os.pathsep.join([source, *(p for p in sys.path if p.endswith("site-packages"))])
        try:
            self._process = spawn.start(
                [sys.executable, "-m", ZYGOTE, str(share), str(self._scratch)],
                output=self._said,
                env=ENVIRONMENT | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": gpu or ""},
                cwd=self._scratch,
            )
        except OSError as error:
            self._said.close()
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise SandboxBroken(f"expected to start {sys.executable}; got: {error}") from None

    def kill(self) -> None:
        """Kill its process group and remove its folder."""
        if self._said.closed:
            return
        self._last = self.log()
        try:
            if self._process.poll() is None:  # its jobs go with it: they asked the kernel for that
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            pass  # stuck in the kernel; nothing more can be done from here
        self._said.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def ended_from_inside(self) -> bool:
        """Never said: it could be, but so could anything else of this user."""
        return False  # it could, but so could anything else of this user

    def oom_kills(self) -> OomKills | None:
        """None: without a control group nothing is counted."""
        return None

    def cpu_s(self) -> float | None:
        """None: without a control group the processes together are not counted."""
        return None

    def log(self) -> str:
        """The last that it wrote to its output; kept after `kill`."""
        return self._last if self._said.closed else spawn.tail(self._said)


class PlainBackend:
    """`--sandbox none`."""

    name = "none"
    isolation = "none"
    shares_memory = True

    reduced: Mapping[str, str] = MappingProxyType(dict.fromkeys(MISSING, "there is no sandbox"))

    def launch(self, share: Path, limits: Limits) -> PlainProcess:
        """Start a process on the folder `share`; of the limits only the GPU's id is heeded."""
        return PlainProcess(share, limits.gpu)

    def provenance(self) -> Mapping[str, str]:
        """Backend, isolation (none) and the version of Python."""
        return {"backend": self.name, "isolation": self.isolation, "python": sys.version.split()[0]}

    def reap(self) -> int:
        """Remove folders whose owner is gone; how many."""
        return owner.reap_folders()
