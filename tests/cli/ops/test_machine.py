"""bench, db, plot, doctor: the commands around the archive."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Cli, Command, EvolvedArchive

from cambrian.archive import Archive
from cambrian.cli.ops import environment
from cambrian.cli.ops.doctor import judge
from cambrian.evaluators.benchmarks import benchmark, names
from cambrian.reports.progress import champions, judged_of

ReadJson = Callable[..., Any]


def test_the_benchmarks_are_listed_with_what_0_and_1_stand_for(read_json: ReadJson) -> None:
    items = read_json("bench", "list")["items"]
    assert [item["name"] for item in items] == names()
    for item in items:
        close = benchmark(item["name"]).bounds.close  # a reason why its ends are
        assert item["ceiling"] - item["floor"] >= 0.3 or close
        assert item["flops_allowed"] > 0
    assert next(i for i in items if i["sealed_only"])["stages"] == {"sealed": [0, 1, 2, 3, 4]}


def test_a_benchmark_shows_its_card(read_json: ReadJson, run_cli: Cli) -> None:
    card = read_json("bench", "show", "split-mnist")["card"]
    assert "random features" in card["shortcuts"]
    text = run_cli("bench", "show", "split-mnist").stdout
    assert "Shortcuts" in text
    assert "random features" in " ".join(text.split())


def test_a_sound_archive_passes_its_check(run_cli: Cli, read_json: ReadJson) -> None:
    assert run_cli("db", "lineage").exit_code == 0
    result = run_cli("db", "check")
    assert (result.exit_code, result.stdout) == (0, "")
    assert read_json("db", "check")["items"] == []


def test_a_changed_code_is_found_by_the_check(read_json: ReadJson, grown: EvolvedArchive) -> None:
    with Archive.open(grown.path) as archive:
        archive.database.execute(
            "UPDATE agents SET files = (SELECT files FROM agents WHERE id = ?) WHERE id = ?",
            (grown["tune"], grown["crash"]),
        )
    found = read_json("db", "check", exit_code=1)["items"]
    assert any(p["kind"] == "code" and grown["crash"] in p["detail"] for p in found)


def test_the_lineage_is_a_git_repository_with_a_commit_for_each_member(
    run_cli: Cli, read_json: ReadJson, grown: EvolvedArchive
) -> None:
    found = read_json("db", "lineage")
    assert found["commits"] == 4
    assert Path(found["path"]) == grown.path / "lineage.git"
    assert run_cli("db", "lineage").stdout == f"{found['path']}\n"


def test_the_plot_is_written_into_the_archive(run_cli: Cli, grown: EvolvedArchive) -> None:
    result = run_cli("plot", "progress")
    path = grown.path / "progress.png"
    assert (result.exit_code, result.stdout) == (0, f"{path}\n")
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert min(struct.unpack(">II", data[16:24])) > 500


def test_the_plot_labels_its_axes_and_its_kinds(run_cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    assert run_cli("plot", "progress", "--output", str(path)).exit_code == 0
    text = path.read_text()
    for said in ("mean normalised score", "proposal", "stepping stone", "lower bound"):
        assert said in text
    assert "3 judged variants" in text


def test_the_plot_judges_as_status_does(grown: EvolvedArchive) -> None:
    with Archive.open(grown.path, read_only=True) as archive:
        judged = judged_of(archive, archive.agents.select(everyone=True))
        assert len(judged) == archive.counts()["judged"]
    assert {agent.id for agent in judged} == {grown[name] for name in ("graft", "tune", "cross")}


def test_the_line_of_champions_only_rises_and_ends_at_the_champion(grown: EvolvedArchive) -> None:
    with Archive.open(grown.path, read_only=True) as archive:
        best = champions(archive.agents.select(everyone=True))
        champion = archive.champion()
    assert champion is not None
    assert best.lower == sorted(best.lower)
    assert (best.x[-1], best.mean[-1], best.lower[-1]) == (0, champion.score, champion.lower)


def test_an_empty_archive_can_be_plotted(run_cli: Cli, tmp_path: Path) -> None:
    Archive.create(tmp_path / "empty").close()
    result = run_cli("plot", "progress", "--archive", str(tmp_path / "empty"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "empty" / "progress.png").is_file()


def test_the_doctor_says_what_to_do_where_nothing_is_installed(
    command: Command, tmp_path: Path
) -> None:
    bare = {
        "PATH": str(tmp_path / "empty"),
        "DOCKER_HOST": "unix:///nonexistent/docker.sock",
        "CAMBRIAN_ARCHIVE": str(tmp_path / "none"),
    }
    result = command("doctor", "--json", "--sandbox", "docker", env=bare)
    assert result.returncode == 1, result.stderr
    found = json.loads(result.stdout)
    by_name = {finding["name"]: finding for finding in found["findings"]}
    assert by_name["python"]["ok"] is True
    assert by_name["git"]["ok"] is False
    assert "install git" in by_name["git"]["advice"]
    assert by_name["engine"]["ok"] is False
    assert "DOCKER_HOST" in by_name["engine"]["advice"]
    assert by_name["archive"]["ok"] is None
    assert found["sandbox"]["full"] is False
    assert "nonexistent" in found["sandbox"]["error"]
    assert not (tmp_path / "none").exists()

    text = command("doctor", "--sandbox", "docker", env=bare)
    assert text.returncode == 1
    assert "What to do" in text.stdout
    assert "no full sandbox works here" in text.stderr


def _tried(isolation: str, **enforced: bool | None) -> dict[str, Any]:
    checks = [{"name": name, "enforced": stands} for name, stands in enforced.items()]
    return {"isolation": isolation, "error": None, "checks": checks}


def test_only_a_full_sandbox_without_an_open_wall_is_called_full() -> None:
    assert judge(_tried("full", network=True))["full"] is True
    assert judge(_tried("full", network=True, memory=False))["full"] is False
    assert judge(_tried("reduced", network=True))["full"] is False
    assert judge(_tried("full"))["full"] is False  # nothing was tried
    assert judge(_tried("full", network=True) | {"error": "broke"})["full"] is False


def test_a_wall_that_nobody_could_tell_is_named() -> None:
    assert judge(_tried("full", network=True, cpu=None))["undetermined"] == ["cpu"]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("numpy>=1.26", None),
        ("no-such-package-at-all>=1", "is not installed"),
        ("numpy>=999", "is older than 999"),
        ('tomli>=2; python_version < "3.11"', None),
    ],
)
def test_a_package_that_is_lacking_or_too_old_is_named(entry: str, problem: str | None) -> None:
    said = environment._lacking(entry)
    assert said is None if problem is None else problem in str(said)


def test_an_archive_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "archive.db").write_bytes(b"not a database at all, " * 100)
    found = [f for f in environment.findings(tmp_path) if f.name == "archive"]
    assert [f.ok for f in found] == [False]
