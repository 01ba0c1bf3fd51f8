#!/usr/bin/env python3
"""Count what keeps the house readable, room by room; `make lint` fails where a limit is missed.

    tools/count.py [--bare]

Held: the lines of a module and of a function, the modules in a folder, no circle of imports, and
docstrings on what is public (classes, functions and methods of `src/cambrian` whose names, and
whose owners' names, begin without an underscore; as for `inspect.getdoc`, a method has that of the
method which it overrides). A public function that takes or gives arrays says
their shapes in its docstring, in that of the method which it overrides, or in that of its class.

What is let off, and why, stands in `EXCEPTIONS` and nowhere else.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median

import grimp

ROOT = Path(__file__).resolve().parent.parent
MODULE_LINES, FUNCTION_LINES, FOLDER_MODULES, DOCUMENTED = 400, 60, 15, 0.95

EXCEPTIONS: dict[str, dict[str, str]] = {
    "module": {
        "tools/benchmarks_docs.py": "to be cut (issue 12)",
    },
    "function": {
        "tests/": "a scenario reads best in one piece",
        "benchmarks/": "a measurement reads best in one piece",
    },
    "folder": {
        "src/cambrian/sandbox/attack/programs": "data: one hostile learner a file",
        "benchmarks": "one measurement a file",
    },
    "circle": {},
    "docstring": {
        "src/cambrian/sandbox/attack/programs": "data: the module's docstring says it all",
        "src/cambrian/agents/seeds": "copied into every archive: the text is the agent's identity",
        "src/cambrian/agents/mechanisms": "copied into agents: the text is part of an identity",
        "src/cambrian/agents/references": "shapes are those of the contract",
        "src/cambrian/agents/experts": "shapes are those of the contract",
        "src/cambrian/testing/rewrites": "shapes are those of the contract",
        "src/cambrian/agents/improvers": "copied into agents: the text is part of an identity",
    },
}
"""By what is counted: the path, or what paths begin with (of circles: the import that is not
followed), and why the limit is not held there."""

ARRAYS = re.compile(r"\b(NDArray|ndarray|Array|Floats|Ints|Bools|Tensor|ArrayLike)\b")
SHAPE = re.compile(r"\((?![^()]*\b(?:19|20)\d\d\b)\s*[\w*][^()\n]*,[^()]*\)|\b[Ss]hapes?\b")
""""(B, outputs)", or the word; not "(Snell 2017, section 2)"."""

COLUMNS = "{:12} {:>7} {:>6} {:>5} {:>9} {:>6} {:>5} {:>10} {:>7}"
HEADS = ("median", "most")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Room:
    """What was counted of the modules that share a first folder."""

    lines: list[int] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    public: int = 0
    documented: int = 0
    arrays: int = 0
    shaped: int = 0


@dataclass(frozen=True)
class Said:
    """What the methods of every class say, by the classes' names, and the names of their bases."""

    methods: dict[str, dict[str, str]]
    bases: dict[str, list[str]]

    @staticmethod
    def of(trees: Iterable[ast.Module]) -> Said:
        """Of all classes of these modules."""
        said = Said({}, {})
        for node in (node for tree in trees for node in ast.walk(tree)):
            if isinstance(node, ast.ClassDef):
                texts = said.methods.setdefault(node.name, {})
                said.bases.setdefault(node.name, []).extend(bases_of(node))
                for one in node.body:
                    if isinstance(one, Function):
                        texts[one.name] = ast.get_docstring(one) or ""
        return said

    def above(self, owner: ast.ClassDef, name: str) -> str:
        """What the method that a class's method overrides says; "" for nothing."""
        seen, above = {owner.name}, bases_of(owner)
        for base in above:
            if base not in seen:
                seen.add(base)
                if text := self.methods.get(base, {}).get(name):
                    return text
                above += self.bases.get(base, [])
        return ""


def bases_of(node: ast.ClassDef) -> list[str]:
    """The names of a class's bases, without their modules and parameters."""
    return [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]


@dataclass
class House:
    """The rooms by name, every limit that is missed, and every public name without a docstring."""

    rooms: dict[str, Room] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)

    def table(self) -> Iterator[str]:
        """One line a room."""
        yield COLUMNS.format("room", "modules", *HEADS, "functions", *HEADS, "docstrings", "shapes")
        for name, room in sorted(self.rooms.items()):
            said = f"{room.documented}/{room.public}" if room.public else "-"
            shapes = f"{room.shaped}/{room.arrays}" if room.arrays else "-"
            yield COLUMNS.format(
                *(name, len(room.lines), f"{median(room.lines):.0f}", max(room.lines)),
                *(len(room.functions), f"{median(room.functions or [0]):.0f}"),
                *(max(room.functions, default=0), said, shapes),
            )


@dataclass(frozen=True)
class Public:
    """A public class or function: its name with its owners', whether it has a docstring, and
    whether it names arrays (`arrays`) and says their shapes (`shaped`)."""

    name: str
    line: int
    documented: bool
    arrays: bool
    shaped: bool


def main() -> int:
    """Print the table and what is missed; 1 if anything is."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--bare", action="store_true", help="list what has no docstring, too")
    found = measure(options.parse_args().bare)
    print(*found.table(), sep="\n")
    for line in found.missed:
        print(line, file=sys.stderr)
    return 1 if found.missed else 0


def measure(bare: bool = False) -> House:
    """Count everything (`bare`: print each public thing without a docstring)."""
    house = House()
    texts = {path: (ROOT / path).read_text("utf-8") for path in modules()}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    said = Said.of(tree for path, tree in trees.items() if path.parts[0] == "src")
    for path, tree in trees.items():
        count(path, len(texts[path].splitlines()), tree, said, house)
    if bare:
        print(*house.bare, sep="\n")
    house.missed += crowded_folders(texts)
    house.missed += circles(imports_of("cambrian"))
    house.missed += too_few_docstrings(house.rooms.values())
    house.missed += stale()
    return house


def modules() -> Iterator[Path]:
    """Every Python file that is ours, relative to the root."""
    for top in ("src", "tests", "tools", "benchmarks", "examples"):
        for path in sorted((ROOT / top).rglob("*.py")):
            yield path.relative_to(ROOT)


def room_of(path: Path) -> str:
    """The room of a module: the first folder in `cambrian`, or the folder at the top."""
    parts = path.parts
    if parts[:2] != ("src", "cambrian"):
        return parts[0] + "/"
    return parts[2] if len(parts) > 3 else "(leaves)"


def count(path: Path, lines: int, tree: ast.Module, said: Said, house: House) -> None:
    """Add one module to its room, and the limits that it misses."""
    room = house.rooms.setdefault(room_of(path), Room())
    room.lines.append(lines)
    missed = house.missed
    if lines > MODULE_LINES and not excepted("module", path):
        missed.append(f"{path}: {lines} lines, at most {MODULE_LINES}")
    for node in ast.walk(tree):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            room.functions.append(length)
            if length > FUNCTION_LINES and not excepted("function", path):
                missed.append(
                    f"{path}:{node.lineno}: {node.name} has {length} lines, at most "
                    f"{FUNCTION_LINES}"
                )
    if path.parts[0] != "src":
        return
    let_off = excepted("docstring", path)
    for one in public(tree.body, said):
        room.public += not let_off
        room.documented += one.documented and not let_off
        room.arrays += one.arrays
        room.shaped += one.shaped
        if one.arrays and not one.shaped and not let_off:
            missed.append(f"{path}:{one.line}: {one.name} takes or gives arrays and says no shape")
        if not one.documented and not let_off:
            house.bare.append(f"{path}:{one.line}: {one.name}")


def public(
    body: list[ast.stmt], said: Said, owner: ast.ClassDef | None = None, path: str = ""
) -> Iterator[Public]:
    """The public classes, functions and methods of a module's or a class's body."""
    for node in body:
        if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
            continue
        if any(
            isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list
        ):
            continue
        above = said.above(owner, node.name) if owner else ""
        text = ast.get_docstring(node) or above
        whole = "\n".join((text, above, (ast.get_docstring(owner) or "") if owner else ""))
        arrays = isinstance(node, Function) and has_arrays(node)
        shaped = arrays and bool(SHAPE.search(whole))
        yield Public(path + node.name, node.lineno, bool(text), arrays, shaped)
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, said, node, f"{path}{node.name}.")


def has_arrays(node: Function) -> bool:
    """Whether a function's annotations name an array (not: a callable of arrays)."""
    given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    notes = [*(one.annotation for one in given), node.returns]
    return any(note is not None and ARRAYS.search(ast.unparse(note)) for note in notes)


def excepted(what: str, path: Path) -> bool:
    """Whether a limit is not held for a path; asked only where the limit is missed, so that an
    exception that is not needed any more shows (`stale`)."""
    found = [begin for begin in EXCEPTIONS[what] if path.as_posix().startswith(begin)]
    _NEEDED.update((what, begin) for begin in found)
    return bool(found)


_NEEDED: set[tuple[str, str]] = set()
"""The exceptions that let something off in this process."""


def stale() -> list[str]:
    """Exceptions that let nothing off."""
    return [
        f"tools/count.py: nothing needs the exception of {begin} from the limit of a {what}"
        for what in ("module", "function", "folder")
        for begin in EXCEPTIONS[what]
        if (what, begin) not in _NEEDED
    ]


def crowded_folders(paths: Iterable[Path]) -> list[str]:
    """The folders with too many modules (an empty `__init__` counts too)."""
    held = Counter(path.parent for path in paths)
    return [
        f"{folder}: {count} modules, at most {FOLDER_MODULES}"
        for folder, count in held.items()
        if count > FOLDER_MODULES and not excepted("folder", folder / "x")
    ]


def imports_of(package: str) -> dict[str, set[str]]:
    """By module of a package, the modules of it that it imports."""
    graph = grimp.build_graph(package, cache_dir=None)
    return {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}


def circles(imports: Mapping[str, Collection[str]]) -> list[str]:
    """Circles of imports, those in functions and those for types alone too: one line for each that
    has to be cut somewhere."""
    found = []
    let_off = EXCEPTIONS["circle"]
    left = {
        name: {other for other in others if f"{name} -> {other}" not in let_off}
        for name, others in imports.items()
    }
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle = error.args[1][::-1]  # each imports the next one
            found.append("a circle of imports: " + " -> ".join(circle))
            left[circle[0]] -= {circle[1]}
        else:
            return found


def too_few_docstrings(rooms: Collection[Room]) -> list[str]:
    """What is missed if too little of what is public has a docstring."""
    everything = sum(room.public for room in rooms)
    documented = sum(room.documented for room in rooms)
    if documented >= DOCUMENTED * everything:
        return []
    return [f"{documented} of {everything} public names have a docstring, not {DOCUMENTED:.0%}"]


if __name__ == "__main__":
    sys.exit(main())
