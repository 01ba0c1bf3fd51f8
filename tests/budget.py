"""Where the tests' time went: seconds for each folder and the dearest files, where `--budget` asks.

Seconds are those of the tests' own set-up, run and clean-up, added up over all processes: with two
side by side they come to about twice the time on the clock. What a fixture of a whole session takes
is charged to the first test that needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

import pytest

DEAREST = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--budget", action="store_true", help="say where the time went, by folder and file"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not terminalreporter.config.getoption("--budget"):
        return
    reports = [
        report
        for found in terminalreporter.stats.values()
        for report in found
        if isinstance(report, pytest.TestReport)
    ]
    terminalreporter.section("time budget")
    for line in table((report.nodeid, report.duration) for report in reports):
        terminalreporter.write_line(line)


def table(phases: Iterable[tuple[str, float]]) -> list[str]:
    """The lines to print, from the seconds of each phase (set-up, call, clean-up) of each test."""
    files: dict[str, float] = {}
    folders: dict[str, float] = {}
    tests: dict[str, set[str]] = {}
    for name, seconds in phases:
        file = name.partition("::")[0]
        folder = str(PurePosixPath(*PurePosixPath(file).parent.parts[:2]))
        files[file] = files.get(file, 0.0) + seconds
        folders[folder] = folders.get(folder, 0.0) + seconds
        tests.setdefault(folder, set()).add(name)
    whole = sum(folders.values())
    lines = [f"{'seconds':>8} {'tests':>6}  folder"]
    for folder, seconds in dearest(folders):
        lines.append(f"{seconds:8.1f} {len(tests[folder]):6}  {folder}")
    lines.append(f"{whole:8.1f} {sum(map(len, tests.values())):6}  in all")
    lines.append(f"the {DEAREST} dearest files:")
    lines += [f"{seconds:8.1f}         {file}" for file, seconds in dearest(files)[:DEAREST]]
    return lines


def dearest(seconds: Mapping[str, float]) -> list[tuple[str, float]]:
    """Names and their seconds, the most first."""
    return sorted(seconds.items(), key=lambda one: (-one[1], one[0]))
