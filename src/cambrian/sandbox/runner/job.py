"""One job inside the sandbox: load the agent's code, then do what the frames say.

Nothing here decides anything: the process belongs to the learner from the moment its code is
imported. The other side checks every answer and counts on none.
"""

from __future__ import annotations

import importlib.util
import itertools
import mmap
import random
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cambrian.agents.spec import TaskSpec
from cambrian.sandbox.runner.diagnosis import diagnose
from cambrian.sandbox.runner.frames import (
    Array,
    ChannelClosed,
    Expect,
    Frame,
    FrameError,
    FrameSocket,
    Kind,
)
from cambrian.sandbox.runner.meter import FlopMeter, state_bytes
from cambrian.sandbox.runner.published import Published
from cambrian.sandbox.runner.state import freeze, thaw
from cambrian.sandbox.runner.verbs import BOOLEAN, VERBS, Verb

REQUESTS = Expect(frozenset(kind for kind in Kind if kind < 64), max_meta=1 << 20, any_tensor=True)
TRACE_CHARACTERS = 4000
SPIN_S = 0.0003
SILENT = frozenset({Kind.PRESENT, Kind.REVEAL, Kind.ARGUMENT, Kind.DISCARD})


def _silent(frame: Frame) -> bool:
    """Whether nobody waits for what becomes of a frame: its failure is said at the next one."""
    if frame.kind is not Kind.CALL:
        return frame.kind in SILENT
    verb = VERBS.get(str(frame.meta.get("verb")))
    return verb is not None and verb.answer is None and not verb.waits


def load_module(folder: Path, name: str) -> ModuleType:
    """Import `folder/name.py` under its own name; its siblings come last on the path."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"no {name}.py in {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def modules_in(folder: Path, before: int = 0) -> list[ModuleType]:
    """The modules that were imported from a folder: what they keep is the learner's state too.

    The `before` ones that were there first are not looked at: a look at each of torch's two
    thousand copies the page that it lies on, which a forked process shares until then.
    """
    here, count = f"{folder}/", max(0, len(sys.modules) - before)
    names = list(itertools.islice(reversed(sys.modules), count))
    return [
        module
        for module in map(sys.modules.get, reversed(names))
        if isinstance(module, ModuleType) and str(getattr(module, "__file__", "")).startswith(here)
    ]


def describe(error: BaseException) -> dict[str, Any]:
    """An exception as the description of a FAILED frame; bounded, and never raising."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the exception is the learner's own code
        message = "(its message could not be read)"
    try:
        trace = traceback.format_exc()
    except Exception:  # noqa: BLE001
        trace = ""
    return {
        "kind": _sendable(type(error).__name__[:100]),
        "message": _sendable(message[:1000]),
        "trace": _sendable(trace[-TRACE_CHARACTERS:]),
    }


def _sendable(text: str) -> str:
    """Without lone surrogates, which the other side refuses."""
    return text.encode("utf-8", "replace").decode("utf-8")


class LearnerJob:
    """Drives one learner by the frames that arrive."""

    def __init__(self, session: Path) -> None:
        self.session = session
        self.files: dict[str, Published] = {}
        self.meter = FlopMeter()
        self.learner: Any = None
        self.copy: Any = None
        self.spec: TaskSpec | None = None
        self.device = "cpu"
        self._presented: Tensor | None = None
        self._arguments: list[Tensor] = []
        self._imported = len(sys.modules)
        self._bulk: tuple[str, mmap.mmap] | None = None
        self._failure: dict[str, Any] | None = None
        self._held = np.zeros(0, dtype=np.uint8)
        self._handlers: dict[Kind, Callable[[FrameSocket, Frame], None]] = {
            Kind.START: self._start,
            Kind.PUBLISH: self._publish,
            Kind.SPAN: self._span,
            Kind.PRESENT: self._present,
            Kind.REVEAL: self._reveal,
            Kind.LESSON: self._lesson,
            Kind.PREDICT: self._predict,
            Kind.PREDICT_FILE: self._predict_file,
            Kind.WITHDRAW: self._withdraw,
            Kind.DISCARD: self._discard,
            Kind.ARGUMENT: self._argument,
            Kind.CALL: self._call,
            Kind.FINISH: self._finish,
            Kind.SAVE: self._save,
            Kind.LOAD: self._load,
            Kind.DIAGNOSE: self._diagnose,
            Kind.TAKE: self._take,
        }

    def serve(self, door: FrameSocket) -> None:
        """Answer frames until the other side hangs up."""
        while True:
            try:
                frame = door.receive(REQUESTS, spin_s=SPIN_S)
            except (ChannelClosed, FrameError):
                return
            self._answer(door, frame)

    def _answer(self, door: FrameSocket, frame: Frame) -> None:
        try:
            if self._failure is None:
                self._handlers[frame.kind](door, frame)
        except (ChannelClosed, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - the learner's code may raise anything
            self._failure = describe(error)
        if self._failure is not None and not _silent(frame):
            door.send(Kind.FAILED, frame.sequence, self._failure)

    def _start(self, door: FrameSocket, frame: Frame) -> None:
        spec = TaskSpec.of(frame.meta["spec"])
        self.device, self.spec = str(frame.meta["device"]), spec
        module = load_module(self.session / "agent", "learner")
        seed = int(frame.meta["seed"])
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        self.meter = FlopMeter(spec.flops)
        self.learner = module.Learner(spec, seed=seed, device=self.device)
        door.send(Kind.DONE, frame.sequence)

    def _publish(self, door: FrameSocket, frame: Frame) -> None:
        name = str(frame.meta["file"])
        self.files[name] = Published(self.session / "data" / name, frame.meta["arrays"])
        door.send(Kind.DONE, frame.sequence)

    def _withdraw(self, door: FrameSocket, frame: Frame) -> None:
        self.files.pop(str(frame.meta["file"])).close()
        door.send(Kind.DONE, frame.sequence)

    def _span(self, door: FrameSocket, frame: Frame) -> None:
        meta = frame.meta
        data, task = self.files[meta["file"]].arrays, meta.get("task")
        x, y, order = data["x"], data["y"], data["order"]
        batch, every, probe = int(meta["batch"]), int(meta["probe_every"]), meta.get("probe")
        starts = range(int(meta["start"]), int(meta["stop"]), batch)
        for number, start in enumerate(starts, start=1):
            rows = order[start : min(start + batch, int(meta["stop"]))]
            inputs, labels = self._to(x.index_select(0, rows)), self._to(y.index_select(0, rows))
            self._observe(inputs, labels, task)
            if probe and (number % every == 0 or number == len(starts)):
                scores = self._scores(self._asked(probe), task)
                door.send(Kind.ANSWER, frame.sequence, array=scores)
        door.send(Kind.DONE, frame.sequence)

    def _present(self, door: FrameSocket, frame: Frame) -> None:
        self._presented = self._tensor(frame)

    def _reveal(self, door: FrameSocket, frame: Frame) -> None:
        labels, task = self._tensor(frame), frame.meta.get("task")
        self._observe(self._presented, labels, task)

    def _observe(self, inputs: Tensor | None, labels: Tensor, task: int | None) -> None:
        self._tell_spent()
        self.meter.call(self.learner.observe, inputs, labels, task)

    def _tell_spent(self) -> None:
        """A learner that has the contract's attribute is told what was counted."""
        if hasattr(self.learner, "flops_spent"):
            self.learner.flops_spent = self.meter.total

    def _lesson(self, door: FrameSocket, frame: Frame) -> None:
        # Inputs in torch's own memory, like rows of a published file: kernels may add up in another
        # order where data begins elsewhere.
        if "bulk" in frame.meta:
            values = self._in_bulk(frame)
            own = torch.empty(values.shape, dtype=torch.float32)
            np.copyto(own.numpy(), values)
            self._presented = self._to(own)
        elif self._presented is not None:
            self._presented = self._presented.clone()
        self._reveal(door, frame)
        self._predict_file(door, frame)

    def _predict(self, door: FrameSocket, frame: Frame) -> None:
        self._presented = self._inputs(frame)
        copied = bool(frame.meta.get("copy"))
        scores = self._scores(self._presented, frame.meta.get("task"), copied=copied)
        door.send(Kind.ANSWER, frame.sequence, array=scores)

    def _predict_file(self, door: FrameSocket, frame: Frame) -> None:
        scores = self._scores(self._asked(frame.meta["file"]), frame.meta.get("task"))
        door.send(Kind.ANSWER, frame.sequence, array=scores)

    def _discard(self, door: FrameSocket, frame: Frame) -> None:
        self.copy = None

    def _argument(self, door: FrameSocket, frame: Frame) -> None:
        self._arguments.append(self._tensor(frame))

    def _call(self, door: FrameSocket, frame: Frame) -> None:
        """A verb of the table, with the arrays that came for it."""
        verb = VERBS[str(frame.meta["verb"])]
        arrays, self._arguments = self._arguments, []
        if frame.array is not None:
            arrays.append(self._tensor(frame))
        numbers = frame.meta.get("numbers", {})
        given = [a.bool() if n in BOOLEAN else a for n, a in zip(verb.arrays, arrays, strict=True)]
        told = [numbers[name] for name in verb.numbers if numbers.get(name) is not None]
        self._tell_spent()
        found = self.meter.call(getattr(self.learner, verb.name), *given, *told)
        if verb.name == "adapt":
            self.copy = found
        elif verb.answer is not None:
            door.send(Kind.ANSWER, frame.sequence, array=self._given_back(verb, found))
        elif verb.waits:
            door.send(Kind.DONE, frame.sequence)

    def _given_back(self, verb: Verb, found: Any) -> Array:
        """A verb's answer as an array of the type that is expected; its shape is the learner's."""
        if verb.answer is None or self.spec is None:
            raise FrameError(f"{verb.name} came before START, or gives nothing back")
        dtype = verb.answer.dtype(self.spec)
        if isinstance(found, Tensor):
            found = found.detach().to("cpu").numpy()
        array = np.asarray(found)
        if dtype.kind == "i" and array.dtype.kind not in "iu":
            raise TypeError(f"expected whole numbers from {verb.name}; got {array.dtype}")
        return np.ascontiguousarray(array.astype(dtype))

    def _finish(self, door: FrameSocket, frame: Frame) -> None:
        kept = state_bytes(self.learner, modules_in(self.session / "agent", self._imported))
        cost = {"flops": self.meter.total, "state_bytes": kept}
        door.send(Kind.USAGE, frame.sequence, cost)

    def _save(self, door: FrameSocket, frame: Frame) -> None:
        frozen = freeze(self.learner, self.meter, int(frame.meta["limit"]))
        self._held = np.frombuffer(frozen, dtype=np.uint8)
        door.send(Kind.HELD, frame.sequence, {"bytes": len(self._held)})

    def _load(self, door: FrameSocket, frame: Frame) -> None:
        if frame.array is None:
            raise FrameError("LOAD came without a tensor")
        self.learner, self.meter = thaw(frame.array.tobytes())
        door.send(Kind.DONE, frame.sequence)

    def _diagnose(self, door: FrameSocket, frame: Frame) -> None:
        inputs, task = self._asked(frame.meta["file"]), frame.meta.get("task")
        described, layers = self.meter.call(diagnose, self.learner, inputs, task)
        self._held = layers.view(np.uint8)
        door.send(Kind.HELD, frame.sequence, {**described, "bytes": len(self._held)})

    def _take(self, door: FrameSocket, frame: Frame) -> None:
        held, self._held = self._held, np.zeros(0, dtype=np.uint8)
        door.send(Kind.BLOB, frame.sequence, array=held)

    def _scores(self, inputs: Tensor, task: int | None, *, copied: bool = False) -> Array:
        learner = self.copy if copied else self.learner
        if not copied:
            self._tell_spent()
        scores = self.meter.call(learner.predict, inputs, task)
        if isinstance(scores, Tensor):
            scores = scores.detach().to("cpu", torch.float32).numpy()
        return np.ascontiguousarray(np.asarray(scores, dtype=np.float32))

    def _asked(self, file: str) -> Tensor:
        """The inputs of a published file, for one question."""
        return self._to(self.files[file].inputs())

    def _inputs(self, frame: Frame) -> Tensor:
        """What came with the frame, or a copy of what lies in the file that it names."""
        if "bulk" not in frame.meta:
            return self._tensor(frame)
        return self._to(torch.from_numpy(self._in_bulk(frame).copy()))

    def _in_bulk(self, frame: Frame) -> Array:
        """The inputs in the file that the frame names, until the next ones are written there."""
        name, shape = str(frame.meta["bulk"]), tuple(frame.meta["shape"])
        if self._bulk is None or self._bulk[0] != name:
            with (self.session / "data" / name).open("rb") as file:
                self._bulk = name, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(self._bulk[1], "<f4", int(np.prod(shape))).reshape(shape)

    def _tensor(self, frame: Frame) -> Tensor:
        if frame.array is None:
            raise FrameError(f"{frame.kind.name} came without a tensor")
        return self._to(torch.from_numpy(frame.array))

    def _to(self, tensor: Tensor) -> Tensor:
        return tensor if self.device == "cpu" else tensor.to(self.device)


class ImproverJob:
    """Runs an agent's improver once; its questions go out as ASK frames."""

    def __init__(self, session: Path) -> None:
        self.session = session

    def serve(self, door: FrameSocket) -> None:
        """Improve as often as asked, until the other side hangs up."""
        while True:
            try:
                frame = door.receive(REQUESTS)
            except (ChannelClosed, FrameError):
                return
            try:
                edit = self._improve(door, frame)
                door.send(Kind.EDIT, frame.sequence, {"edit": edit})
            except (ChannelClosed, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - the improver's code may raise anything
                door.send(Kind.FAILED, frame.sequence, describe(error))

    def _improve(self, door: FrameSocket, frame: Frame) -> Any:
        module = load_module(self.session / "agent", "improver")

        def ask(messages: list[dict[str, str]]) -> str:
            door.send(Kind.ASK, frame.sequence, {"messages": messages})
            told = door.receive(Expect(frozenset({Kind.TOLD}), max_meta=1 << 20))
            if "error" in told.meta:
                raise RuntimeError(str(told.meta["error"]))
            return str(told.meta["text"])

        return module.Improver().improve(frame.meta["evidence"], ask)


MODES: dict[str, type[LearnerJob] | type[ImproverJob]] = {
    "learner": LearnerJob,
    "improver": ImproverJob,
}
