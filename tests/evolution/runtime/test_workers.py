"""The pipe to a worker process: nothing that goes wrong there ends a run or hangs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from cambrian.agents.seeds import load_seed
from cambrian.errors import CambrianError, NotFound, Refused, SandboxBroken, UsageError
from cambrian.evaluators import calibration
from cambrian.evaluators.benchmarks import benchmark
from cambrian.evaluators.workers import turns
from cambrian.evaluators.workers.turns import StreamBusy
from cambrian.evolution.runtime.process_worker import ProcessWorker
from cambrian.evolution.runtime.workers import held
from cambrian.measurement import Measurement, Unit
from cambrian.sandbox.backends import gpu, owner

SEED = load_seed("replay")
SMOKE = [Unit("split-mnist", "smoke", 0)]


def speaking(program: str) -> dict[str, Any]:
    """Have a program of our own take the place of the worker's."""
    return {"command": (sys.executable, "-uc", program)}


def judge(
    log: Path, units: Sequence[Unit] = SMOKE, device: str = "cpu", **how: Any
) -> list[Measurement]:
    """What one real worker says of a seed agent; it must say it within a minute."""
    found: list[Measurement] = []

    async def all_units() -> None:
        with anyio.fail_after(60):
            async with held(ProcessWorker("none", log, **how)) as worker:
                async for one in worker.evaluate("a" * 64, SEED, units, device):
                    found.append(one)

    anyio.run(all_units)
    return found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("print('debug')", "makes no sense"),
        ("print('[]')", "makes no sense"),
        ("print('{}')", "makes no sense"),
        ("print('null')", "makes no sense"),
        ("print('[' * 100000)", "makes no sense"),
        ("sys.stdout.buffer.write(b'\\xff\\xfe\\n')", "makes no sense"),
        ('print(\'{"event": "evaluation", "evaluation": {"benchmark": 1}}\')', "makes no sense"),
        ("print('x' * 3_000_000)", "over 1 MiB"),
        ("print('x', end=''); sys.exit(3)", "status 3"),
        ("os.kill(os.getpid(), 9)", "status -9"),
    ],
)
def test_what_is_no_answer_breaks_that_job_and_nothing_waits(
    tmp_path: Path, said: str, found: str
) -> None:
    program = f"import os, sys, time; sys.stdin.readline(); {said}; time.sleep(600)"
    with pytest.raises(SandboxBroken, match=found):
        judge(tmp_path / "log", **speaking(program), max_line=1 << 20)


def test_a_worker_that_says_nothing_is_ended(tmp_path: Path) -> None:
    with pytest.raises(SandboxBroken, match="said nothing for 1 s"):
        judge(tmp_path / "log", **speaking("import time; time.sleep(600)"), answer_s=1.0)


def test_a_worker_that_waits_for_its_turn_is_not_taken_for_dead(tmp_path: Path) -> None:
    program = (
        "import sys, time; sys.stdin.readline()\n"
        'for _ in range(10): print(\'{"event": "waiting"}\'); time.sleep(0.2)\n'
        'print(\'{"event": "broken", "kind": "StreamBusy", "message": "held"}\')\n'
        'print(\'{"event": "done"}\')'
    )
    with pytest.raises(StreamBusy, match="held"):
        judge(tmp_path / "log", **speaking(program), answer_s=1.0)


@pytest.mark.parametrize("kind", [UsageError, NotFound, Refused])
def test_an_error_keeps_its_kind_and_exit_code_over_the_pipe(
    tmp_path: Path, kind: type[CambrianError]
) -> None:
    said = f'{{"event": "error", "kind": "{kind.__name__}", "message": "no"}}'
    program = f"import sys; sys.stdin.readline(); print('{said}'); print('{{\"event\": \"done\"}}')"
    with pytest.raises(kind, match="no") as raised:
        judge(tmp_path / "log", **speaking(program))
    assert type(raised.value) is kind


BENCHMARK = """
import os, sys, time
from cambrian.benchmarks import Benchmark
from cambrian.evaluators.benchmarks import benchmark

class Loud(Benchmark):
    _like = benchmark("split-mnist")
    name, version, sealed_only = "loud", _like.version, False
    card = _like.card
    print("a line while it is imported")

    def stream(self, stage):
        return self._like.stream(stage)

    def run(self, channel, stage, seed):
        print("debug")
        sys.stdout.flush()
        os.write(1, b"a library of its own\\n")
        assert sys.stdin.read() == "", "the requests are not its own to read"
        if os.environ.get("LOUD") == "raise":
            raise ZeroDivisionError("a mistake of its own")
        began = time.monotonic()
        found = self._like.run(channel, stage, seed)
        if "LOUD_TIMES" in os.environ:
            with open(os.environ["LOUD_TIMES"], "a") as times:
                times.write(f"{seed} {began} {time.monotonic()}\\n")
        return found
"""


def bring(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    version = benchmark("split-mnist").version
    measured = Path(calibration.__file__).with_name(f"split-mnist-{version}.json")
    (folder / "loud.py").write_text(BENCHMARK)
    (folder / f"loud-{version}.json").write_text(measured.read_text())
    monkeypatch.setenv("CAMBRIAN_BENCHMARKS", str(folder / "loud.py"))
    return folder


@pytest.fixture
def loud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A benchmark in a file that prints in every way."""
    return bring(tmp_path, monkeypatch)


@pytest.mark.usefixtures("loud")
def test_what_a_benchmark_prints_goes_to_the_log(tmp_path: Path) -> None:
    [found] = judge(tmp_path / "log", [Unit("loud", "smoke", 0)])
    assert found.verdict == "scored"
    log = (tmp_path / "log").read_text()
    assert all(line in log for line in ("a line while", "debug", "a library of its own"))


@pytest.mark.usefixtures("loud")
def test_a_benchmarks_own_mistake_is_said_and_breaks_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOUD", "raise")
    with pytest.raises(SandboxBroken, match="ZeroDivisionError: a mistake of its own"):
        judge(tmp_path / "log", [Unit("loud", "smoke", 0)])
    assert "Traceback" in (tmp_path / "log").read_text()


def test_a_broken_or_missing_benchmark_is_no_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound, match="no benchmark is called"):
        judge(tmp_path / "log", [Unit("nowhere", "smoke", 0)])
    (tmp_path / "bad.py").write_text("1 / 0")
    monkeypatch.setenv("CAMBRIAN_BENCHMARKS", str(tmp_path / "bad.py"))
    with pytest.raises(UsageError, match="ZeroDivisionError"):
        judge(tmp_path / "log", [Unit("bad", "smoke", 0)])


def test_a_gpu_that_another_worker_has_is_refused_not_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(gpu.GPUS, "GPU-aaaa")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with gpu.lease(), pytest.raises(Refused, match="all 1"):
        judge(tmp_path / "log", device="cuda")


def test_a_killed_worker_leaves_no_folder_process_or_descriptor(tmp_path: Path) -> None:
    async def twice() -> None:
        worker = ProcessWorker("none", tmp_path / "log")
        for _ in range(2):
            units = [*SMOKE, Unit("split-mnist", "screen", 0)]
            with anyio.fail_after(60):
                async for _one in worker.evaluate("a" * 64, SEED, units, "cpu"):
                    process = worker._process
                    assert process is not None
                    assert list(Path(tempfile.gettempdir()).glob(f"cambrian-{process.pid}-*"))
                    await worker.close(now=True)
                    break
            assert process is not None
            assert not list(Path(tempfile.gettempdir()).glob(f"cambrian-{process.pid}-*"))
            assert not Path(f"/proc/{process.pid}").exists()

    before = len(os.listdir("/proc/self/fd"))
    anyio.run(twice)
    assert len(os.listdir("/proc/self/fd")) <= before


@pytest.mark.usefixtures("loud")
def test_two_agents_never_run_a_stream_with_a_seed_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two workers, as two daemons have them, with two agents on one seed and then another each."""
    times = tmp_path / "times"
    monkeypatch.setenv("LOUD_TIMES", str(times))
    ready = [anyio.Event(), anyio.Event()]

    async def judged(worker: ProcessWorker, name: str, *seeds: int) -> None:
        units = [Unit("loud", "screen", seed) for seed in seeds]
        async for found in worker.evaluate(name, SEED, units, "cpu"):
            assert found.verdict == "scored"

    async def one(place: int) -> None:
        async with held(ProcessWorker("none", tmp_path / f"log-{place}")) as worker:
            name = f"agent-{place}"
            await judged(worker, name, 1_000 + place)  # its session is at hand now
            ready[place].set()
            for event in ready:
                await event.wait()
            await judged(worker, name, 3, 4 + place)

    async def both() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one, 0)
            tasks.start_soon(one, 1)

    anyio.run(both)
    rows = [tuple(map(float, line.split())) for line in times.read_text().splitlines()]
    first, second = sorted(row for row in rows if row[0] == 3)
    assert second[1] >= first[2], "the same stream and seed overlapped"
    others = [row for row in rows if row[0] in (4, 5)]
    assert any(row[1] < second[2] and second[1] < row[2] for row in others), "nothing overlapped"


def test_a_turn_is_one_per_stream_and_seed_however_it_is_probed_or_staged() -> None:
    with turns.turn("split-mnist", "smoke", 1_000_001):
        for other in (("split-mnist", "full"), ("split-mnist+each-batch", "race")):
            busy = pytest.raises(StreamBusy, match=f"process {os.getpid()} still runs")
            with busy, turns.turn(*other, 1_000_001, wait_s=0.0):
                pass
        for free in (("split-mnist", "sealed", 1_000_001), ("split-mnist", "full", 1_000_002)):
            with turns.turn(*free, wait_s=0.0):
                pass
    with turns.turn("split-mnist", "full", 1_000_001, wait_s=0.0):
        pass


def test_a_killed_holder_gives_its_turn_back_and_a_stopped_one_is_named() -> None:
    program = (
        "import sys\nfrom cambrian.evaluators.workers.turns import turn\n"
        "with turn('split-mnist', 'full', 1_000_003): print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdin is not None and holder.stdout is not None
    with holder.stdin, holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGSTOP)
        busy = pytest.raises(StreamBusy, match=f"process {holder.pid} .*end that process")
        with busy, turns.turn("split-mnist", "full", 1_000_003, wait_s=0.2):
            pass
        holder.kill()
        holder.wait()
    with turns.turn("split-mnist", "full", 1_000_003, wait_s=10.0):
        pass


@pytest.mark.parametrize("made", ["link", "file", "open"])
def test_the_locks_are_in_a_folder_of_ours_alone(tmp_path: Path, made: str) -> None:
    places = (tmp_path / "none", tmp_path)
    folder = tmp_path / f"cambrian-turns-{os.geteuid()}"
    if made == "link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    elif made == "file":
        folder.write_text("")
    else:
        folder.mkdir(mode=0o777)
    if made == "open":
        assert turns.home(places).stat().st_mode & 0o777 == 0o700
    else:
        with pytest.raises(SandboxBroken, match="a folder of ours"):
            turns.home(places)
    assert not list(tmp_path.glob("elsewhere/*"))


@pytest.mark.parametrize(
    "command", [("cambrian.evaluators.workers.worker", "none"), ("cambrian.agents.recombine",)]
)
def test_what_was_started_by_a_process_that_is_gone_ends_at_once(command: tuple[str, ...]) -> None:
    """Its parent died before it could ask the kernel to be told; its input stays open."""
    orphan = subprocess.Popen(
        [sys.executable, "-m", *command, str(2**22 + 1)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    assert orphan.stdin is not None
    with orphan.stdin:
        assert orphan.wait(timeout=60) == 1


def test_a_worker_ends_with_its_parent_in_the_middle_of_an_evaluation(tmp_path: Path) -> None:
    program = f"""
import anyio, os, signal
from pathlib import Path
from cambrian.agents.seeds import load_seed
from cambrian.measurement import Unit
from cambrian.evolution.runtime.process_worker import ProcessWorker
async def main():
    worker = ProcessWorker("none", Path({str(tmp_path / "log")!r}))
    units = [Unit("split-mnist", "full", seed) for seed in (1, 2, 3, 4)]
    async for _ in worker.evaluate("a" * 64, load_seed("replay"), units, "cpu"):
        print(worker._process.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
anyio.run(main)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        worker = int(parent.stdout.readline())
    parent.wait()
    end = time.monotonic() + 10
    while owner._start(worker) is not None and time.monotonic() < end:  # a zombie has ended
        time.sleep(0.02)
    assert owner._start(worker) is None
