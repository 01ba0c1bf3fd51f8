"""Parsing untrusted code, without running it."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cambrian.errors import InvalidAgent

MAX_NESTING = 100
PARSED = 2
REMEMBERED = 256
"""How many files' shapes are remembered: most of a variant's files are its parent's."""
_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields that say nothing of what code does."""


@dataclass(frozen=True)
class Parsed:
    """A file's syntax tree, walked once for all who look at it.

    Attributes:
        module: the tree; not to be changed, as the last few are remembered.
        nodes: its nodes, those of a level before those of the next; no contexts (`ast.Load`, ...).
        children: of each node in `nodes`, in the order of its fields.
    """

    module: ast.Module
    nodes: Sequence[ast.AST]
    children: Sequence[Sequence[ast.AST]]


def parse(path: str, text: str) -> ast.Module:
    """The syntax tree of a file; see `parsed`."""
    return parsed(path, text).module


@lru_cache(maxsize=PARSED)
def parsed(path: str, text: str) -> Parsed:
    """The syntax tree of a file, and its nodes.

    Raises:
        InvalidAgent: it does not parse, or is nested too deeply to be handled safely.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in an agent's code is its business
            module = ast.parse(text, filename=path)
    except SyntaxError as error:
        raise InvalidAgent(
            f"{path}:{error.lineno or 1}: expected Python that parses; {error.msg}"
        ) from error
    except (RecursionError, MemoryError, ValueError) as error:
        raise InvalidAgent(f"{path}: expected Python that parses; {error or 'too deep'}") from error
    return _walked(path, module)


def _walked(path: str, module: ast.Module) -> Parsed:
    """Every node, level by level; not recursive.

    Raises:
        InvalidAgent: there are more levels than a recursive visitor is sure to come down.
    """
    nodes: list[ast.AST] = []
    children: list[list[ast.AST]] = []
    level: list[ast.AST] = [module]
    depth, below = 0, False
    while level and depth + below <= MAX_NESTING:
        depth += 1
        nodes += level
        found = [children_of(node) for node in level]
        children += found
        below = any(hasattr(node, "ctx") for node in level)  # a context is a node below a name
        ends, level = level, [child for some in found for child in some]
    if level or depth + below > MAX_NESTING:
        line = getattr((level or ends)[0], "lineno", 1)
        raise InvalidAgent(
            f"{path}:{line}: expected code nested at most {MAX_NESTING} levels deep; got more"
        )
    return Parsed(module, nodes, children)


def walk(top: ast.AST) -> list[ast.AST]:
    """A node and all below it but contexts, those further out first, as `ast.walk` gives them."""
    found = [top]
    for node in found:  # which grows meanwhile
        found += children_of(node)
    return found


def children_of(node: ast.AST) -> list[ast.AST]:
    """A node's children but for its context, as `ast.iter_child_nodes` would give them."""
    found: list[ast.AST] = []
    for name in fields_of(type(node)):
        value = getattr(node, name, None)
        if isinstance(value, list):
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def fields_of(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a kind of node that say something."""
    found = _FIELDS.get(kind)
    if found is None:
        found = _FIELDS[kind] = tuple(name for name in kind._fields if name not in _SKIPPED)
    return found


def fingerprint_of(code: Mapping[str, str], *, documented: bool = False) -> str:
    """SHA-256 over what Python files (path -> text) do, as their syntax says it.

    Comments, layout, `pass` and constants that stand alone (docstrings among them) do not count;
    `documented`: docstrings do. Equal in every version of Python that parses the files into the
    same nodes: empty fields, contexts and kinds of quotes are left out, and constants are written
    in a form of our own (`ast.dump` and `repr` change between versions, and `repr` refuses
    integers of over 4,300 digits). A file that does not parse counts with its bytes.
    """
    digest = hashlib.sha256()
    for path, text in sorted(code.items()):
        digest.update(f"{path}\0{_shape(path, text, documented)}\0".encode())
    return digest.hexdigest()


@lru_cache(maxsize=REMEMBERED)
def _shape(path: str, text: str, documented: bool) -> str:
    words: list[str] = []
    try:
        _write(parse(path, text), words, documented)
    except InvalidAgent:
        words += ("bytes\0", text)
    return hashlib.sha256("".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def written(tree: ast.AST) -> str:
    """A syntax tree as text that no other tree has; docstrings and what does nothing left out.

    Of a module that `parsed` has checked: it is recursive.
    """
    words: list[str] = []
    _write(tree, words, documented=False)
    return "".join(words)


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = frozenset({"body", "orelse", "finalbody"})


def _write(item: object, words: list[str], documented: bool) -> None:
    """Append a tree as words that no other tree has. Recursive: `parse` has bounded the nesting."""
    if isinstance(item, ast.Constant):
        words.append(_constant(item.value))
    elif isinstance(item, ast.AST):
        kind = type(item)
        words.append(f"({kind.__name__}")
        for name in fields_of(kind):
            value = getattr(item, name, None)
            if value is None or value == []:
                continue
            words.append(f".{name} ")
            if name in _BLOCKS and isinstance(value, list):
                keeps = documented and name == "body" and isinstance(item, _DOCUMENTED)
                value = _effective(value, keeps)
            _write(value, words, documented)
        words.append(")")
    elif isinstance(item, list):
        words.append(f"[{len(item)} ")
        for each in item:
            _write(each, words, documented)
    else:
        words.append(_constant(item))


def _effective(body: Sequence[ast.stmt], keeps_docstring: bool) -> list[ast.stmt]:
    """The statements that do something."""
    return [
        one
        for at, one in enumerate(body)
        if (keeps_docstring and at == 0)
        or not (
            isinstance(one, ast.Pass)
            or (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        )
    ]


def _constant(value: object) -> str:
    """A constant or an identifier, with its type and length."""
    kind = type(value)
    if kind is str:
        text = str(value)
    elif isinstance(value, bytes):
        text = value.hex()
    elif isinstance(value, int) and kind is not bool:
        text = hex(value)
    elif isinstance(value, float):
        text = value.hex()
    elif isinstance(value, complex):
        text = f"{value.real.hex()} {value.imag.hex()}"
    else:  # None, True, False, ...
        text = repr(value)
    return f"={kind.__name__} {len(text)} {text}"
