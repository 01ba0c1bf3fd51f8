"""Code in a form that local names, dead branches, unread imports and unread knobs do not change.

Files with the same normal form do the same, wherever they are asked: what is renamed or left out
here is what no run of them can tell. In doubt a thing stays as it is, so that a mistake costs a
needless evaluation. Nothing is run.

- Local names of functions are numbered (`scopes`); dead code goes (`dead_code`).
- Imports go that bind a name which no file of the agent mentions, out of modules that everybody has
  imported and of names that are sure to be in them.
- Fields of a `@dataclass` of plain constants go that no file mentions, where an object of the class
  is made without arguments, kept as an attribute and read field by field.

Code that can ask for what is taken away (`locals`, `inspect`, frames, docstrings) is opaque
(`agents.reach`); it is not brought into this form, but counts as it is written.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cambrian.agents.normal_form.dead_code import without_dead_code
from cambrian.agents.normal_form.scopes import number_locals
from cambrian.agents.syntax import parsed, walk, written
from cambrian.errors import InvalidAgent

REMEMBERED = 256
"""How many files' forms are remembered: most of a variant's files are its parent's."""

MODULES = frozenset(
    (
        *("abc", "collections", "collections.abc", "contextlib", "copy", "dataclasses", "enum"),
        *("functools", "itertools", "math", "numbers", "numpy", "operator", "random"),
        *("statistics", "string", "time", "torch", "typing"),
    )
)
"""What may be imported for nothing: importing it changes nothing that a learner can tell."""
NAMES: Mapping[str, frozenset[str]] = {
    "cambrian.agents.contract": frozenset(("Learner", "TaskSpec")),
    "cambrian.agents.part": frozenset(("Batch", "Carry", "Clock", "PartsLearner", "Recent")),
    "cambrian.agents.spec": frozenset(("TaskSpec",)),
    "collections": frozenset(("Counter", "OrderedDict", "defaultdict", "deque", "namedtuple")),
    "collections.abc": frozenset(
        ("Callable", "Iterable", "Iterator", "Mapping", "MutableMapping", "Sequence")
    ),
    "copy": frozenset(("copy", "deepcopy")),
    "dataclasses": frozenset(("dataclass", "field", "replace")),
    "functools": frozenset(("lru_cache", "partial", "reduce")),
    "itertools": frozenset(("chain", "count", "islice", "repeat")),
    "math": frozenset(("ceil", "cos", "exp", "floor", "inf", "log", "pi", "prod", "sin", "sqrt")),
    "torch": frozenset(("Generator", "Tensor", "nn")),
    "typing": frozenset(
        ("Any", "Callable", "ClassVar", "Literal", "NamedTuple", "Optional", "Union")
    ),
}
_WORD = re.compile(r"\w+")
_SEEN_BY_NAME = frozenset({"NameError", "UnboundLocalError"})
_PLAIN_TYPES = frozenset({"int", "float", "bool", "str"})


@dataclass(frozen=True)
class Piece:
    """A stretch of a file's form. `needed`: it counts if one of these names is mentioned anywhere
    in the agent's code; None: it always counts."""

    text: str
    needed: frozenset[str] | None = None


@dataclass(frozen=True)
class Form:
    """One file.

    Attributes:
        pieces: in order.
        mentions: every name and every word of a text in it.
        if_mentioned: the words in the literals of module-level names that count only if the name is
            mentioned itself, as those in a table for people to read.
    """

    pieces: tuple[Piece, ...]
    mentions: frozenset[str]
    if_mentioned: Mapping[str, frozenset[str]] = field(default_factory=dict)


def normal_form(code: Mapping[str, str]) -> str:
    """SHA-256 over what Python files (path -> text), all that run together, do in the end.

    Raises:
        InvalidAgent: one does not parse.
    """
    return _normal_form(tuple(sorted(code.items())))


@lru_cache(maxsize=REMEMBERED)
def _normal_form(code: tuple[tuple[str, str], ...]) -> str:
    forms = {path: form_of(path, text) for path, text in code}
    mentioned = _mentioned(forms.values())
    digest = hashlib.sha256()
    for path, form in forms.items():
        digest.update(f"{path}\0".encode())
        for piece in form.pieces:
            if piece.needed is None or not piece.needed.isdisjoint(mentioned):
                digest.update(piece.text.encode("utf-8", "surrogatepass"))
        digest.update(b"\0")
    return digest.hexdigest()


def _mentioned(forms: Iterable[Form]) -> set[str]:
    """Every name that any file mentions, and what follows from its being mentioned."""
    forms = list(forms)
    found = set[str]().union(*(form.mentions for form in forms))
    waiting = {name: words for form in forms for name, words in form.if_mentioned.items()}
    while names := found & waiting.keys():
        for name in names:
            found |= waiting.pop(name)
    return found


@lru_cache(maxsize=REMEMBERED)
def form_of(path: str, text: str) -> Form:
    """The form of one file.

    Raises:
        InvalidAgent: it does not parse.
    """
    parsed(path, text)  # which bounds the nesting, and says what is wrong
    module = ast.parse(text, filename=path)
    try:
        without_dead_code(module)
        if _SEEN_BY_NAME.isdisjoint(_WORD.findall(text)):
            number_locals(module)
    except RecursionError as error:
        raise InvalidAgent(f"{path}: expected code that is less deeply nested") from error
    holders = _holders(module)
    pieces: list[Piece] = []
    mentions: set[str] = set()
    conditional: dict[str, frozenset[str]] = {}
    for statement in module.body:
        known = _known_import(statement)
        if known is not None:
            pieces += known
            continue
        if isinstance(statement, ast.ClassDef) and statement.name in holders:
            pieces += _knobs(statement, holders[statement.name])
            mentions |= {"dataclass", *_PLAIN_TYPES}
            continue
        pieces.append(Piece(written(statement)))
        words = set(_words(statement, holders))
        name = _literal_table(statement)
        if name is None:
            mentions |= words
        else:
            conditional[name] = conditional.get(name, frozenset()) | words
    return Form(tuple(pieces), frozenset(mentions), conditional)


# -- what is mentioned -------------------------------------------------------------------


def _words(tree: ast.AST, holders: Mapping[str, str]) -> Iterator[str]:
    """Names, attributes, keywords and words of texts. `NAME!`: it is used in another way than to
    read a field of an attribute NAME, or to make an object of a class NAME."""
    read: set[int] = set()
    for node in walk(tree):  # those further out first
        if isinstance(node, ast.Attribute):
            yield node.attr
            loads = isinstance(node.ctx, ast.Load)
            if loads and not node.attr.startswith("__"):
                read.add(id(node.value))
            if loads and id(node) not in read:
                yield f"{node.attr}!"
        elif isinstance(node, ast.Name):
            yield node.id
            if node.id not in holders:
                yield f"{node.id}!"
        elif not isinstance(node, ast.Constant) or isinstance(node.value, str):
            for word in _other_words(node):
                yield word
                yield f"{word}!"


def _other_words(node: ast.AST) -> Iterator[str]:
    """Every identifier that a node has beside its children."""
    for name in node._fields:
        value = getattr(node, name, None)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str):
                yield from _WORD.findall(one)


def _literal_table(statement: ast.stmt) -> str | None:
    """The name of `NAME = a literal`, which is looked at by people and tools if nothing mentions
    it."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    target = statement.targets[0]
    plain = (ast.Constant, ast.Dict, ast.List, ast.Tuple, ast.UnaryOp, ast.USub, ast.Load)
    if not isinstance(target, ast.Name) or target.id.startswith("__"):
        return None
    return target.id if all(isinstance(node, plain) for node in walk(statement.value)) else None


# -- imports -----------------------------------------------------------------------------


def _known_import(statement: ast.stmt) -> list[Piece] | None:
    """An import of what is known, name by name; None if it is none."""
    if isinstance(statement, ast.Import):
        if any(alias.name not in MODULES for alias in statement.names):
            return None
        made = [ast.Import([alias]) for alias in statement.names]
        return [_imported(one, one.names[0]) for one in made]
    if not isinstance(statement, ast.ImportFrom) or statement.level:
        return None
    module = statement.module or ""
    if any(alias.name not in NAMES.get(module, ()) for alias in statement.names):
        return None
    each = [ast.ImportFrom(module, [alias], 0) for alias in statement.names]
    return [_imported(one, one.names[0]) for one in each]


def _imported(statement: ast.stmt, alias: ast.alias) -> Piece:
    name = alias.asname or alias.name.split(".")[0]
    return Piece(written(statement), frozenset({name}))


# -- knobs -------------------------------------------------------------------------------


def _holders(module: ast.Module) -> dict[str, str]:
    """Dataclasses of plain constants, and the attribute that holds an object of each: where the
    class is used for nothing but `self.ATTRIBUTE = CLASS()`."""
    made = [one for one in module.body if isinstance(one, ast.ClassDef) and _is_plain(one)]
    nodes = walk(module) if made else []
    held = {one.name: _held_as(one, nodes) for one in made}
    return {name: attribute for name, attribute in held.items() if attribute is not None}


def _is_plain(made: ast.ClassDef) -> bool:
    decorated = [one.id for one in made.decorator_list if isinstance(one, ast.Name)]
    if decorated != ["dataclass"] or len(made.decorator_list) != 1 or made.bases or made.keywords:
        return False
    return all(_is_plain_field(statement) for statement in made.body)


def _is_plain_field(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and isinstance(statement.annotation, ast.Name)
        and statement.annotation.id in _PLAIN_TYPES
        and isinstance(statement.value, ast.Constant)
    )


def _held_as(made: ast.ClassDef, nodes: Sequence[ast.AST]) -> str | None:
    uses = [n for n in nodes if isinstance(n, ast.Name) and n.id == made.name]
    attributes = set()
    for node in nodes:
        if not isinstance(node, ast.Assign) or len(node.targets) != 1:
            continue
        target, value = node.targets[0], node.value
        if not isinstance(target, ast.Attribute) or not isinstance(value, ast.Call):
            continue
        if isinstance(value.func, ast.Name) and value.func.id == made.name:
            if value.args or value.keywords:
                return None
            uses.remove(value.func)
            attributes.add(target.attr)
    return attributes.pop() if not uses and len(attributes) == 1 else None


def _knobs(made: ast.ClassDef, attribute: str) -> list[Piece]:
    """The class field by field. All of them count where the object, or the class, may go anywhere
    else (another file's `from learner import Knobs`)."""
    everything = frozenset({f"{attribute}!", f"{made.name}!"})
    pieces = [Piece(f"(knobs {made.name} ")]
    for statement in made.body:
        assert isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        needed = everything | {statement.target.id}
        pieces.append(Piece(written(statement), needed))
    return [*pieces, Piece(")")]
