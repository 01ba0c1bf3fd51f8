"""What tools/count.py finds, on code that misses each limit in turn."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest
import tools.count
from tools.count import House, Said, circles, count, crowded_folders, stale

HERE = Path("src/cambrian/archive/made_up.py")


def counted(source: str, path: Path = HERE) -> House:
    """What is counted of one module, whose bases are its own."""
    house, tree = House(), ast.parse(dedent(source))
    count(path, len(source.splitlines()), tree, Said.of([tree]), house)
    return house


def test_a_module_and_a_function_that_are_too_long_are_named() -> None:
    body = "\n".join(f"    x = {number}" for number in range(400))
    assert counted(f"def long():\n{body}\n").missed == [
        f"{HERE}: 401 lines, at most 400",
        f"{HERE}:1: long has 401 lines, at most 60",
    ]


def test_only_what_is_public_needs_a_docstring_and_an_override_inherits_its_base_s() -> None:
    found = counted(
        '''
        class Base:
            """A base."""
            def said(self): "It says."
            def bare(self): ...
            def _own(self): ...
        class Child(Base):
            """A child."""
            def said(self): ...
        class _Private:
            def hidden(self): ...
        def also_bare(): ...
        '''
    )
    assert [line.split(": ")[1] for line in found.bare] == ["Base.bare", "also_bare"]
    room = found.rooms["archive"]
    assert (room.public, room.documented) == (6, 4)


def test_a_function_of_arrays_says_their_shapes() -> None:
    found = counted(
        '''
        def told(x: Floats): "Of x (n, m)."
        def by_its_year(x: Floats): "As in (Snell 2017, section 2)."
        def of_functions(f: int) -> Floats: "The shape is that of a row."
        class Whole:
            """Over rows (n, d)."""
            def mean(self) -> np.ndarray: "Their mean."
        '''
    )
    assert found.missed == [f"{HERE}:3: by_its_year takes or gives arrays and says no shape"]


def test_a_folder_with_too_many_modules_is_named() -> None:
    paths = [Path(f"src/cambrian/web/page{number}.py") for number in range(16)]
    assert crowded_folders(paths) == ["src/cambrian/web: 16 modules, at most 15"]
    assert crowded_folders(paths[:15]) == []


def test_every_circle_is_found_and_a_chain_is_none() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    two = circles({"a": {"b"}, "b": {"a"}, "c": {"d"}, "d": {"c", "a"}})
    assert len(two) == 2


def test_an_exception_that_lets_nothing_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.count, "_NEEDED", set())
    long = Path("tests/long.py")
    count(long, 500, ast.parse(""), Said.of([]), House())
    found = stale()
    assert not any(" tests/ from the limit of a module" in line for line in found)
    assert any(" tests/ from the limit of a function" in line for line in found)
