"""An improver's job in a session: its questions, its edit, its end."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.session import Session

IMPROVER = """
class Improver:
    def improve(self, evidence, ask):
        if evidence["do"] == "ask":
            return {"title": ask([{"role": "user", "content": "how?"}]) + evidence["more"]}
        if evidence["do"] == "forever":
            while True: ask([{"role": "user", "content": "again?"}])
        if evidence["do"] == "badly":
            return ask([{"role": "god", "content": "?"}])
        if evidence["do"] == "deep":
            edit = {}
            for _ in range(800): edit = {"a": edit}
            return edit
        return "no edit"
"""


def test_an_improver_asks_through_the_host_and_returns_an_edit(anywhere: Any) -> None:
    session: Session = anywhere.session()
    session.install({"improver.py": IMPROVER})
    asked: list[Any] = []

    def ask(messages: list[dict[str, str]]) -> str:
        asked.extend(messages)
        return "so"

    with session.job("improver") as channel:
        assert channel.improve({"do": "ask", "more": "!"}, ask) == {"title": "so!"}
    assert asked == [{"role": "user", "content": "how?"}]
    assert not session.spent


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("forever", "limit"),
        ("badly", "protocol"),
        ("nothing", "protocol"),
        ("deep", "protocol"),  # who stores or shows an edit recurses over it
    ],
)
def test_an_improver_that_asks_nonsense_fails(plain: Any, what: str, cause: str) -> None:
    session: Session = plain.session()
    session.install({"improver.py": IMPROVER})
    with pytest.raises(LearnerFailed) as failed, session.job("improver") as channel:
        channel.improve({"do": what}, lambda _: "on")
    assert failed.value.cause == cause
    assert session.spent


HANGING = """
import threading, time
{imported}
class Improver:
    def improve(self, evidence, ask):
        {body}
"""
FOREVER = "time.sleep(600)"


@pytest.mark.parametrize(
    ("imported", "body"),
    [
        (FOREVER, "return {}"),
        ("", FOREVER),
        ("", "ask([{'role': 'user', 'content': 'how?'}]); " + FOREVER),
        ("", "t = threading.Thread(target=time.sleep, args=(600,)); t.start(); t.join()"),
    ],
    ids=["in its import", "at once", "after an answer", "in a thread"],
)
def test_an_improver_that_hangs_has_failed_soon(plain: Any, imported: str, body: str) -> None:
    session: Session = plain.session()
    session.limits = replace(session.limits, request_s=2.0)
    session.install({"improver.py": HANGING.format(imported=imported, body=body)})
    began = time.monotonic()
    with pytest.raises(LearnerFailed) as failed, session.job("improver") as channel:
        channel.improve({}, lambda _: "so")
    assert failed.value.cause == "timeout"
    assert time.monotonic() - began < 20.0


def test_an_improver_that_asks_slowly_without_end_has_failed_when_its_job_is_over(
    plain: Any,
) -> None:
    session: Session = plain.session()
    session.limits = replace(session.limits, request_s=2.0, job_s=3.0)
    slow = "[(time.sleep(0.5), ask([{'role': 'user', 'content': '?'}])) for _ in range(30)]"
    session.install({"improver.py": HANGING.format(imported="", body=slow)})
    late = pytest.raises(LearnerFailed, match="the job took longer")
    with late as failed, session.job("improver") as channel:
        channel.improve({}, lambda _: "so")
    assert failed.value.cause == "timeout"


def test_an_improver_that_hangs_at_its_exit_has_made_its_edit(plain: Any) -> None:
    session: Session = plain.session()
    left = "threading.Thread(target=time.sleep, args=(600,)).start(); return {'a': 1}"
    imported = "import atexit; atexit.register(time.sleep, 600)"
    session.install({"improver.py": HANGING.format(imported=imported, body=left)})
    with session.job("improver") as channel:
        assert channel.improve({}, lambda _: "so") == {"a": 1}


@pytest.mark.parametrize("text", ["\ud800 so", "ä" * (256 << 10), "\0" * (256 << 10)])
def test_whatever_a_model_answers_an_improver_can_be_told_it(plain: Any, text: str) -> None:
    session: Session = plain.session()
    told = "return {'told': ask([{'role': 'user', 'content': '?'}])[:9]}"
    session.install({"improver.py": HANGING.format(imported="", body=told)})
    with session.job("improver") as channel:
        assert channel.improve({}, lambda _: text) == {"told": text[:9].replace("\ud800", "?")}
