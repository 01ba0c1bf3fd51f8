"""A package of one agent: its files by name, ready to be written and installed by pip.

::

    pyproject.toml  README.md  LICENSE  provenance.json
    src/NAME/       agent/ (learner, parts, contract), plain.py, estimator.py, online.py
    tests/          answers.npz and what holds the package to it
"""

from __future__ import annotations

import json
import keyword
import re
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from cambrian.agents.reach import closure
from cambrian.agents.tree import IMPROVER, LEARNER, NOTES
from cambrian.errors import UsageError
from cambrian.takeaway import texts
from cambrian.takeaway.recording import Recording
from cambrian.takeaway.relative import made_relative

FACES = ("__init__.py", "estimator.py", "online.py", "plain.py", "scaling.py")
CONTRACT = ("contract.py", "part.py", "spec.py")
_NAME = re.compile(r"[a-z][a-z0-9_]{1,60}")
_TAKEN = frozenset({"cambrian", "numpy", "parts", "river", "scipy", "sklearn", "torch", "tests"})


def learner_files(files: Mapping[str, str]) -> dict[str, str]:
    """The files of an agent that its learner needs: no improver and no notes. Where the code cannot
    tell, all parts."""
    reached = closure(files, (LEARNER,))
    wanted = set(files) - {IMPROVER, NOTES} if reached.opaque else set(reached.paths)
    return {path: files[path] for path in sorted(wanted - {IMPROVER})}


def package(
    files: Mapping[str, str],
    origin: Mapping[str, Any],
    recording: Recording | None,
    name: str | None = None,
) -> dict[str, bytes]:
    """The files of a package, path by path.

    Args:
        files: the agent's.
        origin: `provenance.provenance` of it.
        recording: what it answered; None for a package that is held to nothing.
        name: what it is imported by; `agent_` and the first ten digits of its id, if none is given.

    Raises:
        UsageError: no name for a package. InvalidAgent: the agent imports what cannot go along.
    """
    name = name or f"agent_{str(origin['id'])[:10]}"
    if _NAME.fullmatch(name) is None or name.endswith("_") or _is_taken(name):
        raise UsageError(
            "expected a name for the package in lower-case letters, digits and underscores, with "
            "no underscore at its end, and none that Python, its standard library or what the "
            f"package needs has already; got {name!r}"
        )
    home, own = f"src/{name}", learner_files(files)
    made: dict[str, str] = {
        "pyproject.toml": texts.project(name, origin),
        "README.md": texts.readme(name, origin),
        "provenance.json": json.dumps(origin, indent=2, ensure_ascii=False) + "\n",
        "LICENSE": _ours("takeaway", "LICENSE"),
        f"{home}/py.typed": "",
        f"{home}/agent/__init__.py": _ours("takeaway", "faces/agent/__init__.py"),
        "tests/test_estimator.py": texts.estimator_tests(name),
        "tests/test_online.py": texts.online_tests(name),
    }
    for face in FACES:
        made[f"{home}/{face}"] = _ours("takeaway", f"faces/{face}")
    for module in CONTRACT:
        made[f"{home}/agent/{module}"] = made_relative(module, _ours("agents", module))
    for path, text in own.items():
        made[f"{home}/agent/{path}"] = made_relative(path, text)
    if any(path.startswith("parts/") for path in own):
        made[f"{home}/agent/parts/__init__.py"] = '"""The parts of the learner."""\n'
    written = {path: text.encode() for path, text in made.items()}
    if recording is not None:
        written["tests/answers.npz"] = recording.to_bytes()
        written["tests/test_same_answers.py"] = texts.answer_tests(name).encode()
    return dict(sorted(written.items()))


def write(files: Mapping[str, bytes], folder: Path) -> None:
    """Write a package into a new or empty folder.

    Raises:
        UsageError: there is something already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"expected {folder} to be new or empty; choose another directory")
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _is_taken(name: str) -> bool:
    words = (*keyword.kwlist, *keyword.softkwlist)
    return name in _TAKEN or name in words or name in sys.stdlib_module_names


def _ours(room: str, path: str) -> str:
    return resources.files(f"cambrian.{room}").joinpath(path).read_text(encoding="utf-8")
