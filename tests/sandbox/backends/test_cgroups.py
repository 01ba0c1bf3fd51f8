"""Counters read from both versions, written out as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.sandbox.backends.cgroups import OomKills, Usage

LIMIT = 100 << 20


def _write(folder: Path, files: dict[str, str]) -> Usage:
    for name, text in files.items():
        (folder / name).write_text(text)
    return Usage(folder, folder)


@pytest.mark.parametrize(
    ("oom", "kills"), [(3, OomKills(2, 0)), (0, OomKills(0, 2))], ids=["own bound", "the host's"]
)
def test_version_2_tells_the_sessions_bound_from_the_hosts_want(
    tmp_path: Path, oom: int, kills: OomKills
) -> None:
    text = f"low 0\nhigh 0\nmax 9\noom {oom}\noom_kill 2\noom_group_kill 0\n"
    assert _write(tmp_path, {"memory.events": text}).oom_kills() == kills


@pytest.mark.parametrize(
    ("most", "kills"),
    [(LIMIT, OomKills(1, 0)), (LIMIT // 2, OomKills(0, 1))],
    ids=["own bound", "the host's"],
)
def test_version_1_tells_the_sessions_bound_from_the_hosts_want(
    tmp_path: Path, most: int, kills: OomKills
) -> None:
    files = {
        "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        "memory.limit_in_bytes": f"{LIMIT}\n",
        "memory.max_usage_in_bytes": f"{most}\n",
    }
    assert _write(tmp_path, files).oom_kills() == kills


def test_processor_seconds_come_in_nanoseconds_or_microseconds(tmp_path: Path) -> None:
    assert _write(tmp_path, {"cpu.stat": "usage_usec 2500000\nuser_usec 1\n"}).cpu_s() == 2.5
    assert _write(tmp_path, {"cpuacct.usage": "1500000000\n"}).cpu_s() == 1.5


def test_a_group_that_is_gone_counts_nothing(tmp_path: Path) -> None:
    usage = Usage(tmp_path / "gone", tmp_path / "gone")
    assert usage.oom_kills() is None
    assert usage.cpu_s() is None
    assert Usage(None, None).oom_kills() is None
