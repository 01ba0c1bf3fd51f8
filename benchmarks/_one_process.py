"""The runner's job code in the process that drives it: no sandbox, no socket."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cambrian.agents.spec import TaskSpec


class OneProcess:
    """The runner's job code, called instead of written to: the frames that it would send are kept,
    those that it would receive are made here."""

    def __init__(self, folder: Path) -> None:
        from cambrian.sandbox.runner.job import LearnerJob

        self.folder = folder
        self.job = LearnerJob(folder)
        self.answers: list[Any] = []

    def send(self, kind: Any, sequence: int, meta: Any = None, array: Any = None) -> None:
        from cambrian.sandbox.runner.frames import Kind

        if kind is Kind.FAILED:
            raise RuntimeError(str(meta))
        if array is not None:
            self.answers.append(array)

    def _ask(
        self, kind: str, meta: Mapping[str, Any] | None = None, array: Any = None
    ) -> list[Any]:
        from cambrian.sandbox.runner.frames import Frame, Kind

        self.answers.clear()
        self.job._answer(self, Frame(Kind[kind], 1, dict(meta or {}), array))  # type: ignore
        return self.answers

    def start(self, stream: TaskSpec, seed: int) -> None:
        from dataclasses import asdict

        self._ask("START", {"spec": asdict(stream), "seed": seed, "device": "cpu"})

    def publish(self, name: str, arrays: Mapping[str, Any]) -> None:
        from cambrian.sandbox.session.publishing import write

        layout = write(self.folder / "data" / name, arrays)
        self._ask("PUBLISH", {"file": name, "arrays": layout})

    def withdraw(self, name: str) -> None:
        self._ask("WITHDRAW", {"file": name})

    def span(self, name: str, start: int, stop: int, batch: int, **probe: Any) -> Iterator[Any]:
        meta = {"file": name, "start": start, "stop": stop, "batch": batch, "probe_every": 1}
        yield from self._ask("SPAN", meta | probe)

    def observe_and_probe(self, steps: Iterable[tuple[Any, Any]], probe: str) -> Iterator[Any]:
        for x, y in steps:
            self._ask("PRESENT", None, x)
            yield self._ask("LESSON", {"file": probe}, y)[0]

    def predict_file(self, name: str) -> Any:
        return self._ask("PREDICT_FILE", {"file": name})[0]

    def task_boundary(self) -> None:
        self._ask("CALL", {"verb": "task_boundary"})

    def finish(self) -> None:
        self._ask("FINISH")
