"""Which names are local to a function and nothing more, by Python's own rules of scope.

`number_locals` writes a number in their place, so that code which differs in these names only is
the same afterwards. A number says how deep the function is nested and the how-manieth name it binds
(`1.0`), and no identifier looks like one, so that nothing is captured. What else names what stays:
parameters, imports, nested functions and classes, names that begin with two underscores, and all
that a class body binds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from cambrian.agents.syntax import children_of, walk

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)
_INNER = (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef)
_NEWER = tuple(
    getattr(ast, name)
    for name in ("TypeAlias", "TypeVar", "ParamSpec", "TypeVarTuple")
    if hasattr(ast, name)
)
"""Statements of Python 3.12 with scopes of their own, which are left alone."""


class _Scope:
    """What a function, a class, a comprehension or the module binds.

    Attributes:
        names: what is bound here, with the number that stands for it; None: it stays.
        passed: declared `nonlocal`: bound further out. `fixed`: declared `global`.
    """

    def __init__(self, node: ast.AST, outer: _Scope | None) -> None:
        self.outer = outer
        self.of_class = isinstance(node, ast.ClassDef)
        self.of_function = isinstance(node, (*FUNCTIONS, *COMPREHENSIONS))
        self.depth: int = 0 if outer is None else outer.depth + 1
        self.names: dict[str, str | None] = {}
        self.passed: set[str] = set()
        self.fixed: set[str] = set()

    def bind(self, name: str, *, plain: bool) -> None:
        if name in self.passed or name in self.fixed:
            return
        if not plain or not self.of_function or name.startswith("__"):
            self.names[name] = None
        elif name not in self.names:
            self.names[name] = f"{self.depth}.{len(self.names)}"

    def find(self, name: str) -> str:
        """What stands for a name that is read or written here."""
        scope: _Scope | None = self
        while scope is not None:
            skipped = scope.of_class and scope is not self
            if not skipped and name in scope.fixed:
                return name
            if not skipped and name in scope.names:
                return scope.names[name] or name
            scope = scope.outer
        return name


def number_locals(module: ast.Module) -> None:
    """Write numbers for local names into a syntax tree, in place.

    A tree with syntax whose scopes are not known here is left as it is.
    """
    if not (_NEWER and any(isinstance(node, _NEWER) for node in walk(module))):
        _inside(module, None)


def bound(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, bool]]:
    """The names that statements bind in the scope they are in, each with whether it is a plain
    variable; nested scopes bind their own."""
    waiting = list(nodes)[::-1]
    while waiting:
        node = waiting.pop()
        yield from _bound(node)
        waiting += _beside(node)[::-1]


def _bound(node: ast.AST) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
        yield node.id, True
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, False
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.split(".")[0], False
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name, True
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest, True
    elif isinstance(node, COMPREHENSIONS):  # `:=` in it binds out here
        waiting: list[ast.AST] = [node]
        while waiting:
            inner = waiting.pop()
            if isinstance(inner, ast.NamedExpr) and isinstance(inner.target, ast.Name):
                yield inner.target.id, True
            waiting += [one for one in children_of(inner) if not isinstance(one, FUNCTIONS)]


def _beside(node: ast.AST) -> list[ast.AST]:
    """A node's children that are in the same scope as itself."""
    if not isinstance(node, _INNER):
        return children_of(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        returned = [] if node.returns is None else [node.returns]
        return [*node.decorator_list, *_of_arguments(node.args), *returned]
    if isinstance(node, ast.Lambda):
        return _of_arguments(node.args)
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *node.keywords]
    return [node.generators[0].iter]


def arguments(args: ast.arguments) -> list[ast.arg]:
    """All of a function's parameters."""
    extra = [one for one in (args.vararg, args.kwarg) if one is not None]
    return [*args.posonlyargs, *args.args, *args.kwonlyargs, *extra]


def _of_arguments(args: ast.arguments) -> list[ast.AST]:
    """What of a function's arguments is worked out where it is defined."""
    annotations = [one.annotation for one in arguments(args) if one.annotation is not None]
    defaults = [one for one in (*args.defaults, *args.kw_defaults) if one is not None]
    return [*annotations, *defaults]


def _inside(node: ast.AST, outer: _Scope | None) -> None:
    """Number the names of a scope, and of those in it."""
    scope = _Scope(node, outer)
    body: list[ast.AST]
    if isinstance(node, FUNCTIONS):
        body = [*node.body] if isinstance(node.body, list) else [node.body]
        for argument in arguments(node.args):
            scope.bind(argument.arg, plain=False)
    elif isinstance(node, COMPREHENSIONS):
        body = _in_comprehension(node)
        for name, _ in bound(one.target for one in node.generators):
            scope.bind(name, plain=True)
    else:
        assert isinstance(node, ast.Module | ast.ClassDef)
        body = list(node.body)
    if not isinstance(node, COMPREHENSIONS):
        _declare(body, scope)
        found = list(bound(body))
        for name, plain in found:  # what is fixed anywhere is fixed everywhere
            if not plain:
                scope.bind(name, plain=False)
        for name, plain in found:
            if plain and scope.names.get(name, "") is not None:
                scope.bind(name, plain=True)
    for one in body:
        _write(one, scope)


def _in_comprehension(node: ast.AST) -> list[ast.AST]:
    """What of a comprehension is in its own scope: all but the first iterable."""
    assert isinstance(node, COMPREHENSIONS)
    first, *rest = node.generators
    inside: list[ast.AST] = [first.target, *first.ifs, *rest]
    if isinstance(node, ast.DictComp):
        return [node.key, node.value, *inside]
    return [node.elt, *inside]


def _declare(body: Iterable[ast.AST], scope: _Scope) -> None:
    for node in statements(body):
        if isinstance(node, ast.Nonlocal):
            scope.passed.update(node.names)
        elif isinstance(node, ast.Global):
            scope.fixed.update(node.names)


def statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The statements of a scope, blocks in blocks included, those of nested scopes not."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _INNER):
            waiting += [one for one in children_of(node) if isinstance(one, _STATEMENTS)]


def _write(node: ast.AST, scope: _Scope) -> None:
    if isinstance(node, ast.Name):
        node.id = scope.find(node.id)
    elif isinstance(node, ast.Nonlocal):
        node.names = [scope.find(name) for name in node.names]
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
        node.name = scope.find(node.name)
    elif isinstance(node, ast.MatchMapping) and node.rest:
        node.rest = scope.find(node.rest)
    for child in _beside(node):
        _write(child, scope)
    if isinstance(node, _INNER):
        _inside(node, scope)
