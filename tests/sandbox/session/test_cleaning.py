"""What the zygote does after a job ends, whatever the job left: within seconds, and reported."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

import pytest

from cambrian.sandbox.runner import zygote
from cambrian.sandbox.runner.frames import FrameSocket, Kind
from cambrian.sandbox.session.session import REPORT_S


class Powerless(zygote.Zygote):
    """One whose job is stuck in the kernel: no signal ends it."""

    def __init__(self, control: socket.socket) -> None:
        self.alone, self.control = False, FrameSocket(control)

    def _kill(self, child: int) -> None:
        pass


def test_a_job_that_no_signal_ends_is_left_there_in_time_for_a_report() -> None:
    near, far = socket.socketpair()
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    with near, far, subprocess.Popen(["sleep", "600"]) as job:
        try:
            FrameSocket(far).send(Kind.END, 1)
            began = time.monotonic()
            assert Powerless(near)._watch(job.pid, reader, zygote.Output()) == "on request"
            took = time.monotonic() - began
            assert took + zygote.CLEANING + 2.0 < REPORT_S
            assert job.poll() is None
        finally:
            job.kill()
            os.close(reader)
            os.close(writer)


def test_cleaning_stops_at_its_deadline_and_follows_no_link(tmp_path: Path) -> None:
    scratch, outside = tmp_path / "scratch", tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (scratch / "a" / "b").mkdir(parents=True)
    (scratch / "link").symlink_to(outside)
    (scratch / "a" / "up").symlink_to(outside)
    for number in range(50):
        (scratch / "a" / f"{number}").touch()
    (scratch / "a" / "b").chmod(0)
    with pytest.raises(TimeoutError):
        zygote._empty(str(scratch), time.monotonic() - 1)
    zygote._empty(str(scratch), time.monotonic() + 30)
    assert not list(scratch.iterdir())
    assert (outside / "kept").exists()
