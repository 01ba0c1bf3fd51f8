"""What code reaches, and what of it counts: fingerprints of agents, learners and improvers."""

from __future__ import annotations

import pytest

from cambrian.agents.catalogue import catalogue
from cambrian.agents.reach import closure, reach_of
from cambrian.agents.seeds import load_seed, seed_names
from cambrian.agents.tree import SourceTree

LEARNER = """\
from parts.memory import Memory


class Learner:
    def predict(self, x):
        return Memory().get(x, 0.5)
"""
MEMORY = "from .tools import near\n\n\nclass Memory:\n    get = near\n"
TOOLS = "def near(self, x, y):\n    return x\n"
IMPROVER = "from parts import words\n\n\nclass Improver:\n    text = words.TEXT\n"
WORDS = "TEXT = 'be bold'\n"


def agent(**changes: str | None) -> SourceTree:
    files = {
        "learner.py": LEARNER,
        "improver.py": IMPROVER,
        "parts/memory.py": MEMORY,
        "parts/tools.py": TOOLS,
        "parts/words.py": WORDS,
        "NOTES.md": "first",
    }
    given = {name.replace("__", "/") + ".py": text for name, text in changes.items()}
    return SourceTree({p: t for p, t in (files | given).items() if t is not None})


def noted(text: str) -> SourceTree:
    return agent().replace({"NOTES.md": text})


IDLE = {
    "notes": noted("second"),
    "comments": agent(learner="# why\n" + LEARNER),
    "layout": agent(learner=LEARNER.replace("0.5", "(\n            0.5\n        )")),
    "docstring of the module": agent(learner='"""Learns."""\n' + LEARNER),
    "docstring of a method": agent(
        learner=LEARNER.replace("        return", '        """Say."""\n        return')
    ),
    "text between statements": agent(parts__tools=TOOLS + "\n'nothing'\n1.5\n...\n"),
    "pass": agent(parts__tools=TOOLS.replace("    return", "    pass\n    return")),
    "quotes": agent(parts__words='TEXT = "be bold"\n'),
    "number written otherwise": agent(learner=LEARNER.replace("0.5", "5e-1")),
    "a file that nobody imports": agent(parts__extra="x = 1\n"),
}
CHANGED = {
    "a constant": agent(learner=LEARNER.replace("0.5", "0.6")),
    "its type": agent(learner=LEARNER.replace("0.5", "True")),
    "a part": agent(parts__tools=TOOLS.replace("return x", "return y")),
    "the improver": agent(improver=IMPROVER + "\n\nX = 1\n"),
    "a part of the improver": agent(parts__words="TEXT = 'be careful'\n"),
    "where a part is": agent(
        parts__memory=None,
        parts__store=MEMORY,
        learner=LEARNER.replace("parts.memory", "parts.store"),
    ),
}


@pytest.mark.parametrize("what", IDLE)
def test_what_changes_nothing_that_runs_has_the_same_fingerprint(what: str) -> None:
    assert IDLE[what].identity != agent().identity
    assert IDLE[what].fingerprint == agent().fingerprint


@pytest.mark.parametrize("what", CHANGED)
def test_what_changes_what_runs_has_another(what: str) -> None:
    assert CHANGED[what].fingerprint != agent().fingerprint


def test_docstrings_count_where_the_code_reads_them() -> None:
    reading = LEARNER + "\n\nTEXT = Learner.__doc__\n"
    plain = agent(learner=reading)
    documented = agent(learner=reading.replace("    def", '    """Text."""\n\n    def'))
    assert plain.fingerprint != documented.fingerprint
    assert plain.fingerprint == agent(learner=reading + "# a comment\n").fingerprint


def test_a_learner_is_told_by_what_it_imports_and_nothing_else() -> None:
    mine = agent().learner_fingerprint
    assert mine is not None
    assert CHANGED["the improver"].learner_fingerprint == mine
    assert CHANGED["a part of the improver"].learner_fingerprint == mine
    assert CHANGED["a part"].learner_fingerprint != mine


@pytest.mark.parametrize(
    "line",
    [
        "import importlib",
        "import sys",
        "import os.path",
        "from pathlib import Path",
        "import torch.hub",
        "from torch import load",
        "from numpy import *",
        "from cambrian import agents",
        "text = open('parts/words.py').read()",
        "exec('x = 1')",
        "found = __import__('parts.words')",
        "import torch\nx = torch.load('NOTES.md')",
        "import numpy\nx = getattr(numpy, 'lo' + 'ad')",
        "import numpy\nx = getattr(numpy, 'load')",
        "x = ().__class__.__base__.__subclasses__()",
        "x = __file__",
        "x = __loader__",
        "from .. import words",
    ],
)
def test_a_learner_that_may_reach_anything_is_told_from_no_other(line: str) -> None:
    tree = agent(learner=f"{line}\n{LEARNER}")
    assert tree.learner_fingerprint is None
    reached = closure(tree, ["learner.py"])
    assert set(reached.paths) == {path for path in tree if path.endswith(".py")}
    assert tree.fingerprint == tree.replace({"NOTES.md": "other"}).fingerprint


def test_all_forms_of_import_are_followed() -> None:
    for form in (
        "import parts.words",
        "import parts.words as w",
        "from parts import words",
        "from parts.words import TEXT",
        "from parts import *",
        "import parts",
        "def f():\n    from parts.words import TEXT",
    ):
        tree = agent(learner=f"{form}\n{LEARNER}")
        assert "parts/words.py" in closure(tree, ["learner.py"]).paths, form
    assert (
        "improver.py" in closure(agent(learner="import improver\n" + LEARNER), ["learner.py"]).paths
    )
    around = agent(parts__tools="import parts.memory\n" + TOOLS)
    assert around.learner_fingerprint is not None


def test_the_seed_agents_learners_can_be_told() -> None:
    assert all(load_seed(name).learner_fingerprint for name in seed_names())
    for one in catalogue().values():
        SourceTree({"learner.py": LEARNER, "parts/memory.py": one.source})


@pytest.mark.parametrize(
    "code",
    [
        "x = 0x" + "f" * 4000 + "\n",
        "x = 1e999, -1e999, 5j, b'\\xff', '\\ud800', None, ...\n",
        "x = " + "(" * 80 + "1" + ")" * 80 + "\n",
        "def f(a, /, b, *, c=1, **d): pass\n",
        "x = f'{1!r:>{2}}'\nmatch x:\n    case {'a': [1, *_], **rest}:\n        pass\n",
        "\f\n\\\n\nx = 1\r\n",
    ],
)
def test_strange_code_has_a_fingerprint(code: str) -> None:
    tree = agent(parts__tools=code + TOOLS)
    assert len(tree.fingerprint) == 64 and tree.fingerprint != agent().fingerprint
    assert (
        tree.fingerprint
        == tree.replace({"parts/tools.py": "# x\n" + tree["parts/tools.py"]}).fingerprint
    )


def test_fingerprints_are_pinned() -> None:
    """Archives hold them, whatever Python wrote them."""
    assert agent().fingerprint == (
        "6b8d200162a9ac76e8e5dd06a98dfae5f331bdcdc9f5069f4c4fe20e672c2075"
    )
    assert agent().learner_fingerprint == (
        "680ba97354e34381ddd8bee9cf7da06b2d053fff241965eb957bf2ae70a208c5"
    )


def test_an_improver_is_told_by_all_that_it_imports() -> None:
    mine = agent().improver_hash
    assert CHANGED["a part of the improver"].improver_hash != mine
    assert CHANGED["a part"].improver_hash == mine
    assert noted("second").improver_hash == mine
    opaque = agent(improver="import importlib\n" + IMPROVER)
    assert opaque.improver_hash != opaque.replace({"parts/tools.py": TOOLS + "\n"}).improver_hash


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_every_mechanism_can_be_read(name: str) -> None:
    """One that could not would make every agent that has it opaque, and nothing about it known."""
    assert not reach_of(f"parts/{name}.py", catalogue()[name].source).opaque
