"""An agent's imports, made relative, and nothing else of its code."""

from __future__ import annotations

import pytest

from cambrian.agents.seeds import load_seed
from cambrian.errors import InvalidAgent
from cambrian.takeaway.relative import made_relative


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("learner.py", "from parts.mlp import MLP", "from .parts.mlp import MLP"),
        ("parts/a.py", "from parts.mlp import MLP", "from .mlp import MLP"),
        ("parts/a.py", "from parts import mlp as m", "from . import mlp as m"),
        ("parts/a.py", "from .mlp import MLP", "from .mlp import MLP"),
        ("learner.py", "import parts.mlp as m", "from .parts import mlp as m"),
        ("learner.py", "import parts.mlp", "from .parts import mlp as _mlp; from . import parts"),
        ("parts/a.py", "import parts.mlp", "from . import mlp as _mlp; from .. import parts"),
        (
            "parts/a.py",
            "from cambrian.agents.contract import Learner as Base",
            "from ..contract import Learner as Base",
        ),
        ("learner.py", "from cambrian.agents import spec", "from . import spec"),
        ("learner.py", "import cambrian.agents.part as p", "from . import part as p"),
        ("learner.py", "import math, torch", "import math, torch"),
    ],
)
def test_each_form_of_import_points_beside_the_file(path: str, before: str, after: str) -> None:
    assert made_relative(path, f"é = 1  # {before}\n{before}  # why\n") == (
        f"é = 1  # {before}\n{after}  # why\n"
    )


def test_what_a_package_does_not_bring_is_refused_with_the_line() -> None:
    with pytest.raises(InvalidAgent, match=r"learner.py:2: expected one of"):
        made_relative(
            "learner.py", "import math\nfrom cambrian.agents.answers import read_answer\n"
        )
    with pytest.raises(InvalidAgent, match=r"import cambrian.agents.spec as NAME"):
        made_relative("learner.py", "import cambrian.agents.spec\n")


def test_nothing_but_imports_changes() -> None:
    for path, text in load_seed("composed").items():
        if path == "improver.py":
            continue
        changed = set(made_relative(path, text).splitlines()) - set(text.splitlines())
        assert all(line.startswith("from .") for line in changed), path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_form_feed_or_another_line_end_moves_no_import(end: str) -> None:
    rows = ['"""One.\f\x1c\u2028Two."""', "\f", "import math", "from parts.mlp import MLP", "A = 1"]
    made = made_relative("learner.py", end.join(rows))
    assert made == end.join([*rows[:3], "from .parts.mlp import MLP", "A = 1"])
