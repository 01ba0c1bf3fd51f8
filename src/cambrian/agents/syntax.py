"""Parsing code that nobody trusts, without running it."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
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
    digest = hashlib.sha256()
    try:
        module = parse(path, text)
    except InvalidAgent:
        digest.update(b"bytes\0" + text.encode(errors="surrogatepass"))
    else:
        for word in _words(module, documented):
            digest.update(word)
    return digest.hexdigest()


_SKIPPED = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def _words(module: ast.Module, documented: bool) -> Iterator[bytes]:
    """The tree as a sequence that no other tree has; not recursive."""
    waiting: list[object] = [module]
    while waiting:
        item = waiting.pop()
        if isinstance(item, bytes):
            yield item
        elif isinstance(item, ast.Constant):
            yield b"=" + _constant(item.value)
        elif isinstance(item, ast.AST):
            yield f"({type(item).__name__}".encode()
            waiting.append(b")")
            for name, value in reversed(list(ast.iter_fields(item))):
                if name in _SKIPPED or value is None or value == []:
                    continue
                if isinstance(value, list) and name in ("body", "orelse", "finalbody"):
                    value = _effective(item, name, value, documented)
                waiting += (value, f".{name} ".encode())
        elif isinstance(item, list):
            yield f"[{len(item)} ".encode()
            waiting += reversed(item)
        else:
            yield b"=" + _constant(item)


def _effective(
    owner: ast.AST, name: str, body: Sequence[ast.stmt], documented: bool
) -> list[ast.stmt]:
    """The statements that do something."""
    return [
        one
        for at, one in enumerate(body)
        if not isinstance(one, ast.Pass)
        and not (
            isinstance(one, ast.Expr)
            and isinstance(one.value, ast.Constant)
            and not (documented and at == 0 and name == "body" and isinstance(owner, _DOCUMENTED))
        )
    ]


def _constant(value: object) -> bytes:
    """A constant or an identifier, with its type and length."""
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogatepass")
    elif isinstance(value, bytes):
        text = value
    elif isinstance(value, int) and not isinstance(value, bool):
        text = hex(value).encode()
    elif isinstance(value, float):
        text = value.hex().encode()
    elif isinstance(value, complex):
        text = f"{value.real.hex()} {value.imag.hex()}".encode()
    else:  # None, True, False, ...
        text = repr(value).encode()
    return f"{type(value).__name__} {len(text)} ".encode() + text
