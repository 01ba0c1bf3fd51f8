"""Tables as people keep them: dealt with and told of, or refused with the line and the column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cambrian.errors import NotFound, UsageError
from cambrian.tables.encoding import encoded
from cambrian.tables.planning import make_plan


def table(folder: Path, header: str, rows: list[str], *, mark: bool = False) -> Path:
    file = folder / "table.csv"
    text = "\n".join([header, *rows]) + "\n"
    file.write_text(text, encoding="utf-8-sig" if mark else "utf-8")
    return file


def rows_of(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return [f"{x:.4f},{'yes' if x > 0 else 'no'}" for x in rng.standard_normal(count)]


def test_a_mark_semicolons_dates_categories_and_gaps_are_dealt_with(tmp_path: Path) -> None:
    days = [f"2024-{1 + n % 12:02d}-{1 + n // 12:02d}" for n in range(120)]
    rows = [
        f"{day};{'abc'[n % 3]};{'' if n % 10 == 4 else n};same;{'x' if n % 2 else 'y'}"
        for n, day in enumerate(days)
    ]
    file = table(tmp_path, "day;kind;amount;const;told", rows, mark=True)
    made = make_plan(file, "told", order="day")
    assert [(c.name, c.sort) for c in made.plan.columns] == [
        ("kind", "category"),
        ("amount", "number"),
    ]
    assert made.plan.classes == ("x", "y")
    assert "const is the same in every row and left out." in made.notes
    assert "12 missing cells of amount count as its mean." in made.notes
    x, y, _ = encoded(file, made.plan, False)
    assert x.dtype == np.float32 and np.isfinite(x).all() and x.shape[1] == 4
    assert set(np.unique(y)) == {0, 1}


def test_rows_come_by_the_order_column_and_figures_are_of_the_first_alone(tmp_path: Path) -> None:
    values = [0.5 * (37 * n % 100) for n in range(100)]
    rows = [f"{n},{value},{'ab'[n % 2]}" for n, value in enumerate(values)]
    early = make_plan(table(tmp_path, "t,value,told", rows[::-1]), "told", order="t").plan
    assert early.columns[0].mean == pytest.approx(np.mean(values[: early.first]))
    changed = (f"{n},{values[n] - 50},{'ab'[n % 2]}" for n in range(early.first, 100))
    later = [*rows[: early.first], *changed]
    again = make_plan(table(tmp_path, "t,value,told", later), "told", order="t").plan
    assert again.columns == early.columns


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        ("a,a,told", "1,2,x", r":1: columns 1 and 2 are both named 'a'"),
        ("a,,told", "1,2,x", r":1: column 2 has no name"),
        ("a,told", "1", r":62: expected 2 cells, as in the header; got 1"),
        ("a,told", "1,", r":62: column 'told' is empty"),
        ("a,other", "1,x", r":1: expected a column 'told' \(the label\)"),
        ("a,told", '"1,x', r":62: expected CSV"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(
    tmp_path: Path, header: str, row: str, said: str
) -> None:
    width = header.count(",") - 1
    good = [r.replace(",", "," * 1 + "0," * width, 1) for r in rows_of(60)]
    file = table(tmp_path, header, [*good, row])
    with pytest.raises(UsageError, match=said):
        make_plan(file, "told")


def test_a_column_of_many_texts_is_refused_with_its_line_and_name(tmp_path: Path) -> None:
    rows = [f"name {n},{row}" for n, row in enumerate(rows_of(60))]
    with pytest.raises(UsageError, match=r":2: column 'who' has 60 different texts"):
        make_plan(table(tmp_path, "who,a,told", rows), "told")


def test_other_encodings_few_rows_and_amounts_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "latin.csv"
    file.write_bytes("a,told\n1,é\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r":2: expected UTF-8"):
        make_plan(file, "told")
    with pytest.raises(UsageError, match=r"expected at least 60 rows; got 5"):
        make_plan(table(tmp_path, "a,told", rows_of(5)), "told")
    amounts = [f"{n % 7},{n}" for n in range(200)]
    with pytest.raises(UsageError, match=r"say --kind regression"):
        make_plan(table(tmp_path, "a,told", amounts), "told")
    with pytest.raises(UsageError, match=r":2: column 'told': expected a number to be told"):
        make_plan(table(tmp_path, "a,told", rows_of(60)), "told", kind="regression")
    with pytest.raises(NotFound, match="no such file"):
        make_plan(tmp_path / "none.csv", "told")


def test_a_file_that_has_changed_is_not_taken_for_the_one_that_was_planned(tmp_path: Path) -> None:
    file = table(tmp_path, "a,told", rows_of(60))
    plan = make_plan(file, "told").plan
    file.write_text(file.read_text() + "1.5,yes\n")
    with pytest.raises(UsageError, match="has changed since this benchmark was written"):
        encoded(file, plan, False)


@pytest.mark.parametrize("label", ["told", "a"])
def test_figures_that_are_not_finite_are_refused_with_the_column(
    tmp_path: Path, label: str
) -> None:
    rows = [f"{'-' if n % 2 else ''}1e308,{n}" for n in range(60)]
    with pytest.raises(UsageError, match=r"column 'a': expected values whose mean and deviation"):
        make_plan(table(tmp_path, "a,told", rows), label, kind="regression")


def test_negative_whole_numbers_are_numbers_and_far_years_are_dates(tmp_path: Path) -> None:
    rows = [f"{-n},9999-12-{n % 28 + 1:02d},{'ab'[n % 2]}" for n in range(60)]
    columns = make_plan(table(tmp_path, "a,until,told", rows), "told").plan.columns
    assert [column.sort for column in columns] == ["number", "date"]


def test_too_few_different_rows_are_refused(tmp_path: Path) -> None:
    rows = [f"{n % 59},{'ab'[n % 2]}" for n in range(300)]
    with pytest.raises(UsageError, match=r"60 rows with different inputs, .*; got 59"):
        make_plan(table(tmp_path, "a,told", rows), "told")


def test_of_many_equal_rows_enough_are_left_to_judge_by(tmp_path: Path) -> None:
    rows = [f"{n % 100},{'ab'[n % 2]}" for n in range(1000)]
    file = table(tmp_path, "a,told", rows)
    plan = make_plan(file, "told", kind="class-incremental").plan
    assert plan.first == 30 and len(encoded(file, plan, True)[0]) == 100


def test_a_minus_is_a_label_and_missing_elsewhere(tmp_path: Path) -> None:
    rows = [f"{'-' if n == 7 else 37 * n % 80},{'+-'[n % 2]}" for n in range(80)]
    file = table(tmp_path, "a,told", rows)
    made = make_plan(file, "told")
    assert made.plan.classes == ("+", "-") and "1 missing cells of a" in made.notes[0]
    assert encoded(file, made.plan, False)[1].tolist() == [n % 2 for n in range(80)]
