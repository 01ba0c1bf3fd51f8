"""`cambrian model`: checking an endpoint, recording answers, serving a small real model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Cli
from tests.evolution.models.asking import KEY, fault

from cambrian.cli.main import cli
from cambrian.cli.ops.config import models, prices, use
from cambrian.cli.run.options import settings_of
from cambrian.errors import NotFound, UsageError
from cambrian.evolution.models.choices import chosen
from cambrian.evolution.models.endpoint import OpenAIModel
from cambrian.evolution.models.local import served, weights
from cambrian.evolution.models.roster.specs import ModelSpec
from cambrian.testing.endpoint import Reply, endpoint

TOML = """
[models.near]
base_url = "{url}"
price_in = 1
price_out = 2
temperature = 0

[models.far]
base_url = "{url}"
key_env = "FAR_KEY"
share = 0.25
"""


def written(folder: Path, url: str, more: str = "") -> Path:
    path = folder / "cambrian.toml"
    path.write_text(TOML.format(url=url) + more)
    return path


def test_check_asks_every_model_of_the_file_one_question(
    run_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAR_KEY", KEY)
    with endpoint(lambda _: Reply.saying("pelican")) as server:
        file = written(tmp_path, server.url)
        done = run_cli("--config", str(file), "model", "check", "--json")
        text = run_cli("--config", str(file), "model", "check", "near").stdout
    items = json.loads(done.stdout)["items"]
    assert [(one["name"], one["grammar"], one["usage"]) for one in items] == [
        ("near", "gbnf", True),
        ("far", "gbnf", True),
    ]
    assert items[0]["proposal_dollars"] > 0 and items[1]["proposal_dollars"] is None
    assert len(server.requests) == 3 and "about $0.0140" in text
    assert [head["authorization"] for head in server.headers][:2] == [
        "Bearer none",
        f"Bearer {KEY}",
    ]


def test_check_says_why_an_endpoint_does_not_answer_and_ends_with_4(
    run_cli: Cli, tmp_path: Path
) -> None:
    with endpoint(lambda _: fault(401, f"no such key {KEY}")) as server:
        file = written(tmp_path, server.url)
        done = run_cli("--config", str(file), "model", "check", "near")
    assert done.exit_code == 4 and "near: the endpoint" in done.stderr and "401" in done.stderr


def test_a_missing_key_does_not_keep_check_from_the_other_models(
    run_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAR_KEY", raising=False)
    with endpoint(lambda _: Reply.saying("pelican")) as server:
        file = written(tmp_path, server.url)
        done = run_cli("--config", str(file), "model", "check", "far", "near", "--json")
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["items"]] == ["near"]
    assert [one[:24] for one in told["failures"]] == ["far: FAR_KEY is not set:"]
    assert done.exit_code == 2 and "FAR_KEY is not set" in done.stderr


def test_check_without_a_model_is_wrong_usage(run_cli: Cli, tmp_path: Path) -> None:
    done = run_cli("model", "check")
    assert done.exit_code == 2 and "[models.NAME]" in done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[models.x]\nbase = 'y'\n", "models.x.base"),
        ("[models.x]\ntemperature = 9\n", "[models.x] temperature: expected a number from 0 to 2"),
        ("[models.x]\nprice_in = 1\n", "[models.x] expected price_in and price_out, got one"),
        ("[models.'a,b']\n", "can be no name of a model"),
        ("[models.x]\nkey = 'sk-secret-9'\n", "models.x.key"),
    ],
)
def test_a_wrong_section_is_told_with_its_place(
    run_cli: Cli, tmp_path: Path, more: str, said: str
) -> None:
    done = run_cli("--config", str(written(tmp_path, "http://h/v1", more)), "config", "show")
    assert done.exit_code == 2 and said in done.stderr and "sk-secret" not in done.stderr


def test_a_run_asks_all_models_of_the_file_or_those_that_are_named(tmp_path: Path) -> None:
    file = written(tmp_path, "http://h/v1")
    with cli.make_context("cambrian", ["daemon"]) as root:
        use(root, file)
        known = {"prices": prices(root), "models": models(root)}
    given = {"rewriter": "mixed", "proposals": 3}
    every = settings_of(given, **known)  # type: ignore[arg-type]
    assert every.models == ("near", "far") and every.endpoints["far"].share == 0.25
    one = settings_of({**given, "model": "far"}, **known)  # type: ignore[arg-type]
    assert one.models == ("far",) and list(one.endpoints) == ["far"]
    with pytest.raises(UsageError, match="needs the price of far"):
        settings_of({**given, "dollars": 1.0}, **known)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="names several"):
        settings_of({**given, "price": "1,2"}, **known)  # type: ignore[arg-type]


# -- a small real model ------------------------------------------------------------------


@pytest.mark.slow
def test_a_small_real_model_chooses_by_a_grammar_and_counts_its_tokens() -> None:
    pytest.importorskip("xllamacpp")
    choices = ["graft replay", "tune lr to 0.1", "remove ewc"]
    with served(weights(), context=1024) as address:
        model = OpenAIModel("m", spec=ModelSpec(base_url=address, temperature=0.0))
        asked = [{"role": "user", "content": "Which of these? " + "; ".join(choices)}]
        answer = model.answer(asked, 64, choices)
        wild = model.answer([{"role": "user", "content": "Say hello."}], 8, ["yes", "no"])
    assert chosen(answer.text, choices) is not None and answer.text in choices
    assert wild.text in ("yes", "no")
    assert (answer.prompt_tokens or 0) > 10 and (answer.completion_tokens or 0) > 0


@pytest.mark.slow
def test_serve_prints_its_address_and_ends_when_told() -> None:
    pytest.importorskip("xllamacpp")
    command = [sys.executable, "-m", "cambrian", "model", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert first.startswith("OPENAI_BASE_URL=http://127.0.0.1:") and first.endswith("/v1\n")


def test_weights_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file with weights"), served(tmp_path / "none.gguf"):
        pass
    pytest.importorskip("xllamacpp")
    (tmp_path / "x.gguf").write_bytes(b"not weights")
    with pytest.raises(UsageError, match="cannot serve"), served(tmp_path / "x.gguf"):
        pass
