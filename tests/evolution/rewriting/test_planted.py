"""What was planted on the host is seen by nothing that runs in a container."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from cambrian.agents.improvers import load_improver
from cambrian.agents.improvers.probe import probe_answer, probe_evidence
from cambrian.agents.seeds import load_seed
from cambrian.evolution.runtime.process_worker import ProcessWorker
from cambrian.evolution.runtime.workers import held
from cambrian.measurement import Measurement, Unit

CANARY = "CANARY-5e8b"

LOOK = '''
def look_around():
    """Raise if what was planted can be read from here."""
    import os
    import pathlib

    wanted = "CAN" + "ARY-5e8b"
    texts = [str(dict(os.environ)), os.getcwd()]
    for place in ("/", "/tmp", "/home", "/root", "/work", "."):
        try:
            texts += os.listdir(place)
        except OSError:
            pass
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
    code = code.replace(marker, f"{marker}\n        look_around()", 1)
    return re.sub(r"\n(?=(?:@dataclass\n)?class )", lambda _: LOOK, code, count=1)


@pytest.mark.docker
@pytest.mark.slow
def test_a_learner_and_an_improver_that_look_around_find_nothing_that_was_planted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key, the place of the logs and a variable of the environment: in real containers neither a
    learner nor an improver can read them, and no log, question or result has them."""
    files = dict(load_seed("random_features"))
    files["learner.py"] = planted(
        files["learner.py"], "        super().__init__(spec, seed=seed, device=device)"
    )
    files["improver.py"] = planted(
        load_improver("one-shot"),
        '        """An edit (a JSON object) for the agent that the evidence describes."""',
    )
    monkeypatch.setenv("OPENAI_API_KEY", f"sk-{CANARY}")
    monkeypatch.setenv("MARK", CANARY)
    asked: list[str] = []

    async def ask(messages: list[dict[str, str]]) -> str:
        asked.append(str(messages))
        return probe_answer()

    async def both() -> tuple[list[Measurement], dict[str, Any]]:
        async with held(ProcessWorker("docker", tmp_path / CANARY / "worker.log")) as worker:
            unit = [Unit("classes-in-turn", "smoke", 0)]
            found = [one async for one in worker.evaluate("a" * 64, files, unit, "cpu")]
            return found, await worker.improve(files, probe_evidence(), ask)

    found, edit = anyio.run(both)
    assert [(one.verdict, one.reason) for one in found] == [("scored", "")]
    assert edit["title"] == "Raise the learning rate" and len(asked) == 1
    told = [json.dumps(one.to_json()) for one in found] + asked
    told += [path.read_text() for path in (tmp_path / CANARY).iterdir()]
    assert not any(CANARY in text for text in told)


def test_who_looks_around_where_it_was_planted_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    space: dict[str, object] = {}
    exec(LOOK, space)
    look = space["look_around"]
    assert callable(look)
    monkeypatch.setenv("MARK", CANARY)
    with pytest.raises(RuntimeError, match="can be read"):
        look()
