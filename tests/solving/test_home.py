"""The directory of a solution: of one question, and gone on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.errors import NotFound, Refused, UsageError
from cambrian.solving.home import Progress, open_home, progress

ASKED = {"label": "y", "order": "", "kind": "drift", "domain": "", "from": ""}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    file = tmp_path / "My Table.csv"
    file.write_text("x,y\n1,a\n2,b\n")
    return file


def test_it_has_a_copy_of_the_table_and_a_benchmark_beside_it(table: Path, tmp_path: Path) -> None:
    home = open_home(tmp_path / "out", table, ASKED, 3.0)
    assert home.table.read_bytes() == table.read_bytes()
    assert home.benchmark == tmp_path / "out" / "my_table_table.py"


def test_more_minutes_are_the_searchs(table: Path, tmp_path: Path) -> None:
    home = open_home(tmp_path / "out", table, ASKED, 3.0)
    home.keep(Progress(progress(home).question, 3.0, [], 50.0))
    open_home(tmp_path / "out", table, ASKED, 3.0)
    assert progress(home).search_s == 50.0
    open_home(tmp_path / "out", table, ASKED, 5.0)
    assert progress(home).search_s == 170.0


def test_another_question_is_refused(table: Path, tmp_path: Path) -> None:
    open_home(tmp_path / "out", table, ASKED, 3.0)
    with pytest.raises(Refused, match=r"another question \(another label\)"):
        open_home(tmp_path / "out", table, {**ASKED, "label": "x"}, 3.0)
    table.write_text("x,y\n1,a\n2,c\n")
    with pytest.raises(Refused, match=r"another table"):
        open_home(tmp_path / "out", table, ASKED, 3.0)


def test_a_directory_with_something_else_in_it_is_left_alone(table: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="to be new or empty"):
        open_home(tmp_path, table, ASKED, 3.0)
    with pytest.raises(NotFound, match="no such file"):
        open_home(tmp_path / "out", tmp_path / "none.csv", ASKED, 3.0)
    assert not (tmp_path / "out").exists()
