"""`cambrian events`."""

from __future__ import annotations

import json

from tests.cli.conftest import Cli


def test_events_are_lines_and_json_lines_of_the_same(run_cli: Cli) -> None:
    text = run_cli("events", "--after", "0").stdout.splitlines()
    lines = run_cli("events", "--after", "0", "--json-lines").stdout.splitlines()
    found = [json.loads(row) for row in lines]
    assert [row.split()[:3] for row in text] == [[str(e["seq"]), e["at"], e["kind"]] for e in found]
    assert {"agent.seeded", "proposal.opened", "proposal.admitted"} <= {e["kind"] for e in found}
    assert run_cli("events", "--last", "2").stdout.splitlines() == text[-2:]
