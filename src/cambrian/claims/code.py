"""What a result was measured with: the claim's file, the modules behind it, the learners it ran.

A module counts with what it does (`agents.syntax.fingerprint_of`): comments, layout and docstrings
may change, and a result stays fresh.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import platform
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import cambrian
from cambrian.agents.syntax import fingerprint_of
from cambrian.claims.claim import Claim
from cambrian.claims.registry import module_of

COUNTED = ("cambrian.agents.", "cambrian.claims.language.", "cambrian.evaluators.")
SHORT = 12


def hashes(found: Claim) -> dict[str, str]:
    """What a claim's result depends on, each with a hash: its file, every module of `agents`,
    `evaluators` and `claims.language` that it or a learner imports, directly or not, and the
    learner of each condition."""
    own = module_of(found)
    modules, learners = reached(own), {}
    for name, condition in found.conditions.items():
        sources: Mapping[str, str] = getattr(condition, "sources", {})
        if sources:
            learners[f"learner: {name}"] = fingerprint_of(sources)[:SHORT]
        for text in sources.values():
            modules |= reached(*_imported(own, text))
    counted = {name: _hash(name) for name in sorted(modules) if name.startswith(COUNTED)}
    return {**counted, own: _hash(own), **learners}


def code_of(counted: Mapping[str, str]) -> str:
    """One hash of them all."""
    text = json.dumps(dict(sorted(counted.items())))
    return hashlib.sha256(text.encode()).hexdigest()[: 2 * SHORT]


def changes(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """What differs between two of them, by name."""
    return sorted(name for name in {*then, *now} if then.get(name) != now.get(name))


def versions() -> dict[str, str]:
    """Of what a result was measured with; torch is not imported for it."""
    return {
        "cambrian": cambrian.__version__,
        "numpy": metadata.version("numpy"),
        "python": platform.python_version(),
        "torch": metadata.version("torch"),
    }


def reached(*modules: str) -> set[str]:
    """Every module of ours that these import, directly or not, wherever the import stands; they
    themselves and packages on the way included."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and _file(name) is not None:
            found.add(name)
            waiting += _imports(name)
            waiting.append(name.rpartition(".")[0])
    return found


@functools.cache
def _imports(module: str) -> tuple[str, ...]:
    file = _file(module)
    if file is None:
        return ()
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    return tuple(_imported(package, file.read_text(encoding="utf-8")))


def _imported(package: str, text: str) -> Iterator[str]:
    """What a text in a package imports. Candidates: a name imported from a module may be a module
    itself, or not."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, node.module or ""]).strip(".") if node.level else node.module
            yield str(base)
            yield from (f"{base}.{alias.name}" for alias in node.names)


@functools.cache
def _file(module: str) -> Path | None:
    """Of a module of ours; None of any other, of a folder without `__init__.py` and of `cambrian`
    itself, which imports the archive when it is asked for one."""
    root, *rest = module.split(".")
    if root != "cambrian" or not rest:
        return None
    place = Path(cambrian.__file__).parent.joinpath(*rest)
    for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
        if file.is_file():
            return file
    return None


@functools.cache
def _hash(module: str) -> str:
    file = _file(module)
    text = file.read_text(encoding="utf-8") if file is not None else ""
    return fingerprint_of({module: text})[:SHORT]
