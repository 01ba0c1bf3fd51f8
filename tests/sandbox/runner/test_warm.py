"""What the sandbox's first process imports, and when."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cambrian.agents.seeds import load_seed, seed_names
from cambrian.sandbox.runner.zygote import COMPILER

SOURCE = str(Path(__file__).resolve().parents[3] / "src")


def test_neither_counting_operations_nor_watching_layers_imports_torchs_compiler() -> None:
    script = (
        "import sys, torch\n"
        "from cambrian.sandbox.runner.meter import FlopMeter\n"
        "from cambrian.sandbox.runner.zygote import warm\n"
        "warm()\n"
        "meter, layer = FlopMeter(), torch.nn.Linear(3, 5)\n"
        "x = torch.zeros(2, 3)\n"
        "meter.call(lambda: layer(x).sum().backward())\n"
        "assert meter.total == 2 * 2 * 3 * 5 * 2, meter.total\n"
        "from cambrian.sandbox.runner.diagnosis import Watch\n"
        "with Watch(2) as watch:\n"
        "    layer(x).relu()\n"
        "assert [each.shape for each in watch.layers] == [(2, 5)], watch.layers\n"
        "assert 'torch._dynamo' not in sys.modules and 'sympy' not in sys.modules\n"
        "torch.optim.SGD(layer.parameters(), lr=0.1).step()\n"
        "assert 'torch._dynamo' in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": SOURCE},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("code", "needs"),
    [
        (b"self.o = torch.optim.Adam(w)", True),
        (b"from torch import optim", True),
        (b"torch.compile(f)", True),
        (b"from parts.adam import Adam\noptimiser = Adam()", False),
    ],
)
def test_code_that_needs_the_compiler_is_told_by_its_words(code: bytes, needs: bool) -> None:
    assert bool(COMPILER.search(code)) is needs


def test_the_seed_agents_of_a_search_do_without_it() -> None:
    found = {
        name
        for name in seed_names()
        if any(COMPILER.search(text.encode()) for text in load_seed(name).values())
    }
    assert not found
