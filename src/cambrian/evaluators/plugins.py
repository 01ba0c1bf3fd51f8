"""Benchmarks of your own: a file with one class, named in the settings or by an entry point.

A file is brought in by `load`, or by the environment: ``CAMBRIAN_BENCHMARKS`` holds paths
(separated as in ``PATH``). `load` adds to it, and so do the command line's settings (`files` under
`[benchmarks]` in cambrian.toml), so that evaluation workers that are started later know the same
ones. An installed package names its classes under the entry point group ``cambrian.benchmarks``.

This is trusted code: it runs outside the sandbox, holds the answers and computes the score.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from cambrian.errors import NotFound, UsageError
from cambrian.evaluators import calibration
from cambrian.evaluators.benchmarks.base import Benchmark
from cambrian.evaluators.registry import register

ENVIRONMENT = "CAMBRIAN_BENCHMARKS"
GROUP = "cambrian.benchmarks"
PARTS = ("name", "version", "card")
"""What a subclass has to say, beside its `stream` and how it is `run`."""

_loaded: dict[Path, Benchmark] = {}
_discovered = False


def load(path: Path) -> Benchmark:
    """Register the benchmark in a file, here and in processes started from now on; once.

    Its calibration is looked for beside the file, as NAME-VERSION.json.

    Raises:
        NotFound: no such file.
        UsageError: it cannot be imported, holds no benchmark or several, or its name is taken.
    """
    path = path.resolve()
    if path not in _loaded:
        bench = _only(_imported(path), path)
        register(bench)
        calibration.add_home(bench.name, path.parent)
        _loaded[path] = bench
        known = [part for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep) if part]
        if str(path) not in known:
            os.environ[ENVIRONMENT] = os.pathsep.join([*known, str(path)])
    return _loaded[path]


def discover() -> None:
    """Register what the environment and installed packages name; once.

    Raises:
        NotFound, UsageError: as `load`; an entry point leads to no benchmark.
    """
    global _discovered
    if _discovered:
        return
    _discovered = True
    for part in os.environ.get(ENVIRONMENT, "").split(os.pathsep):
        if part:
            load(Path(part))
    for entry in metadata.entry_points(group=GROUP):
        bench = _pointed(entry)
        register(bench)
        home = inspect.getsourcefile(type(bench))
        if home:
            calibration.add_home(bench.name, Path(home).parent)


def _pointed(entry: metadata.EntryPoint) -> Benchmark:
    """What an installed package's entry point names: a class, or a benchmark ready made."""
    where = f"{entry.dist.name if entry.dist else 'a package'} ({GROUP}: {entry.name})"
    try:
        made: Any = entry.load()
        bench: Any = made() if inspect.isclass(made) else made
    except Exception as error:
        raise UsageError(
            f"{where} cannot be loaded: {type(error).__name__}: {error}. Mend it or uninstall it"
        ) from error
    if not isinstance(bench, Benchmark):
        raise UsageError(
            f"expected a subclass of cambrian.benchmarks.Benchmark from {where}; got {made!r:.200}"
        )
    return bench


def named(name: str) -> str:
    """A benchmark's name: of the one in a file, where a path was given ("mine.py")."""
    return load(Path(name)).name if name.endswith(".py") else name


def _imported(path: Path) -> Any:
    """The file as a module of its own, whatever else has its name."""
    if not path.is_file():
        raise NotFound(f"no such file: {path}")
    tag = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    spec = importlib.util.spec_from_file_location(f"cambrian_brought_{path.stem}_{tag}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise UsageError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _only(module: Any, path: Path) -> Benchmark:
    """An instance of the one class in a module that looks like a benchmark."""
    own = [
        made
        for made in vars(module).values()
        if inspect.isclass(made) and made.__module__ == module.__name__
    ]
    whole = [made for made in own if issubclass(made, Benchmark)]
    if len(whole) != 1:
        raise UsageError(
            f"expected one subclass of cambrian.benchmarks.Benchmark in {path}; "
            f"found: {', '.join(made.__name__ for made in whole) or 'none'}"
        )
    try:
        bench: Benchmark = whole[0]()
    except Exception as error:
        raise UsageError(f"{path}: {whole[0].__name__}() failed: {error}") from error
    if missing := [part for part in PARTS if not hasattr(bench, part)]:
        raise UsageError(f"{path}: expected {whole[0].__name__} to have {', '.join(missing)}")
    return bench
