"""Reading and changing a learner's code without touching what is not meant (libcst).

Three places are known: the fields of the dataclass `Knobs`, the list that is assigned to `parts`,
and the imports `from parts.<module> import <Class>`. What is written otherwise is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import libcst as cst

from cambrian.agents.edits import EditError
from cambrian.agents.recombine.knobs import Value, literal

_INDENT = "    "


@dataclass(frozen=True)
class Part:
    """One entry of the parts list: `Class(keyword=value, ...)` with the module it comes from.

    `values` are the keywords that are written as literals. `node` is the entry in the code, None
    for one that is to be added.
    """

    module: str
    cls: str
    values: Mapping[str, Value] = field(default_factory=dict)
    node: cst.Element | None = None


class LearnerCode:
    """A learner's source, changed by methods that return a new one.

    Raises:
        EditError: libcst cannot parse it.
    """

    def __init__(self, source: str) -> None:
        try:
            self.module = cst.parse_module(source)
        except (cst.ParserSyntaxError, RecursionError) as error:
            reason = str(error).splitlines()[0]
            raise EditError(f"learner.py: expected code that libcst parses; {reason}") from error

    @cached_property
    def source(self) -> str:
        """The text of `learner.py`, comments and layout as they were where nothing was changed."""
        return self.module.code

    # the knobs

    def knobs(self) -> dict[str, Value]:
        """The fields of `Knobs` whose defaults are literals."""
        found = {}
        for name, node in self._knob_nodes().items():
            value = literal(self._code(node.value)) if node.value else None
            if value is not None:
                found[name] = value
        return found

    def ranges(self) -> object:
        """The literal that is assigned to `RANGES`, or None."""
        return self.constant("RANGES")

    def constant(self, name: str) -> object:
        """The literal that is assigned to a name at the top of the module, or None."""
        for node in ast.parse(self.source).body:
            names = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
            if isinstance(node, ast.Assign) and name in names:
                try:
                    return ast.literal_eval(node.value)
                except (ValueError, TypeError, RecursionError):
                    return None
        return None

    def with_knobs(self, values: Mapping[str, Value]) -> LearnerCode:
        """The same with other defaults of `Knobs`; names that it lacks are ignored."""
        code = self
        for name, value in values.items():
            node = code._knob_nodes().get(name)
            if node is not None and node.value is not None:
                new = node.with_changes(value=cst.parse_expression(repr(value)))
                code = code._replaced(node, new)
        return code

    # the parts

    @property
    def is_composed(self) -> bool:
        """Whether there is a list of parts."""
        return self._parts_place is not None

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The entries of the parts list that are calls of imported classes, in order."""
        found = []
        modules = self.imports
        for element in self._parts_place[1].elements if self._parts_place else ():
            call = element.value
            if (
                isinstance(element, cst.Element)
                and isinstance(call, cst.Call)
                and isinstance(call.func, cst.Name)
                and call.func.value in modules
            ):
                name = call.func.value
                found.append(Part(modules[name], name, self._keywords(call), element))
        return tuple(found)

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local class name -> module, of every `from parts.<module> import <Class>`."""
        found = {}
        for line in self.module.body:
            for statement, module in self._part_imports(line):
                for alias in (
                    statement.names if not isinstance(statement.names, cst.ImportStar) else ()
                ):
                    found[alias.evaluated_alias or alias.evaluated_name] = module
        return found

    def with_parts(self, parts: Sequence[Part]) -> LearnerCode:
        """The same with another list of parts; entries that are not of `parts` stay, in front.

        Parts that have a node keep its layout; their keywords become `values` where these differ.
        Imports are added for new classes, and dropped for classes that are used no more.
        """
        if self._parts_place is None:
            raise EditError("learner.py: expected a list assigned to `parts`; found none")
        statement, nodes = self._parts_place
        ours = {id(part.node) for part in self.parts}
        others = [element for element in nodes.elements if id(element) not in ours]
        elements = [*others, *(self._element(part) for part in parts)]
        code = self._replaced(statement, statement.with_changes(value=_laid_out(nodes, elements)))
        for part in parts:
            if part.cls not in code.imports:
                code = code._with_import(part)
        for name in sorted(self.imports):
            code = code._without_unused(name)
        return code

    # inside

    def _code(self, node: cst.CSTNode) -> str:
        return self.module.code_for_node(node)

    def _with_module(self, module: cst.Module) -> LearnerCode:
        changed = LearnerCode.__new__(LearnerCode)
        changed.module = module
        return changed

    def _replaced(self, old: cst.CSTNode, new: cst.CSTNode) -> LearnerCode:
        """The same with one small statement replaced."""
        return self._with_module(self.module.visit(_Replacer(old, new)))

    def _knob_nodes(self) -> dict[str, cst.AnnAssign]:
        found = {}
        for node in self.module.body:
            if isinstance(node, cst.ClassDef) and node.name.value == "Knobs":
                for line in node.body.body:
                    for statement in getattr(line, "body", ()):
                        target = getattr(statement, "target", None)
                        if isinstance(statement, cst.AnnAssign) and isinstance(target, cst.Name):
                            found[target.value] = statement
        return found

    @cached_property
    def _parts_place(self) -> tuple[cst.Assign | cst.AnnAssign, cst.List] | None:
        """The statement that assigns the list of parts, and the list."""
        finder = _PartsFinder()
        self.module.visit(finder)
        return finder.found

    def _keywords(self, call: cst.Call) -> dict[str, Value]:
        found = {}
        for argument in call.args:
            value = literal(self._code(argument.value)) if argument.keyword else None
            if argument.keyword is not None and value is not None:
                found[argument.keyword.value] = value
        return found

    def _element(self, part: Part) -> cst.Element:
        if part.node is None:
            keywords = ", ".join(f"{name}={value!r}" for name, value in part.values.items())
            return cst.Element(cst.parse_expression(f"{part.cls}({keywords})"))
        call = part.node.value
        if not isinstance(call, cst.Call) or self._keywords(call) == dict(part.values):
            return part.node
        return part.node.with_changes(value=_with_keywords(call, part.values))

    def _part_imports(self, line: cst.CSTNode) -> list[tuple[cst.ImportFrom, str]]:
        found = []
        for statement in line.body if isinstance(line, cst.SimpleStatementLine) else ():
            if isinstance(statement, cst.ImportFrom) and isinstance(
                statement.module, cst.Attribute
            ):
                package, _, module = self._code(statement.module).partition(".")
                if package == "parts" and module.isidentifier() and not statement.relative:
                    found.append((statement, module))
        return found

    def _with_import(self, part: Part) -> LearnerCode:
        """Import the class after the other parts, else after the last import at the top."""
        lines = list(self.module.body)
        imports = [i for i, line in enumerate(lines) if _is_import(line)]
        beside = [i for i, line in enumerate(lines) if self._part_imports(line)]
        where = (beside or imports or [-1])[-1] + 1
        new = cst.parse_statement(f"from parts.{part.module} import {part.cls}\n")
        body = [*lines[:where], new, *lines[where:]]
        return self._with_module(self.module.with_changes(body=body))

    def _without_unused(self, name: str) -> LearnerCode:
        """Drop the import of a class that nothing names any more."""
        nodes = ast.walk(ast.parse(self.source))
        if any(isinstance(node, ast.Name) and node.id == name for node in nodes):
            return self
        for line in self.module.body:
            for statement, _ in self._part_imports(line):
                names = statement.names
                if isinstance(names, cst.ImportStar) or len(names) != 1:
                    continue
                if name in (names[0].evaluated_alias, names[0].evaluated_name):
                    rest = [other for other in self.module.body if other is not line]
                    return self._with_module(self.module.with_changes(body=rest))
        return self


_STATEMENTS = (cst.Module, cst.BaseCompoundStatement, cst.BaseSuite, cst.SimpleStatementLine)
"""What is looked into: expressions are most of a module, and visiting them is slow."""


class _PartsFinder(cst.CSTVisitor):
    """The first statement that assigns a list to a name or attribute `parts`."""

    def __init__(self) -> None:
        self.found: tuple[cst.Assign | cst.AnnAssign, cst.List] | None = None

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Assign | cst.AnnAssign) and self.found is None:
            targets = node.targets if isinstance(node, cst.Assign) else [node]
            for target in targets:
                name = target.target
                name = name.attr if isinstance(name, cst.Attribute) else name
                named = isinstance(name, cst.Name) and name.value == "parts"
                if named and isinstance(node.value, cst.List):
                    self.found = (node, node.value)
        return isinstance(node, _STATEMENTS) and self.found is None


class _Replacer(cst.CSTTransformer):
    def __init__(self, old: cst.CSTNode, new: cst.CSTNode) -> None:
        self.old, self.new = old, new

    def on_visit(self, node: cst.CSTNode) -> bool:
        return isinstance(node, _STATEMENTS)

    def on_leave(self, original_node: cst.CSTNode, updated_node: Any) -> Any:
        return self.new if original_node is self.old else updated_node


def _is_import(line: cst.CSTNode) -> bool:
    return isinstance(line, cst.SimpleStatementLine) and any(
        isinstance(statement, cst.Import | cst.ImportFrom) for statement in line.body
    )


def _with_keywords(call: cst.Call, values: Mapping[str, Value]) -> cst.Call:
    """The call with these literal keywords; arguments that are no literals stay."""
    arguments, left = [], dict(values)
    for argument in call.args:
        name = argument.keyword.value if argument.keyword else None
        if name is not None and name in left:
            value: Any = cst.parse_expression(repr(left.pop(name)))
            argument = argument.with_changes(value=value)
        arguments.append(argument)
    tight = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    for name, value in left.items():
        new = cst.parse_expression(repr(value))
        arguments.append(cst.Arg(new, keyword=cst.Name(name), equal=tight))
    comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    spaced = [
        argument if isinstance(argument.comma, cst.Comma) else argument.with_changes(comma=comma)
        for argument in arguments[:-1]
    ]
    return call.with_changes(args=[*spaced, *arguments[-1:]])


def _laid_out(old: cst.List, elements: Sequence[Any]) -> cst.List:
    """A list with one element a line, each with a comma; an empty one on one line."""
    if not elements:
        return cst.List([])

    def line(indent: str) -> cst.ParenthesizedWhitespace:
        return cst.ParenthesizedWhitespace(indent=True, last_line=cst.SimpleWhitespace(indent))

    placed = [e.with_changes(comma=cst.Comma(whitespace_after=line(_INDENT))) for e in elements]
    placed[-1] = placed[-1].with_changes(comma=cst.Comma(whitespace_after=line("")))
    bracket = cst.LeftSquareBracket(whitespace_after=line(_INDENT))
    return old.with_changes(elements=placed, lbracket=bracket, rbracket=cst.RightSquareBracket())
