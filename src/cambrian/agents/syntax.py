"""Parsing code that nobody trusts, without running it."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache

from cambrian.errors import InvalidAgent

MAX_NESTING = 100
PARSED = 2
REMEMBERED = 256
"""How many files' shapes are remembered: most of a variant's files are its parent's."""


@lru_cache(maxsize=PARSED)
def parse(path: str, text: str) -> ast.Module:
    """The syntax tree of a file; not to be changed, as the last few are remembered.

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
    _check_nesting(path, module)
    return module


def _check_nesting(path: str, module: ast.Module) -> None:
    """Refuse trees so deep that a recursive visitor could overflow; itself not recursive."""
    level: list[ast.AST] = [module]
    for _ in range(MAX_NESTING):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    line = getattr(level[0], "lineno", 1)
    raise InvalidAgent(
        f"{path}:{line}: expected code nested at most {MAX_NESTING} levels deep; got more"
    )


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


_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_BLOCKS = frozenset({"body", "orelse", "finalbody"})


def _write(item: object, words: list[str], documented: bool) -> None:
    """Append a tree as words that no other tree has. Recursive: `parse` has bounded the nesting."""
    if isinstance(item, ast.Constant):
        words.append(_constant(item.value))
    elif isinstance(item, ast.AST):
        kind = type(item)
        words.append(f"({kind.__name__}")
        for name in kind._fields:
            value = None if name in _SKIPPED else getattr(item, name, None)
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
