"""Branches that are never taken, and what stands after a `return`: taken out of a syntax tree.

Conditions are folded as Python's own compiler folds them: constants, `not`, `and`, `or`,
comparisons and plain arithmetic of numbers. Dead code stays where it makes its function what it is:
a `yield` or `await` in it, or the only binding of a name that live code reads.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from cambrian.agents.normal_form.scopes import FUNCTIONS, arguments, bound, statements
from cambrian.agents.syntax import fields_of, walk

_ENDS = (ast.Return, ast.Raise, ast.Break, ast.Continue)
_TELLING = (ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.AnnAssign)
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_COMPUTE: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LARGEST = 1 << 62


def without_dead_code(module: ast.Module) -> None:
    """Take out, in place, what no run of a module comes to, types of local variables too."""
    _Folder().visit(module)
    _prune(module)
    _untype(module.body, inside=False)


# -- conditions --------------------------------------------------------------------------


class _Folder:
    """Expressions of constants become their value, from the inside out."""

    def visit(self, node: ast.AST) -> Any:
        """What a node becomes."""
        return _FOLDED.get(type(node), _Folder.inside)(self, node)

    def inside(self, node: ast.AST) -> ast.AST:
        """Fold what is inside a node; each child becomes one node, so lists keep their lengths."""
        for name in fields_of(type(node)):
            value = getattr(node, name, None)
            if isinstance(value, list):
                for at, one in enumerate(value):
                    if isinstance(one, ast.AST):
                        value[at] = self.visit(one)
            elif isinstance(value, ast.AST):
                setattr(node, name, self.visit(value))
        return node

    def unary(self, node: ast.UnaryOp) -> ast.AST:
        self.inside(node)
        if not isinstance(node.operand, ast.Constant):
            return node
        value: Any = node.operand.value
        if isinstance(node.op, ast.Not):
            return ast.Constant(not value)
        if isinstance(node.op, ast.USub) and _is_number(value):
            return ast.Constant(-value)
        return node

    def arithmetic(self, node: ast.BinOp) -> ast.AST:
        self.inside(node)
        compute = _COMPUTE.get(type(node.op))
        left, right = node.left, node.right
        if compute is None or not (_number(left) and _number(right)):
            return node
        try:
            value = compute(left.value, right.value)  # type: ignore[attr-defined]
        except ArithmeticError:
            return node
        return ast.Constant(value) if _is_number(value) else node

    def compared(self, node: ast.Compare) -> ast.AST:
        self.inside(node)
        if len(node.ops) != 1:
            return node
        compare = _COMPARE.get(type(node.ops[0]))
        left, right = node.left, node.comparators[0]
        alike = (_number(left) and _number(right)) or (_text(left) and _text(right))
        if compare is None or not alike:
            return node
        return ast.Constant(compare(left.value, right.value))  # type: ignore[attr-defined]

    def junction(self, node: ast.BoolOp) -> ast.AST:
        """Leading constants are left out, or are the value."""
        self.inside(node)
        goes_on = isinstance(node.op, ast.And)
        left = list(node.values)
        while len(left) > 1 and isinstance(left[0], ast.Constant):
            if bool(left[0].value) is not goes_on:
                return node if _acts(left[1:]) else left[0]
            del left[0]
        return left[0] if len(left) == 1 else ast.BoolOp(node.op, left)

    def choice(self, node: ast.IfExp) -> ast.AST:
        self.inside(node)
        if not isinstance(node.test, ast.Constant):
            return node
        taken, other = (node.body, node.orelse) if node.test.value else (node.orelse, node.body)
        return node if _acts([other]) else taken

    def text(self, node: ast.JoinedStr) -> ast.AST:
        return node  # its parts have to stay what they are


_FOLDED: dict[type[ast.AST], Callable[[_Folder, Any], ast.AST]] = {
    ast.UnaryOp: _Folder.unary,
    ast.BinOp: _Folder.arithmetic,
    ast.Compare: _Folder.compared,
    ast.BoolOp: _Folder.junction,
    ast.IfExp: _Folder.choice,
    ast.JoinedStr: _Folder.text,
}


def _acts(never: Iterable[ast.expr]) -> bool:
    """Whether expressions matter to their function though they are never worked out."""
    kinds = (ast.Yield, ast.YieldFrom, ast.Await, ast.NamedExpr)
    return any(isinstance(node, kinds) for one in never for node in walk(one))


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) < _LARGEST
    return isinstance(value, float) and math.isfinite(value)


def _number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and _is_number(node.value)


def _text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


# -- statements --------------------------------------------------------------------------


Holder = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
Edit = tuple[ast.AST, str, list[ast.stmt]]


def _prune(scope: Holder) -> None:
    """Take dead statements out of a module, class or function, and of those in it; all or none of
    one scope."""
    edits: list[Edit] = []
    dead: list[ast.stmt] = []
    edits.append((scope, "body", _live(scope.body, edits, dead)))
    before = [(node, field, getattr(node, field)) for node, field, _ in edits]
    _apply(edits)
    if dead and _tells(dead, scope):
        _apply(before)
    for inner in _scopes(scope):
        _prune(inner)


def _apply(edits: Iterable[Edit]) -> None:
    for node, field, body in edits:
        setattr(node, field, body)


def _live(body: Sequence[ast.stmt], edits: list[Edit], dead: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a block that may be carried out; what is changed inside of them goes to
    `edits`, and what never is to `dead`."""
    found: list[ast.stmt] = []
    for statement in body:
        if found and isinstance(found[-1], _ENDS):
            dead.append(statement)
        elif isinstance(statement, ast.Pass) or _is_idle(statement):
            continue
        elif isinstance(statement, ast.If | ast.While) and _never(statement):
            dead += statement.body
            found += _live(statement.orelse, edits, dead)
        elif isinstance(statement, ast.If) and isinstance(statement.test, ast.Constant):
            dead += statement.orelse
            found += _live(statement.body, edits, dead)
        else:
            found.append(statement)
            for node, field in _blocks(statement):
                edits.append((node, field, _live(getattr(node, field), edits, dead)))
    return found


def _is_idle(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _never(statement: ast.If | ast.While) -> bool:
    return isinstance(statement.test, ast.Constant) and not statement.test.value


def _blocks(statement: ast.stmt) -> Iterable[tuple[ast.AST, str]]:
    """The blocks of a statement that are in the same scope, by whose they are."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return
    parts = [*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())]
    for node in (statement, *parts):
        for field in ("body", "orelse", "finalbody"):
            if getattr(node, field, None):
                yield node, field


def _untype(block: list[ast.stmt], *, inside: bool) -> None:
    """Leave out the types of a function's own variables, which are never looked at."""
    for at, statement in enumerate(block):
        if isinstance(statement, ast.AnnAssign):
            value = statement.value
            if inside and statement.simple and value and not _acts([statement.annotation]):
                block[at] = ast.Assign([statement.target], value)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            _untype(statement.body, inside=not isinstance(statement, ast.ClassDef))
        else:
            for node, field in _blocks(statement):
                _untype(getattr(node, field), inside=inside)


def _tells(dead: Sequence[ast.stmt], scope: Holder) -> bool:
    """Whether dead code, which is out of the scope now, makes what is left what it is."""
    if any(isinstance(node, _TELLING) for one in dead for node in walk(one)):
        return True
    if isinstance(scope, ast.Module):
        return False
    lost = {name for name, _ in bound(dead)} - {name for name, _ in bound(scope.body)}
    if not isinstance(scope, ast.ClassDef):
        lost -= {argument.arg for argument in arguments(scope.args)}
    return any(
        (isinstance(node, ast.Name) and node.id in lost)
        or (isinstance(node, ast.Nonlocal) and not lost.isdisjoint(node.names))
        for node in walk(scope)
    )


def _scopes(scope: Holder) -> Iterable[Holder]:
    """The functions and classes that are defined right in a scope."""
    for node in statements(scope.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node
