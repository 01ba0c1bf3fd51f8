"""Who may import whom, beyond what import-linter's contracts say (pyproject.toml)."""

from __future__ import annotations

import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

import cambrian


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports for type checking and those inside functions included."""
    graph = grimp.build_graph("cambrian", cache_dir=None)
    assert len(graph.modules) > 100
    imports = {one: graph.find_modules_directly_imported_by(one) for one in graph.modules}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(" imported by ".join(error.args[1]))


def test_the_package_imports_nothing_until_it_is_asked() -> None:
    code = (
        "import sys, cambrian\n"
        "print(sorted(name for name in sys.modules if name.startswith('cambrian.')))\n"
        "print(cambrian.__version__, cambrian.open.__module__)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == ["[]", f"{cambrian.__version__} cambrian.archive.reader"]


def test_what_the_package_does_not_have_is_missing() -> None:
    assert {"open", "__version__"} <= set(dir(cambrian))
    with pytest.raises(AttributeError, match="no attribute 'shut'"):
        cambrian.shut  # type: ignore[attr-defined]  # noqa: B018
