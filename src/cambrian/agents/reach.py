"""Which files of an agent a module can reach, as far as its code says: its own imports, followed.

Nothing is run. Code that could reach a file in a way that the syntax does not show (it reads files,
imports by name, runs text, looks at itself) is *opaque*: every file of the agent may matter to it.
What counts as plain is a list of what learners need; the rest is opaque, so that a mistake costs a
needless evaluation; it is not proof against code that is written to deceive it, which gains the
score of another agent's learner by it, one that was judged. A name put together at run time and
looked up on an alias of a module is not seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cambrian.agents.syntax import parsed

PLAIN_MODULES = frozenset(
    (
        *("__future__", "abc", "array", "base64", "bisect", "cmath", "collections"),
        *("contextlib", "copy", "dataclasses", "decimal", "enum", "fractions", "functools"),
        *("hashlib", "heapq", "html", "itertools", "json", "math", "numbers", "numpy", "operator"),
        *("queue", "random", "re", "statistics", "string", "struct", "textwrap", "time"),
        *("torch", "typing", "typing_extensions", "warnings", "weakref", "zlib"),
    )
)
PLAIN_DUNDERS = frozenset(
    (
        *("__abs__", "__add__", "__all__", "__annotations__", "__bool__", "__call__"),
        *("__class__", "__contains__", "__copy__", "__deepcopy__", "__delitem__", "__div__"),
        *("__doc__", "__enter__", "__eq__", "__exit__", "__float__", "__ge__", "__getitem__"),
        *("__gt__", "__hash__", "__init__", "__init_subclass__", "__int__", "__invert__"),
        *("__iter__", "__le__", "__len__", "__lt__", "__matmul__", "__mod__", "__mul__"),
        *("__name__", "__ne__", "__neg__", "__new__", "__next__", "__post_init__", "__pow__"),
        *("__qualname__", "__radd__", "__repr__", "__rmul__", "__rsub__", "__rtruediv__"),
        *("__setitem__", "__slots__", "__str__", "__sub__", "__truediv__"),
    )
)
OPAQUE_NAMES = frozenset(
    (
        *("breakpoint", "compile", "delattr", "dir", "eval", "exec", "globals", "help"),
        *("locals", "open", "vars", "attrgetter", "methodcaller"),
    )
)
OPAQUE_ATTRIBUTES = frozenset(
    (
        *("DataSource", "builtins", "classes", "cpp_extension", "ctypes", "ctypeslib"),
        *("distributed", "f2py", "from_file", "fromfile", "fromregex", "genfromtxt", "hub"),
        *("importlib", "inspect", "io", "jit", "linecache", "load", "loadtxt", "memmap"),
        *("attrgetter", "methodcaller", "gi_frame", "cr_frame", "ag_frame", "tb_frame"),
        *("f_builtins", "f_globals", "f_locals", "f_back"),
        *("modules", "multiprocessing", "open", "ops", "os", "_os", "package", "pathlib"),
        *("pkgutil", "runpy", "serialization", "subprocess", "sys", "_sys", "testing"),
        *("tokenize", "traceback", "utils"),
    )
)
PARTS = "parts"
OURS = frozenset(
    (
        *("cambrian.agents.answers", "cambrian.agents.contract", "cambrian.agents.part"),
        "cambrian.agents.spec",
    )
)
"""What the sandbox holds of ours for agents to import: the same for all of them."""


@dataclass(frozen=True)
class Reach:
    """What a module imports of its agent, by path; `opaque`: it may reach anything.

    `documented`: it may read docstrings, which then are code.
    """

    paths: frozenset[str]
    opaque: bool
    documented: bool


@dataclass(frozen=True)
class Closure:
    """What modules reach in the end: `paths` in order, the modules themselves included."""

    paths: tuple[str, ...]
    opaque: bool
    documented: bool


def closure(files: Mapping[str, str], roots: Iterable[str]) -> Closure:
    """Everything that `roots` (those that are there) import of a source tree, directly or not;
    every Python file where one of them is opaque.

    Raises:
        InvalidAgent: a file does not parse.
    """
    waiting, found = [root for root in roots if root in files], dict[str, Reach]()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = reach_of(path, files[path])
            waiting += _there(files, found[path].paths)
    opaque = any(one.opaque for one in found.values())
    code = [path for path in files if path.endswith(".py")]
    paths = tuple(sorted(code if opaque else found))
    return Closure(paths, opaque, any(reach_of(one, files[one]).documented for one in paths))


def _there(files: Mapping[str, str], wanted: Iterable[str]) -> list[str]:
    """`parts/*` stands for all of them: of a package without `__init__`, any may be meant."""
    everything = f"{PARTS}/*" in wanted
    return [
        path
        for path in files
        if path.endswith(".py")
        and (path in wanted or (everything and path.startswith(f"{PARTS}/")))
    ]


@lru_cache(maxsize=512)
def reach_of(path: str, text: str) -> Reach:
    """What one file reaches; remembered, as most of a variant's files are its parent's.

    Raises:
        InvalidAgent: it does not parse.
    """
    looking = _Looking(path)
    for node in parsed(path, text).nodes:
        looking.at(node)
    return Reach(frozenset(looking.paths), looking.opaque, looking.documented)


class _Looking:
    """One walk over a file."""

    def __init__(self, path: str) -> None:
        self.package = PARTS if path.startswith(f"{PARTS}/") else ""
        self.paths: set[str] = set()
        self.opaque = False
        self.documented = False
        self._modules: set[str] = set()
        self._called: set[int] = set()

    def at(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._module(alias.name)
                self._modules.add(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            self._from(node)
        elif isinstance(node, ast.Name):
            self._name(node.id, OPAQUE_NAMES)
            self.opaque |= node.id == "getattr" and id(node) not in self._called
        elif isinstance(node, ast.Attribute):
            self._name(node.attr, OPAQUE_ATTRIBUTES)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            self._name(node.value, OPAQUE_NAMES | OPAQUE_ATTRIBUTES)
        elif isinstance(node, ast.MatchClass):
            for name in node.kwd_attrs:
                self._name(name, OPAQUE_ATTRIBUTES)
        elif isinstance(node, ast.Call):
            self._call(node)

    def _name(self, name: str, opaque: frozenset[str]) -> None:
        dunder = len(name) > 4 and name.startswith("__") and name.endswith("__")
        self.opaque |= name in opaque or (dunder and name not in PLAIN_DUNDERS)
        self.documented |= name in ("__doc__", "getdoc", "help")

    def _module(self, name: str) -> None:
        """`import NAME`."""
        first, _, rest = name.partition(".")
        if first == PARTS:
            self.paths.add(f"{PARTS}/{rest.partition('.')[0] or '*'}.py".replace("*.py", "*"))
        elif first in ("learner", "improver"):
            self.paths.add(f"{first}.py")
        elif first == "cambrian":
            self.opaque |= name not in OURS
        else:
            self.opaque |= first not in PLAIN_MODULES
            self.opaque |= not OPAQUE_ATTRIBUTES.isdisjoint(rest.split("."))

    def _from(self, node: ast.ImportFrom) -> None:
        """`from MODULE import NAMES`, relative ones as of the package that the file is in."""
        names = [alias.name for alias in node.names]
        if node.level:
            self.opaque |= not self.package or node.level > 1
            module = ".".join(filter(None, (self.package, node.module)))
        else:
            module = node.module or ""
        if module == PARTS:
            for name in names:
                self._module(f"{PARTS}.{name}" if name != "*" else PARTS)
            return
        if {f"{module}.{name}" for name in names} <= OURS:
            return
        self._module(module)
        of_ours = module.split(".")[0] in (PARTS, "learner", "improver")
        self.opaque |= "*" in names and not of_ours
        for name in names:
            self._name(name, OPAQUE_NAMES | OPAQUE_ATTRIBUTES)
            if not of_ours:
                self._modules.add(name)

    def _call(self, node: ast.Call) -> None:
        """`getattr(module, text)`: what is looked up is not written there."""
        if not isinstance(node.func, ast.Name) or node.func.id != "getattr" or len(node.args) < 2:
            return
        self._called.add(id(node.func))  # walked after this one
        what, name = node.args[:2]
        of_a_module = isinstance(what, ast.Name) and what.id in self._modules
        self.opaque |= of_a_module and not isinstance(name, ast.Constant)


__all__ = ["Closure", "Reach", "closure", "reach_of"]
