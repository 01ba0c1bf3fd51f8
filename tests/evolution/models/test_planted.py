"""What was planted on the host is seen by nothing that runs in a container."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cambrian.agents.improvers import load_improver
from cambrian.agents.seeds import load_seed
from cambrian.archive import Archive
from cambrian.daemon import supervisor
from cambrian.evolution.settings import Settings
from cambrian.testing.endpoint import Reply, endpoint

CANARY = "CANARY-5e8b"

LOOK = '''
def look_around():
    """Raise if what was planted can be read from here."""
    import os
    import pathlib

    wanted = "CAN" + "ARY-5e8b"
    texts = [str(dict(os.environ)), os.getcwd()]
    for place in ("/", "/tmp", "/home", "/root", "/work", "."):
        if os.path.isdir(place):
            texts += os.listdir(place)
    for name in ("environ", "cmdline", "mountinfo", "cgroup"):
        for process in ("self", "1"):
            try:
                texts.append(pathlib.Path(f"/proc/{process}/{name}").read_text(errors="replace"))
            except OSError:
                pass
    if any(wanted in text for text in texts):
        raise RuntimeError("it can be read here")


'''


def planted(code: str, marker: str) -> str:
    """Code that looks around before it does what it did."""
    return code.replace(marker, f"{marker}\n        look_around()", 1).replace(
        "\nclass ", f"\n{LOOK}class ", 1
    )


@pytest.mark.docker
@pytest.mark.slow
def test_a_learner_and_an_improver_that_look_around_find_nothing_that_was_planted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key, the place of the archive and a variable of the environment, in a run with real
    containers: neither the learner nor the improver that a model wrote can read them, and no
    prompt, row or log has them."""
    learner = planted(
        load_seed("random_features")["learner.py"],
        "        super().__init__(spec, seed=seed, device=device)",
    )
    improver = planted(
        load_improver("one-shot"),
        '        """An edit (a JSON object) for the agent that the evidence describes."""',
    )
    answer = (
        "TITLE: Look around\nHYPOTHESIS: why\n\n### FILE learner.py\n````python\n"
        f"{learner}````\n\n### FILE improver.py\n````python\n{improver}````\n"
    )
    monkeypatch.setenv("OPENAI_API_KEY", f"sk-{CANARY}")
    monkeypatch.setenv("MARK", CANARY)
    home = tmp_path / CANARY / "a"
    with endpoint(lambda _: Reply.saying(answer)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        settings = Settings(
            seed=1,
            rewriter="model",
            model="scripted",
            proposals=1,
            benchmarks=("classes-in-turn",),
            sandbox="docker",
        )
        lines: list[str] = []
        supervisor.run(home, settings, lines.append)
    with Archive.open(home, read_only=True) as archive:
        proposal = archive.proposals.at(0)
        assert proposal is not None and proposal.agent_id is not None, lines
        assert "look_around" in archive.agents.files(proposal.agent_id)["learner.py"]
        assert not any(trial.problem for trial in archive.trials.of(proposal.id))
        rows = archive.evaluations.of(proposal.agent_id)
        assert rows and all(row.verdict == "scored" for row in rows)
        gates = {gate.gate: gate.verdict for gate in archive.gates(proposal_id=proposal.id)}
        assert gates["improver"] == "pass"
    assert CANARY not in json.dumps(server.requests)
    for path in home.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


def test_who_looks_around_where_it_was_planted_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    space: dict[str, object] = {}
    exec(LOOK, space)
    look = space["look_around"]
    assert callable(look)
    monkeypatch.setenv("MARK", CANARY)
    with pytest.raises(RuntimeError, match="can be read"):
        look()
