"""`cambrian serve` as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from tests.cli.conftest import SOURCE, EvolvedArchive

from cambrian.cli.main import cli
from cambrian.errors import UsageError
from cambrian.web.serving import names_of, rules_of

BIN = [sys.executable, "-m", "cambrian"]


def environment(**more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("CAMBRIAN_")}
    return {**clean, "PYTHONPATH": str(SOURCE), **more}


def test_it_says_where_it_is_and_ends_with_ctrl_c(grown: EvolvedArchive) -> None:
    command = [*BIN, "serve", str(grown.path), "--port", "0"]
    with subprocess.Popen(
        command, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:") and "/?token=" in address
            with urlopen(address.split("?")[0] + "archive/now.json", timeout=30) as answer:
                assert answer.status == 200
        finally:
            process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130


def test_an_address_that_others_reach_asks_for_a_token(grown: EvolvedArchive) -> None:
    done = CliRunner().invoke(cli, ["serve", str(grown.path), "--host", "0.0.0.0", "--port", "0"])
    assert done.exit_code == 2 and "CAMBRIAN_SERVE_TOKEN" in done.stderr


def test_no_archive_and_a_taken_port_are_told_apart(grown: EvolvedArchive, tmp_path: Path) -> None:
    gone = CliRunner().invoke(cli, ["serve", str(tmp_path / "nothing")])
    assert gone.exit_code == 3 and "nothing" in gone.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = CliRunner().invoke(cli, ["serve", str(grown.path), "--port", port])
    assert done.exit_code == 4 and port in done.stderr


def test_archives_of_the_same_name_are_told_apart(grown: EvolvedArchive) -> None:
    assert list(names_of([grown.path, grown.path])) == ["archive", "archive-2"]


@pytest.mark.parametrize("token", ["short", "sixteen characters", "a" * 20 + "&b", "é" * 20])
def test_a_token_that_is_short_or_does_not_fit_an_address_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="at least 16"):
        rules_of("127.0.0.1", token)


def test_each_start_has_a_token_of_its_own() -> None:
    first, second = rules_of("127.0.0.1", None), rules_of("localhost", None)
    assert first.token != second.token and len(first.token) >= 32 and first.local


def test_the_command_line_starts_without_the_server() -> None:
    code = (
        "import sys, cambrian.cli.main as m; "
        "print([n for n in ('starlette', 'uvicorn', 'jinja2') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), text=True, capture_output=True, check=True
    )
    assert done.stdout.strip() == "[]"
