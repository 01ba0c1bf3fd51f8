"""`cambrian sql` and `cambrian db`: what they print, and how they end."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.conftest import HOSTILE, Cli, EvolvedArchive

ReadJson = Callable[..., Any]


def test_sql_prints_a_table_json_and_csv(
    run_cli: Cli, read_json: ReadJson, grown: EvolvedArchive
) -> None:
    query = "SELECT number, title, score FROM leaderboard ORDER BY number LIMIT 2"
    found = read_json("sql", query)
    assert [row["title"] for row in found["items"]] == ["finetune", "replay"]
    assert not found["truncated"]
    rows = list(csv.reader(io.StringIO(run_cli("sql", "--csv", query).stdout)))
    assert rows == [["number", "title", "score"], ["1", "finetune", "0.1"], ["2", "replay", "0.4"]]
    assert run_cli("sql", query).stdout.splitlines()[0].split() == ["number", "title", "score"]
    cut = read_json("sql", "--limit", "1", "SELECT * FROM agents")
    assert (len(cut["items"]), cut["truncated"]) == (1, True)


def test_sql_shows_nothing_that_steers_a_terminal(run_cli: Cli, grown: EvolvedArchive) -> None:
    query = "SELECT reason FROM proposals WHERE state = 'invalid'"
    for form in ((), ("--csv",)):
        shown = run_cli("sql", *form, query).stdout
        assert "cleared" in shown
        assert not set(HOSTILE) & set(shown) & {"\x1b", "\u202e", "\x07"}


def test_sql_that_would_change_something_is_refused(run_cli: Cli, grown: EvolvedArchive) -> None:
    assert run_cli("sql", "DELETE FROM agents").exit_code == 5
    assert run_cli("sql", "SELECT nonsense").exit_code == 2


def test_a_backup_is_made_and_put_back(
    run_cli: Cli, read_json: ReadJson, grown: EvolvedArchive, tmp_path: Path
) -> None:
    made = read_json("db", "backup", str(tmp_path / "copy"))
    assert made["agents"] == 6
    again = run_cli("db", "backup", str(tmp_path / "copy"))
    assert again.exit_code == 2
    refused = run_cli("db", "restore", str(tmp_path / "copy"))
    assert refused.exit_code == 5
    done = run_cli("--archive", str(tmp_path / "new"), "db", "restore", str(tmp_path / "copy"))
    assert done.exit_code == 0
    assert (tmp_path / "new" / "archive.db").is_file()


def test_migrating_what_is_up_to_date_says_so(run_cli: Cli, grown: EvolvedArchive) -> None:
    done = run_cli("db", "migrate")
    assert done.exit_code == 0
    assert "up to date" in done.stderr


def test_compacting_says_what_it_gained(read_json: ReadJson, grown: EvolvedArchive) -> None:
    grown.archive.close()
    found = read_json("db", "compact")
    assert found["bytes_after"] > 0


def test_an_archive_goes_out_as_a_bundle_and_comes_in_elsewhere(
    run_cli: Cli, read_json: ReadJson, grown: EvolvedArchive, tmp_path: Path
) -> None:
    grown.archive.close()
    made = read_json("archive", "export", str(tmp_path / "bundle"))
    assert made["agents"] == 6
    elsewhere = ("--archive", str(tmp_path / "new"))
    done = read_json(*elsewhere, "archive", "import", str(tmp_path / "bundle"))
    assert (done["new"], done["proposals"]) == (6, 6)
    merged = read_json(*elsewhere, "archive", "merge", str(grown.path))
    assert (merged["new"], merged["known"]) == (0, 6)
    assert run_cli(*elsewhere, "db", "check").exit_code == 0
    assert run_cli("archive", "export", str(tmp_path / "bundle")).exit_code == 2
    (tmp_path / "odd").write_text("no bundle")
    assert run_cli(*elsewhere, "archive", "import", str(tmp_path / "odd")).exit_code == 2
    assert run_cli("archive", "import", str(tmp_path / "bundle")).exit_code == 5


def test_a_second_writer_is_refused_and_told_who_holds_the_archive(
    run_cli: Cli, grown: EvolvedArchive
) -> None:
    with grown.archive.lock():
        for command in (("db", "lineage"), ("db", "compact"), ("archive", "import", "anything")):
            refused = run_cli(*command)
            assert refused.exit_code == 5
            assert f"held by process {os.getpid()}" in refused.stderr
        assert run_cli("status").exit_code == 0
