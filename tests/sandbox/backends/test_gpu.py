"""A GPU goes to one session at a time, by its id, or not at all. No GPU is needed here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import cambrian
from cambrian.errors import Refused, UsageError
from cambrian.evaluators.workers.worker import FULL
from cambrian.sandbox.backends import gpu
from cambrian.sandbox.backends.bubblewrap import BubblewrapBackend
from cambrian.sandbox.backends.docker import TORCH_LABEL, DockerBackend
from cambrian.sandbox.backends.engine import engine
from cambrian.sandbox.image import image
from cambrian.sandbox.session.limits import Limits

SOURCE = str(Path(cambrian.__file__).parent.parent)
HOLDER = """
import sys
from cambrian.errors import Refused
from cambrian.sandbox.backends import gpu
try: held = gpu.lease()
except Refused as refused: print("refused", flush=True); sys.exit(5)
print(held.gpu, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpu.GPUS, "GPU-aaaa, GPU-bbbb")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def holders() -> Iterator[list[subprocess.Popen[str]]]:
    held: list[subprocess.Popen[str]] = []
    yield held
    for holder in held:
        holder.kill()
        holder.wait()
        for stream in (holder.stdin, holder.stdout):
            assert stream is not None
            stream.close()


def _holder(held: list[subprocess.Popen[str]]) -> str:
    """Another process asks for a GPU; what it got."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": SOURCE},
    )
    held.append(process)
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.usefixtures("two")
def test_two_processes_never_have_the_same_gpu(holders: list[subprocess.Popen[str]]) -> None:
    assert _holder(holders) == "GPU-aaaa"
    assert _holder(holders) == "GPU-bbbb"
    assert _holder(holders) == "refused"
    with pytest.raises(Refused, match="all 2"):
        gpu.lease()


@pytest.mark.usefixtures("two")
def test_a_killed_holder_frees_its_gpu(holders: list[subprocess.Popen[str]]) -> None:
    assert [_holder(holders), _holder(holders)] == ["GPU-aaaa", "GPU-bbbb"]
    holders[0].send_signal(signal.SIGKILL)
    holders[0].wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:  # the kernel closes its files at its own pace
        try:
            with gpu.lease() as held:
                assert held.gpu == "GPU-aaaa"
            break
        except Refused:
            time.sleep(0.02)
    else:
        pytest.fail("the GPU of the dead was not given back")


@pytest.mark.usefixtures("two")
def test_a_lease_ends_with_its_block_and_only_then() -> None:
    with gpu.on("cuda", FULL) as limits:
        assert limits.gpu == "GPU-aaaa"
        with gpu.lease() as other:
            assert other.gpu == "GPU-bbbb"
    with gpu.lease() as again:
        assert again.gpu == "GPU-aaaa"
    with gpu.on("cpu", FULL) as limits:
        assert limits.gpu is None


def test_where_there_is_no_gpu_it_says_so_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(gpu.GPUS, "")
    assert gpu.devices() == ()
    gpu.require("cpu")
    with pytest.raises(Refused, match="--device cpu") as refused:
        gpu.require("cuda")
    assert refused.value.exit_code == 5
    with pytest.raises(UsageError, match="cpu, cuda"):
        gpu.require("tpu")


def test_the_command_line_refuses_before_anything_is_touched(tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(
        json.dumps(
            {"benchmark": "split-mnist", "device": "cuda", "sandbox": "none", "files": {"a": ""}}
        )
    )
    archive = tmp_path / "archive"
    bare = {**os.environ, gpu.GPUS: "", "CAMBRIAN_ARCHIVE": str(archive)}
    for arguments in (
        ["-m", "cambrian.cli.main", "run", "--device", "cuda", "--proposals", "1"],
        ["-c", "from cambrian.evaluators.workers.command import main; main()", str(job)],
    ):
        done = subprocess.run(
            [sys.executable, *arguments], env=bare, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 5, done.stderr
        assert "expected a GPU" in done.stderr
        assert not done.stdout
    assert not archive.exists()


@pytest.mark.parametrize("command", ["run", "daemon"])
def test_more_workers_than_gpus_are_refused_before_anything_is_touched(
    tmp_path: Path, command: str
) -> None:
    archive = tmp_path / "archive"
    one = {**os.environ, gpu.GPUS: "GPU-aaaa", "CAMBRIAN_ARCHIVE": str(archive)}
    options = ["--device", "cuda", "--proposals", "1", "--sandbox", "none"]
    done = subprocess.run(
        [sys.executable, "-m", "cambrian.cli.main", command, *options],
        env=one,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 5, done.stderr
    assert "--workers 1" in done.stderr
    assert not archive.exists()


@pytest.mark.usefixtures("two")
def test_there_may_be_as_many_workers_as_gpus() -> None:
    gpu.require_enough("cuda", 2)
    gpu.require_enough("cpu", 100)
    with pytest.raises(Refused, match=r"each of 3 workers.* shows 2.*--workers 2"):
        gpu.require_enough("cuda", 3)


def test_bubblewrap_gives_no_gpu_away(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="GPU"):
        BubblewrapBackend().launch(tmp_path, Limits(gpu="0"))


@pytest.mark.docker
def test_the_container_that_is_made_has_one_gpu_by_its_id_and_else_none(tmp_path: Path) -> None:
    """What the engine itself says of a container that was created and never started."""
    image.ensure()
    backend = DockerBackend()
    tmp_path.chmod(0o755)
    with engine() as client:
        for given, devices in ((None, []), ("GPU-1234", [["GPU-1234"]])):
            settings = backend._settings(client, tmp_path, Limits(gpu=given))
            made: Any = client.create_container_from_config(settings)
            try:
                host = client.inspect_container(made["Id"])["HostConfig"]
            finally:
                client.remove_container(made["Id"], force=True)
            requests = host["DeviceRequests"] or []
            assert [each["DeviceIDs"] for each in requests] == devices
            assert all(each["Capabilities"] == [["gpu"]] for each in requests)
            assert all(each["Count"] == 0 for each in requests), "by id, never by number"
            assert not host["Devices"]
            assert not host["Privileged"]
            assert host["CapDrop"] == ["ALL"]


@pytest.mark.docker
def test_an_image_without_cuda_is_refused_not_failed(tmp_path: Path) -> None:
    image.ensure()
    backend = DockerBackend()
    assert backend._labels[TORCH_LABEL].endswith("+cpu")
    with pytest.raises(Refused, match="TORCH_INDEX"):
        backend.launch(tmp_path, Limits(gpu="GPU-1234"))


def test_importing_the_zygotes_modules_touches_no_cuda() -> None:
    """Nor does warming up: a fork after CUDA was touched could not use it."""
    script = (
        "import torch\n"
        "def no(*a, **k): raise SystemExit('touched')\n"
        "torch.cuda.init = torch.cuda._lazy_init = torch._C._cuda_init = no\n"
        "from cambrian.sandbox.runner import zygote\n"
        "zygote.warm()\n"
        "assert not torch.cuda.is_initialized()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
