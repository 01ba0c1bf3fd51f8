"""What a session promises: on every backend, and where the host's side decides, on the quickest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from tests.sandbox.session.test_improver_jobs import IMPROVER

from cambrian.agents.spec import TaskSpec
from cambrian.errors import SandboxBroken, UsageError
from cambrian.sandbox.backends import spawn
from cambrian.sandbox.backends.plain import PlainProcess
from cambrian.sandbox.session.failures import LearnerFailed
from cambrian.sandbox.session.limits import Limits
from cambrian.sandbox.session.pool import SessionPool
from cambrian.sandbox.session.session import Session

SMALL = TaskSpec("classification", (2,), 2)
COUNTING = """
class Learner:
    seen = 0
    def __init__(self, spec, *, seed, device="cpu"): self.spec, self.seed = spec, seed
    def observe(self, x, y, task=None): Learner.seen += len(x)
    def task_boundary(self): Learner.seen += 1000
    def predict(self, x, task=None):
        import torch
        return torch.full((len(x), self.spec.outputs), float(Learner.seen + self.seed))
"""


def _job(lender: Any, learner: str) -> Session:
    session: Session = lender.session()
    session.install({"learner.py": learner})
    return session


def test_the_same_job_twice_in_a_session_gives_the_same_scores(anywhere: Any, honest: str) -> None:
    first, second = anywhere.run(honest), anywhere.run(honest)
    assert first.verdict == second.verdict == "scored"
    assert first.score == second.score


def test_a_learner_sees_each_row_once_and_nothing_of_the_last_job(anywhere: Any) -> None:
    session = _job(anywhere, COUNTING)
    x = np.zeros((10, 2), np.float32)
    for _ in range(2):
        with session.job() as channel:
            channel.start(SMALL, seed=3)
            channel.publish("a", {"x": x, "y": np.zeros(10, np.int64), "order": np.arange(10)})
            channel.publish("b", {"x": x[:4]})
            seen = [float(s[0, 0]) for s in channel.span("a", 0, 10, 3, probe="b", probe_every=2)]
            assert seen == [6 + 3, 10 + 3]
            channel.task_boundary()
            assert channel.predict_file("b")[0, 0] == 1010 + 3
            channel.predict(x[:2])
            channel.reveal(np.zeros(2, np.int64))
            assert channel.predict(x[:1])[0, 0] == 1012 + 3
            cost = channel.finish()
        assert cost.flops == 0
        assert not session.spent


SPOILING = """
import torch
class Learner:
    def __init__(self, spec, *, seed, device="cpu"): self.kept = []
    def observe(self, x, y, task=None): pass
    def predict(self, x, task=None):
        seen = float(x.sum())
        x[:] = 100.0
        x.numpy()[0] = 50.0
        self.kept.append(x)
        assert all(float(kept[1, 0]) == 100.0 for kept in self.kept), "what it kept changed"
        return torch.full((len(x), 2), seen)
"""


def test_what_is_done_to_the_inputs_of_a_question_changes_no_other(anywhere: Any) -> None:
    session = _job(anywhere, SPOILING)
    with session.job() as channel:
        channel.start(SMALL, seed=0)
        channel.publish("b", {"x": np.ones((4, 2), np.float32)})
        for _ in range(3):
            assert channel.predict_file("b")[0, 0] == 8.0
        x, y = np.zeros((3, 2), np.float32), np.zeros(3, np.int64)
        assert [float(s[0, 0]) for s in channel.observe_and_probe([(x, y)] * 2, "b")] == [8.0, 8.0]
        channel.finish()


SPOILING_LATER = """
import torch
class Learner:
    def __init__(self, spec, *, seed, device="cpu"): self.kept = None
    def observe(self, x, y, task=None):
        if self.kept is not None and float(y[0]): self.kept.numpy()[int(y[0])] = 100.0
    def predict(self, x, task=None):
        self.kept = x
        return torch.full((len(x), 2), float(x.sum()))
"""


def test_inputs_that_are_spoilt_between_two_questions_are_put_right(anywhere: Any) -> None:
    """Whatever the number of questions before, in which they were left alone."""
    session = _job(anywhere, SPOILING_LATER)
    rows = 4096  # sixteen pages
    with session.job() as channel:
        channel.start(SMALL, seed=0)
        channel.publish("b", {"x": np.ones((rows, 2), np.float32)})
        x = np.zeros((3, 2), np.float32)
        written = [0] * 20 + [7, 0, 8, 9, 4000, 0, 0, 4001]
        observe_and_probe = [(x, np.full(3, row, np.int64)) for row in written]
        found = [float(s[0, 0]) for s in channel.observe_and_probe(observe_and_probe, "b")]
        assert found == [2.0 * rows] * len(written)
        channel.finish()


ORDERED = """
import torch
class Learner:
    def __init__(self, spec, *, seed, device="cpu"): self.sums = [0.0]; self.asked = 0
    def observe(self, x, y, task=None):
        if y[0] == 9: raise RuntimeError("enough")
        assert self.asked == len(self.sums) - 1, "a lesson came before the last question"
        self.sums.append(self.sums[-1] + float(x.sum()) * float(y.sum()))
    def predict(self, x, task=None):
        self.asked = len(self.sums) - 1
        return torch.full((len(x), 2), self.sums[-1])
"""


def test_a_lesson_is_revealed_when_the_probe_before_it_is_answered(anywhere: Any) -> None:
    session = _job(anywhere, ORDERED)
    sent: list[int] = []

    def steps() -> Any:
        for number in range(1, 4):
            sent.append(number)
            yield np.full((number, 2), number, np.float32), np.ones(number, np.int64)

    with session.job() as channel:
        channel.start(SMALL, seed=0)
        channel.publish("b", {"x": np.zeros((4, 2), np.float32)})
        assert list(channel.observe_and_probe([], "b")) == []
        found = [
            (len(sent), float(scores[0, 0])) for scores in channel.observe_and_probe(steps(), "b")
        ]
        assert found == [(2, 2.0), (3, 2.0 + 16.0), (3, 2.0 + 16.0 + 54.0)]
        bad = np.zeros((1, 2), np.float32), np.full(1, 9, np.int64)
        with pytest.raises(LearnerFailed, match="enough"):
            list(channel.observe_and_probe([bad], "b"))


GATHERING = """
import torch
class Learner:
    def __init__(self, spec, *, seed, device="cpu"): self.kept = []
    def observe(self, x, y, task=None):
        assert torch.equal(x[:, 0] + 1, y.float()), "labels of other inputs"
        assert x.data_ptr() % 64 == 0, "not in torch's own memory"
        self.kept.append(x)
    def predict(self, x, task=None):
        total = sum(float(kept.sum()) for kept in self.kept)
        return torch.full((len(x), 2), total if len(self.kept) < 8 else float("nan"))
"""


def test_the_inputs_of_lessons_are_the_learners_own_however_they_came(anywhere: Any) -> None:
    """Small ones come in the frame and big ones by a file; both are given in turns, and kept."""
    session = _job(anywhere, GATHERING)
    sizes = [3, 20_000, 5, 9000, 40_000, 7, 20_000]
    observe_and_probe = [
        (np.full((rows, 2), number, np.float32), np.full(rows, number + 1, np.int64))
        for number, rows in enumerate(sizes)
    ]
    totals = np.cumsum([2.0 * number * rows for number, rows in enumerate(sizes)])
    with session.job() as channel:
        channel.start(SMALL, seed=0)
        channel.publish("b", {"x": np.zeros((4, 2), np.float32)})
        assert [
            float(s[0, 0]) for s in channel.observe_and_probe(observe_and_probe, "b")
        ] == totals.tolist()
        with pytest.raises(LearnerFailed, match="NaN"):
            list(channel.observe_and_probe(observe_and_probe[:2], "b"))


KEEPING = """
import torch
class Learner:
    def __init__(self, spec, *, seed, device="cpu"): self.kept = []
    def observe(self, x, y, task=None):
        assert torch.equal(x[:, 0] + 1, y.float()), "labels of other inputs"
    def predict(self, x, task=None):
        self.kept.append(x)
        sums = torch.stack([torch.full((2,), float(kept[:, 0].sum())) for kept in self.kept])
        return torch.cat([sums, torch.zeros(len(x) - len(sums), 2)])
"""


def test_big_inputs_are_the_learners_own_whatever_comes_after(anywhere: Any) -> None:
    """They go by a file that is used again; what a learner keeps of it must not change."""
    batches = [
        np.full((16, wide), number, np.float32) for number, wide in enumerate([4, 9000, 9000])
    ]
    batches += [np.full((16, 50_000), 3, np.float32), np.full((16, 9000), 4, np.float32)]
    labels = [np.full(16, number + 1, np.int64) for number in range(5)]
    session = _job(anywhere, KEEPING)
    with session.job() as channel:
        channel.start(SMALL, seed=0)
        steps = zip(batches, labels, strict=True)
        for number, scores in enumerate(channel.prequential(steps)):
            assert scores[: number + 1, 0].tolist() == [16.0 * n for n in range(number + 1)]
        channel.finish()
    assert not session.spent
    assert not list((session._share / "data").iterdir())


def test_a_report_says_how_a_job_ended_and_what_it_took(anywhere: Any) -> None:
    session = _job(anywhere, "print('hello \\x1b[2J')\n" + COUNTING)
    with session.job() as channel:
        channel.start(SMALL, seed=0)
    report = session.report
    assert report is not None
    assert (report.exit, report.clean) == (0, True)
    assert report.output == "hello \\x1b[2J\n"
    assert report.wall_s > 0
    assert report.cpu_s >= 0
    assert report.peak_bytes > 1 << 20


def test_provenance_names_backend_and_torch(anywhere: Any) -> None:
    named = anywhere.session().provenance()
    assert named["backend"] == anywhere.backend.name
    assert named["isolation"] == anywhere.backend.isolation
    assert named["torch"][0].isdigit()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("torch.zeros(len(x) + 1, 2)", "protocol"),
        ("torch.zeros(len(x), 2) / 0", "nonfinite"),
        ("1 / 0", "exception"),
        ("__import__('os')._exit(3)", "crash"),
        ("__import__('time').sleep(60)", "timeout"),
    ],
)
def test_a_failed_job_is_the_agents_and_spends_the_session(
    plain: Any, answer: str, cause: str
) -> None:
    body = f"import torch\n{COUNTING}    def predict(self, x, task=None): return {answer}\n"
    session = _job(plain, body)
    with pytest.raises(LearnerFailed) as failed, session.job() as channel:
        channel.start(SMALL, seed=0)
        channel.predict(np.zeros((3, 2), np.float32))
    assert failed.value.cause == cause
    assert session.spent
    with pytest.raises(SandboxBroken, match="spent"), session.job():
        pass


def test_an_agent_that_does_not_parse_fails_with_its_trace(plain: Any) -> None:
    session = _job(plain, "class Learner(")
    with pytest.raises(LearnerFailed, match="SyntaxError") as failed, session.job() as channel:
        channel.start(SMALL, seed=0)
    assert failed.value.cause == "exception"
    assert "learner.py" in failed.value.trace


def test_what_the_host_raises_inside_a_job_comes_out_and_spends_the_session(plain: Any) -> None:
    session: Session = plain.session()
    session.install({"improver.py": IMPROVER})

    def refuse(_: object) -> str:
        raise RuntimeError("over the budget")

    with pytest.raises(RuntimeError, match="budget"), session.job("improver") as channel:
        channel.improve({"do": "ask"}, refuse)
    assert session.spent


@pytest.mark.parametrize("path", ["../learner.py", "/learner.py", "parts/../../x.py"])
def test_no_path_leads_out_of_an_agents_tree(plain: Any, path: str) -> None:
    with pytest.raises(UsageError, match="relative"):
        plain.session().install({path: ""})


def test_published_files_are_gone_after_the_job(anywhere: Any) -> None:
    session = _job(anywhere, COUNTING)
    with session.job() as channel:
        channel.start(SMALL, seed=0)
        channel.publish("a", {"x": np.zeros((4, 2), np.float32)})
        assert list((channel.share / "data").iterdir())
    assert not list((channel.share / "data").iterdir())
    assert not list(channel.share.glob("*.sock")), "no socket listens between jobs"


def test_closing_twice_is_once(plain: Any) -> None:
    session = Session(plain.backend, plain.pool.limits)
    session.close()
    session.close()
    assert session.spent
    assert not session._folder.exists()


class Deaf:
    """A backend whose process never connects."""

    name = "deaf"
    isolation = "none"
    shares_memory = True
    reduced: Mapping[str, str] = MappingProxyType({})

    def __init__(self, script: str) -> None:
        self.script = script

    def launch(self, share: Path, limits: Limits) -> PlainProcess:
        process = PlainProcess(share)
        process.kill()
        process._said = os.fdopen(os.open(os.devnull, os.O_RDONLY), "rb")
        process._process = spawn.start(["/bin/sh", "-c", self.script], output=process._said, env={})
        return process

    def provenance(self) -> Mapping[str, str]:
        return {}

    def reap(self) -> int:
        return 0


def test_a_sandbox_that_ends_at_its_start_is_broken_at_once() -> None:
    with pytest.raises(SandboxBroken, match="ended"):
        Session(Deaf("exit 1"), Limits(start_s=20))


def test_a_sandbox_that_does_not_get_ready_is_broken_in_time() -> None:
    with pytest.raises(SandboxBroken, match="in time"):
        Session(Deaf("sleep 30"), Limits(start_s=0.5))


def test_a_pool_hands_on_why_no_session_could_be_opened() -> None:
    pool = SessionPool(Deaf("exit 1"), Limits(start_s=20))
    pool.prepare()
    with pytest.raises(SandboxBroken, match="ended"):
        pool.acquire()
    pool.close()
