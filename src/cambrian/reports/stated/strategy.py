"""What an edit says that it does, and what of the code it really changed.

The code is parsed and never run. Names that stand more or less often in the code than before are
what was touched; they are split into words, as `class_means` and `ClassMeans` are.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

LEAST = 4
"""Letters of a word that says something."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PLAIN = frozenset(
    [
        "about",
        "after",
        "also",
        "before",
        "from",
        "have",
        "into",
        "learning",
        "learner",
        "model",
        "more",
        "score",
        "should",
        "than",
        "that",
        "their",
        "them",
        "then",
        "there",
        "these",
        "this",
        "those",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "would",
    ]
)


@dataclass(frozen=True)
class Change:
    """What differs between two source trees.

    Attributes:
        words: of the names that were touched, and of the files.
        kinds: `parts` (files came or went), `structure` (functions, classes, control flow,
            imports), `constants` (numbers and texts), `names`.
    """

    words: frozenset[str]
    kinds: frozenset[str]


def says(title: str, hypothesis: str) -> frozenset[str]:
    """The words that an edit's title and hypothesis speak with."""
    return words_of(f"{title} {hypothesis}") - _PLAIN


def words_of(text: str) -> frozenset[str]:
    """Its words in small letters, without plural and the shortest ones."""
    found = (word.lower() for word in _WORD.findall(text))
    return frozenset(_singular(word) for word in found if len(word) >= LEAST)


def _singular(word: str) -> str:
    return word if word.endswith("ss") else word.removesuffix("s")


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> Change:
    """What differs between the code of two agents; files that cannot be parsed count by name."""
    paths = [path for path in {*before, *after} if before.get(path) != after.get(path)]
    code = [path for path in paths if path.endswith(".py")]
    names: Counter[tuple[str, str]] = Counter()
    for path in code:
        own = _features(after.get(path, ""))
        own.subtract(_features(before.get(path, "")))
        names.update(own)
    touched = {key for key, count in names.items() if count}
    kinds = {kind for kind, _ in touched}
    if any((path in before) != (path in after) for path in code):
        kinds.add("parts")
    words = frozenset[str]().union(
        *(words_of(name) for kind, name in touched if kind != "constants")
    )
    files = frozenset[str]().union(*(words_of(path.rpartition("/")[2][:-3]) for path in code))
    if all(path in before and path in after for path in code):
        files = frozenset()  # that learner.py changed says nothing
    return Change(words | files, frozenset(kinds))


def _features(text: str) -> Counter[tuple[str, str]]:
    """What stands in a file: (kind, name), each as often as it does."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Counter()
    return Counter(feature for node in ast.walk(tree) for feature in _feature(node))


def _feature(node: ast.AST) -> list[tuple[str, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [("structure", node.name)]
    if isinstance(node, ast.For | ast.While | ast.If | ast.With | ast.Try):
        return [("structure", type(node).__name__)]
    if isinstance(node, ast.alias):
        return [("structure", node.name)]
    if isinstance(node, ast.Constant):
        return [("constants", repr(node.value)[:80])]
    if isinstance(node, ast.Name):
        return [("names", node.id)]
    if isinstance(node, ast.Attribute):
        return [("names", node.attr)]
    if isinstance(node, ast.arg | ast.keyword) and node.arg:
        return [("names", node.arg)]
    return []
