"""Code that does the same has one fingerprint, and code that does not has another."""

from __future__ import annotations

import ast
import builtins
import keyword
import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cambrian.agents.seeds import load_seed, seed_names
from cambrian.agents.tree import SourceTree

LEARNER = """
import math
import torch
from dataclasses import dataclass
from torch import Tensor


@dataclass
class Knobs:
    lr: float = 0.1
    steps: int = 3
    unread: float = 0.5


RANGES = {"lr": (0.01, 0.3, "log"), "unread": (0.0, 1.0, "linear")}


class Learner:
    def __init__(self, spec, *, seed, device="cpu"):
        self.knobs = Knobs()
        self.lr = self.knobs.lr * 2
        self.steps = self.knobs.steps

    def observe(self, x, y, task=None):
        total = 0.0
        for row, (one, other) in enumerate(zip(x, y)):
            squares = [value * value for value in (one, other) if value]
            total += sum(squares) / (row + 1)

            def scaled(by):
                nonlocal total
                total = total * by
                return total

            last = scaled(self.lr)
            if last > 3 and (half := last / 2) > 1:
                total -= half
        self.total = total

    def predict(self, x, task=None):
        try:
            rows = len(x)
        except TypeError as error:
            rows = len(str(error))
        return torch.zeros(rows, 2) + math.sqrt(self.steps)
"""


def _word(text: str, name: str, other: str) -> str:
    return re.sub(rf"\b{name}\b", other, text)


def tree(learner: str, **parts: str) -> SourceTree:
    files = {f"parts/{name}.py": text for name, text in parts.items()}
    return SourceTree({"learner.py": learner, "improver.py": "class Improver: ...\n", **files})


def prints(learner: str, **parts: str) -> tuple[str, str | None]:
    made = tree(learner, **parts)
    return made.fingerprint, made.learner_fingerprint


ALIKE: dict[str, Callable[[str], str]] = {
    "layout": lambda text: text.replace("    ", "\t").replace("\n\n", "\n\n\n"),
    "another local name": lambda text: text.replace("total", "summed").replace(
        "self.summed", "self.total"
    ),
    "names of a comprehension": lambda text: text.replace("value", "v"),
    "names that swap": lambda text: _word(
        _word(_word(text, "one", "ONE"), "other", "one"), "ONE", "other"
    ),
    "a caught error's name": lambda text: text.replace("error", "problem").replace(
        "TypeProblem", "TypeError"
    ),
    "a branch that is never taken": lambda text: text.replace(
        "        self.total = total\n",
        "        if 2 + 2 == 5 or not True:\n            total = 7\n        self.total = total\n",
    ),
    "code after a return": lambda text: text.replace(
        "                return total\n", "                return total\n                by = 3\n"
    ),
    "a loop that never runs": lambda text: text.replace(
        "        self.total = total\n",
        "        while 0:\n            total += 1\n        self.total = total\n",
    ),
    "a condition that always holds": lambda text: text.replace(
        "        self.total = total\n", "        if True:\n            self.total = total\n"
    ),
    "a folded constant": lambda text: text.replace("lr * 2", "lr * (3 - 1)"),
    "an import that nothing reads": lambda text: "import random as chance\n" + text,
    "a name that nothing reads": lambda text: text.replace(
        "from torch import Tensor", "from torch import Tensor, nn"
    ),
    "a knob that nothing reads": lambda text: text.replace(
        "unread: float = 0.5", "unread: int = 9"
    ),
    "one knob less that nothing reads": lambda text: text.replace("    unread: float = 0.5\n", ""),
    "a type that is not looked at": lambda text: text.replace("total = 0.0", "total: float = 0.0"),
    "a docstring": lambda text: text.replace('"cpu"):', '"cpu"):\n        """Begin."""'),
}

DIFFERENT: dict[str, Callable[[str], str]] = {
    "a constant": lambda text: text.replace("last / 2", "last / 3"),
    "an integer for a float": lambda text: text.replace("total = 0.0", "total = 0"),
    "a sign of zero": lambda text: text.replace("total = 0.0", "total = -0.0"),
    "a knob": lambda text: text.replace("lr: float = 0.1", "lr: float = 0.2"),
    "a parameter's name": lambda text: text.replace("task=None", "which=None"),
    "an attribute": lambda text: text.replace("self.total", "self.sum"),
    "a nested function's name": lambda text: text.replace("scaled", "bigger"),
    "the order of statements": lambda text: text.replace(
        "        self.lr = self.knobs.lr * 2\n        self.steps = self.knobs.steps\n",
        "        self.steps = self.knobs.steps\n        self.lr = self.knobs.lr * 2\n",
    ),
    "one variable where there were two": lambda text: text.replace("half", "last"),
    "a global for a local": lambda text: text.replace("rows = len(x)", "size = len(x)"),
    "no nonlocal": lambda text: text.replace("                nonlocal total\n", "").replace(
        "total = total * by", "total = by"
    ),
    "an imported name that is read": lambda text: text.replace(
        "import math\n", "from cmath import sqrt\nimport cmath as math\n"
    ),
    "an import that may fail": lambda text: "from math import nothing_of_this_name\n" + text,
    "an import that does something": lambda text: "import warnings\n" + text,
    "a branch that makes it a generator": lambda text: text.replace(
        "        self.total = total\n",
        "        if False:\n            yield 1\n        self.total = total\n",
    ),
    "a dead assignment that makes a name local": lambda text: text.replace(
        "        self.total = total\n",
        "        self.total = len(x)\n        if False:\n            len = max\n",
    ),
    "knobs that are looked at as a whole": lambda text: text.replace(
        "self.steps = self.knobs.steps", "self.steps = len(repr(self.knobs))"
    ),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_code_that_does_the_same_has_the_same_fingerprint(kind: str) -> None:
    changed = ALIKE[kind](LEARNER)
    assert changed != LEARNER
    compile(changed, "learner.py", "exec")
    assert prints(changed) == prints(LEARNER)


@pytest.mark.parametrize("kind", DIFFERENT)
def test_code_that_does_something_else_has_another(kind: str) -> None:
    changed = DIFFERENT[kind](LEARNER)
    assert changed != LEARNER
    compile(changed, "learner.py", "exec")
    (whole, learner), (its_whole, its_learner) = prints(changed), prints(LEARNER)
    assert whole != its_whole
    assert learner != its_learner


@pytest.mark.parametrize(
    "looking",
    [
        "        found = locals()\n",
        "        found = eval('total')\n",
        "        found = vars()\n",
        "        import inspect\n        found = inspect.currentframe()\n",
        "        found = self.observe.__code__.co_varnames\n",
    ],
)
def test_code_that_looks_at_itself_counts_as_it_is_written(looking: str) -> None:
    text = LEARNER.replace("        self.total = total\n", f"{looking}        self.total = total\n")
    assert prints(text)[0] != prints(ALIKE["another local name"](text))[0]
    assert prints(text)[1] is None


def test_a_name_error_that_is_caught_keeps_the_names() -> None:
    text = LEARNER.replace("TypeError", "NameError")
    assert prints(text) != prints(text.replace("total", "summed").replace("self.s", "self.t"))


def test_what_another_file_reads_is_read() -> None:
    own = "from parts.a import A\n" + LEARNER.replace("steps = 3", "steps = A().steps")
    unread = own.replace("unread: float = 0.5", "unread: int = 9")
    reading = "class A:\n    def __init__(self, learner=None):\n        self.steps = {}\n"
    assert prints(own, a=reading.format("3")) == prints(unread, a=reading.format("3"))
    for one in ("learner.knobs.unread", "getattr(learner.knobs, 'un' + 'read')", "learner.knobs"):
        assert prints(own, a=reading.format(one)) != prints(unread, a=reading.format(one))
    imported = "import random\n" + own
    through = "import learner\n" + reading.format("learner.random.random()")
    assert prints(imported, a=reading.format("3")) == prints(own, a=reading.format("3"))
    assert prints(imported, a=through) != prints(own, a=through)


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and not hasattr(builtins, name)
)


@given(st.lists(NAMES, min_size=7, max_size=7, unique=True))
@settings(deadline=None, max_examples=60)
def test_whatever_the_local_names_are(names: list[str]) -> None:
    taken = {"x", "y", "self", "task", "by", "scaled", "math", "torch", "sum", "zip"}
    if taken & set(names):
        return
    template = LEARNER
    old = ("total", "row", "one", "other", "squares", "last", "half")
    for number, name in enumerate(old):
        template = template.replace("self.total", "self.TOTAL")
        template = _word(template, name, f"@{number}@")
    for number, name in enumerate(names):
        template = template.replace(f"@{number}@", name)
    assert prints(template.replace("TOTAL", "total")) == prints(LEARNER)


# -- programs that are run ---------------------------------------------------------------

ATOMS = st.sampled_from(["a", "b", "c", "g", "0", "1", "2", "(1 + 1)", "(not 0)"])
CONDITIONS = st.sampled_from(["a", "b > 1", "False", "1 > 2", "not 0", "0 or c", "1 and a", "g"])


def _block(draw: st.DrawFn, depth: int) -> list[str]:
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 7 if depth else 4))
        name, one, other = draw(st.sampled_from("abc")), draw(ATOMS), draw(ATOMS)
        if kind <= 2:
            lines.append(f"{name} = {one} + {other}")
        elif kind == 3:
            lines.append(f"{name} = sum([{name} + {one} for {name} in range({other} + 1)])")
        elif kind == 4:
            lines.append(draw(st.sampled_from([f"return {one}", "pass", f"del {name}"])))
        elif kind == 5:
            lines += [f"if {draw(CONDITIONS)}:", *_indented(_block(draw, depth - 1))]
            if draw(st.booleans()):
                lines += ["else:", *_indented(_block(draw, depth - 1))]
        elif kind == 6:
            lines += [f"for {name} in range(2):", *_indented(_block(draw, depth - 1))]
        else:
            inner = _block(draw, depth - 1)
            declared = [f"nonlocal {name}"] if draw(st.booleans()) else []
            lines += ["def inner():", *_indented([*declared, *inner, f"return {one}"])]
            lines.append(f"{draw(st.sampled_from('abc'))} = inner()")
    return lines


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A module with a function of a few statements, in local names and the global `g`."""
    start = draw(st.sampled_from([["a = b = c = 1"], ["a = b = 1"], ["a = 2", "c = a"], []]))
    body = [*start, *_block(draw, 2), "return (a, b, c)"]
    g = draw(st.sampled_from(["g = 3", "g = a = b = c = 0"]))
    return "\n".join([g, "def run():", *_indented(body)]) + "\n"


def _outcome(text: str) -> object:
    try:
        code = compile(text, "p", "exec")
    except SyntaxError as error:
        return f"no program: {type(error).__name__}"
    names: dict[str, object] = {}
    exec(code, names)
    try:
        return repr(names["run"]())  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the program does
        return type(error).__name__


class _Renamed(ast.NodeTransformer):
    """Every `a`, `b` and `c`, which may be global too: another program, unless they are local."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.AST:
        return ast.Nonlocal([self.names.get(name, name) for name in node.names])


CLASS = "\nclass Learner: ...\n"


@given(programs(), programs(), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=200)
def test_programs_with_one_fingerprint_do_the_same(
    one: str, other: str, rng: random.Random
) -> None:
    """Of two programs, and of one and itself with other names within its function."""
    outcomes: dict[str, object] = {}
    shuffled = ["a", "b", "c", "d", "e"]
    rng.shuffle(shuffled)
    mapping = dict(zip("abc", shuffled, strict=False))
    head, body = one.split("def run", 1)
    try:
        module = ast.parse("def run" + body)
        compile(one, "p", "exec")
    except SyntaxError:
        return
    renamed = head + ast.unparse(ast.fix_missing_locations(_Renamed(mapping).visit(module)))
    for text in (one, other, renamed):
        if str(outcome := _outcome(text)).startswith("no program"):
            continue
        print_ = prints(text + CLASS)[0]
        assert outcomes.setdefault(print_, outcome) == outcome


@pytest.mark.parametrize("name", seed_names())
def test_every_seed_agent_has_a_normal_form_of_its_own(name: str) -> None:
    seed = load_seed(name)
    assert seed.learner_fingerprint is not None
    others = [load_seed(other).fingerprint for other in seed_names() if other != name]
    assert seed.fingerprint not in others
