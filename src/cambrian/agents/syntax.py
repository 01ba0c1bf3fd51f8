"""Parsing code that nobody trusts, without running it."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Mapping
from functools import lru_cache

from cambrian.errors import InvalidAgent

MAX_NESTING = 100
REMEMBERED = 256
"""How many files' shapes are remembered: most of a variant's files are its parent's."""


def parse(path: str, text: str) -> ast.Module:
    """The syntax tree of a file.

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


def without_docstrings(module: ast.Module) -> ast.Module:
    """Remove the docstrings of a tree, in place."""
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                del node.body[0]
    return module


def fingerprint_of(code: Mapping[str, str]) -> str:
    """SHA-256 over the syntax of Python files (path -> text), docstrings left out."""
    digest = hashlib.sha256()
    for path, text in sorted(code.items()):
        digest.update(f"{path}\0{_shape(path, text)}\0".encode())
    return digest.hexdigest()


@lru_cache(maxsize=REMEMBERED)
def _shape(path: str, text: str) -> str:
    shape = ast.dump(without_docstrings(parse(path, text)))
    return hashlib.sha256(shape.encode(errors="surrogatepass")).hexdigest()
