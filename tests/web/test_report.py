"""The report is one file that says what was run, loads nothing and runs nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner
from tests.cli.conftest import HOSTILE, EvolvedArchive

from cambrian.archive import Archive
from cambrian.cli.main import cli


def written(archive: Path, target: Path) -> str:
    found = CliRunner().invoke(cli, ["report", "-o", str(target), str(archive)])
    assert found.exit_code == 0, found.output
    return target.read_text(encoding="utf-8")


def test_the_report_says_counts_champion_lineage_and_how_to_repeat_it(tmp_path: Path) -> None:
    grown = EvolvedArchive(tmp_path / "archive")
    text = written(grown.path, tmp_path / "report.html")
    assert grown["graft"] in text
    assert "0.700" in text
    assert "What was changed" in text
    assert f"agent replay {grown['graft'][:10]}" in text
    assert re.search(r"judged</th><td class=\"r\">3</td>", text)


def test_the_report_is_one_file_without_scripts_or_addresses(tmp_path: Path) -> None:
    text = written(EvolvedArchive(tmp_path / "archive").path, tmp_path / "report.html")
    assert "<script" not in text
    assert not re.search(r"(src|href)=|url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_hostile_text_in_the_champions_line_is_shown_and_does_nothing(tmp_path: Path) -> None:
    grown = EvolvedArchive(tmp_path / "archive")
    long = HOSTILE + "x" * 1_000_000
    archive = Archive.open(grown.path)
    archive.database.execute("UPDATE agents SET title = ?, hypothesis = ?", (long, long))
    archive.close()
    text = written(grown.path, tmp_path / "report.html")
    assert len(text) < 200_000
    assert "<script" not in text
    assert "&lt;script" in text
    assert not [c for c in text if not c.isprintable() and c not in "\n\t"]


def test_the_same_content_is_written_as_json(tmp_path: Path) -> None:
    grown = EvolvedArchive(tmp_path / "archive")
    found = json.loads(written(grown.path, tmp_path / "report.json"))
    assert found["champion"]["id"] == grown["graft"]
    assert found["lineage"][-1]["diff"]


def test_another_ending_is_refused_and_says_which_are_known(tmp_path: Path) -> None:
    found = CliRunner().invoke(cli, ["report", "-o", str(tmp_path / "report.pdf")])
    assert found.exit_code == 2
    assert "expected a file that ends with .html or .json" in found.output


def test_an_archive_in_which_nothing_was_run_has_a_report_too(tmp_path: Path) -> None:
    Archive.create(tmp_path / "empty").close()
    assert "Nothing was run yet" in written(tmp_path / "empty", tmp_path / "report.html")
