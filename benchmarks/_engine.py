"""A Docker engine of one's own, to be killed and started again while others use the machine's.

    with PrivateEngine(folder) as engine:      (as root, where dockerd is installed)
        engine.copy(image)                     from the machine's engine
        engine.kill(); engine.start()

It has its own files, its own socket and a network namespace of its own, so that it never touches
the bridge and the firewall rules of the engine beside it. It is ended by its own process id.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

START_S = 60.0


class PrivateEngine:
    """The engine whose state is in `folder`.

    Attributes:
        address: what `DOCKER_HOST` has to be to reach it.
        starts: how often it was started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder / 'docker.sock'}"
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        return os.environ | {"DOCKER_HOST": self.address}

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it does not.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        state = self.folder / "exec" / "containerd"
        for name in ("containerd.pid", "containerd.sock", "containerd.sock.ttrpc"):
            (state / name).unlink(missing_ok=True)  # of one that was killed: dockerd would wait
        (self.folder / "dockerd.pid").unlink(missing_ok=True)
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *("unshare", "--net", "dockerd", "--host", self.address),
                    *("--data-root", str(self.folder / "data")),
                    *("--exec-root", str(self.folder / "exec")),
                    *("--pidfile", str(self.folder / "dockerd.pid")),
                    *("--bridge=none", "--iptables=false", "--ip6tables=false"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"no engine came up; see {self.folder / 'dockerd.log'}")
            time.sleep(0.2)
        self.starts += 1

    def _answers(self) -> bool:
        asked = subprocess.run(
            ["docker", "version"], env=self.environment, capture_output=True, check=False
        )
        return asked.returncode == 0

    def copy(self, image: str) -> None:
        """Bring an image of the machine's engine into this one."""
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as source:
            subprocess.run(
                ["docker", "load"],
                env=self.environment,
                stdin=source.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        if source.returncode:
            raise RuntimeError(f"the engine of this machine cannot give {image} away")

    def containers(self) -> list[str]:
        """Those in it, running or not: id, state, how long, whose."""
        form = '{{.ID}} {{.State}} {{.Status}} {{.Label "cambrian.owner"}}'
        listed = subprocess.run(
            ["docker", "ps", "--all", "--format", form],
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return listed.stdout.splitlines()

    def kill(self) -> None:
        """SIGKILL; its containerd goes with it, what it ran is ended by the next start."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> PrivateEngine:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self.kill()
        self._unmount()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _unmount(self) -> None:
        """What it left mounted, innermost first."""
        places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in sorted(places, reverse=True):
            if place.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "-l", place], check=False)
