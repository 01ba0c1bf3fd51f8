"""Tables as people have them: read, or refused with file, line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators.conformance import check
from cambrian.evaluators.data import read_table
from cambrian.evaluators.plugins import load

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
GOOD = "ash,hue,kind\n1,2,a\n2,3,a\n3,4,a\n4,5,a\n1.5,2,b\n2.5,3,b\n-3e2,4,b\n0.1,5,b\n"


def _read(tmp_path: Path, text: str | bytes, **stated: int) -> str:
    file = tmp_path / "mine.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UsageError) as caught:
        read_table(file, label="kind", **stated)
    said = str(caught.value)
    assert str(file) in said
    return said.removeprefix(str(file))


def test_a_good_table_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text(GOOD)
    found = read_table(file, label="kind", columns=2, classes=2)
    assert (found.columns, found.classes) == (("ash", "hue"), ("a", "b"))
    assert found.x.dtype == np.float32
    assert found.x[6].tolist() == [-300.0, 4.0]
    assert found.y.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_quotes_windows_line_ends_and_a_label_in_front_are_read_too(tmp_path: Path) -> None:
    rows = [f'"class, {name}",{n},{n * n}' for name in "xy" for n in range(4)]
    file = tmp_path / "mine.csv"
    file.write_bytes("\r\n".join(["kind,one,two", *rows, ""]).encode())
    found = read_table(file, label="kind")
    assert found.classes == ("class, x", "class, y")
    assert found.x.shape == (8, 2)


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "-inf", "1e300", "1e39", "3.4e38", "-1e20"])
def test_a_number_that_is_not_finite_is_named_with_line_and_column(
    cell: str, tmp_path: Path
) -> None:
    said = _read(tmp_path, GOOD.replace("3,4,a", f"3,{cell},a"))
    assert said.startswith(", line 4, column 2 (hue): expected a finite number of at most 1e+15")
    assert said.endswith(f", got {cell}")


@pytest.mark.parametrize("cell", ["?", "", "NA", "three", "1_000", "0x10", "--1"])
def test_a_cell_that_is_no_number_is_named_with_line_and_column(cell: str, tmp_path: Path) -> None:
    said = _read(tmp_path, GOOD.replace("3,4,a", f"{cell},4,a"))
    assert said.startswith(", line 4, column 1 (ash): expected a number, got ")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is empty"),
        ("ash,hue,kind\n", "line 1: expected rows"),
        (GOOD.replace(",", ";"), "line 1: expected commas between columns, got semicolons"),
        (GOOD.replace(",", "\t"), "line 1: expected commas between columns, got tabs"),
        (
            GOOD.replace("3,4,a", '"3,5",4,a'),
            "line 4, column 1 (ash): expected a number, got '3,5'",
        ),
        (GOOD.replace("3,4,a", "3,4"), "line 4: expected 3 cells, got 2"),
        (GOOD.replace("3,4,a", "3,4,a,5"), "line 4: expected 3 cells, got 4"),
        (GOOD.replace("3,4,a", '3,"4,a'), "expected CSV"),
        (GOOD.replace("3,4,a", "3,4,?"), "line 4, column 3 (kind): expected a label"),
        (GOOD.replace("hue", "ash"), "line 1, column 2: a second column called 'ash'"),
        (GOOD.replace("hue", ""), "line 1, column 2: expected a name"),
        (GOOD.replace("kind", "sort"), "line 1: expected a column 'kind' with the labels"),
        (GOOD.split("\n", 1)[1].replace("a", "1").replace("b", "2"), "line 1: expected a header"),
        ("ash,kind\n" + "1,a\n" * 4 + "1,b\n" * 4, "column 1 (ash): constant: 1 in every row"),
        (GOOD.replace(",b", ",a"), "column 3 (kind): expected two classes or more, got one: 'a'"),
        (GOOD + "9,9,c\n", "line 10, column 3 (kind): expected 4 rows or more of class 'c', got 1"),
        ("kind\na\nb\n", "line 1: expected columns of numbers beside 'kind'"),
        ("\ufeff" + GOOD, "line 1: a byte order mark (BOM)"),
        (GOOD.encode("utf-16"), "line 1: expected UTF-8, got UTF-16"),
        (GOOD.encode().replace(b"3,4,a", b"3,4,\xe4"), "line 4: byte 0xe4 is not UTF-8"),
        (GOOD.replace("3,4,a", '3,"4\n",a\n7,8,?'), "line 6, column 3 (kind): expected a label"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str | bytes, word: str, tmp_path: Path) -> None:
    assert word in _read(tmp_path, text)


def test_stated_columns_and_classes_are_held_against_the_table(tmp_path: Path) -> None:
    assert "expected 3 columns beside 'kind', got 2" in _read(tmp_path, GOOD, columns=3)
    assert "expected 1 column beside 'kind', got 2" in _read(tmp_path, GOOD, columns=1)
    assert "expected 3 classes, got 2: 'a', 'b'" in _read(tmp_path, GOOD, classes=3)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        read_table(tmp_path / "none.csv", label="kind")


@pytest.mark.parametrize("harm", ["nan", "constant"])
def test_a_benchmark_that_reads_by_itself_is_told_where_a_number_is_not_finite(
    harm: str, tmp_path: Path
) -> None:
    """As a class that reads its table without `read_table` and divides by the deviation."""
    source = (EXAMPLES / "wine.py").read_text()
    own = f"""
    rows = np.random.default_rng(0).normal(size=(120, COLUMNS)).astype(np.float32)
    if {harm!r} == "constant":
        rows[:, 4] = 7.0
    else:
        rows[17, 4] = np.nan
    with np.errstate(invalid="ignore"):
        x = (rows - rows.mean(0)) / rows.std(0)
    return split(x, np.arange(120) % CLASSES, test=0.25, sealed=0.25)
"""
    start, rest = source.split("    found = read_table(", 1)
    named = start + own + rest.split("sealed=0.25)\n", 1)[1]
    path = tmp_path / f"wine_{harm}.py"
    path.write_text(named.replace('name = "wine"', f'name = "wine-{harm}"'))
    found = {finding.promise: finding for finding in check(load(path))}
    finite = found["all that a learner is shown is finite"]
    assert not finite.kept
    assert "expected a finite number, got nan as in every row" in finite.said
    assert found["the same seed is the same stream to the last bit"].kept
