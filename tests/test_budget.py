"""The table of what tests cost."""

from __future__ import annotations

from tests.budget import table


def test_seconds_are_added_up_by_folder_and_by_file_the_dearest_first() -> None:
    lines = table(
        [
            ("tests/archive/test_a.py::test_one", 0.5),
            ("tests/archive/test_a.py::test_one", 1.0),
            ("tests/cli/test_b.py::test_two", 2.0),
            ("tests/cli/deeper/test_c.py::test_three", 1.0),
            ("tests/test_d.py::test_four", 0.25),
        ]
    )
    assert [line.split() for line in lines[1:5]] == [
        ["3.0", "2", "tests/cli"],
        ["1.5", "1", "tests/archive"],
        ["0.2", "1", "tests"],
        ["4.8", "4", "in", "all"],
    ]
    assert [line.split()[1] for line in lines[6:]] == [
        "tests/cli/test_b.py",
        "tests/archive/test_a.py",
        "tests/cli/deeper/test_c.py",
        "tests/test_d.py",
    ]
