"""What of this host bubblewrap shows inside: the libraries of a CUDA build of torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from cambrian.errors import SandboxBroken
from cambrian.sandbox import tree


def _installed(site: Path, name: str, *required: str, file: str | None = None) -> None:
    """A package as pip leaves it."""
    info = site / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    needs = "".join(f"Requires-Dist: {each}\n" for each in required)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}")
    (info / "RECORD").write_text(f"{file},,\n" if file else "")
    if file:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text("")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site in which torch names most of its libraries through the extras of a package that
    holds nothing, as torch 2.13 does."""
    _installed(tmp_path, "torch", "cuda-toolkit[cufile]==1.0", "nvidia-cudnn-cu13", "sympy")
    _installed(
        tmp_path,
        "cuda-toolkit",
        'nvidia-cufile; extra == "cufile"',
        'nvidia-npp; extra == "npp"',
    )
    _installed(tmp_path, "nvidia-cufile", file="nvidia/cu13/lib/libcufile.so.0")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_libraries_named_through_extras_are_shown_and_no_others(site: Path) -> None:
    _installed(site, "nvidia-cudnn-cu13", file="nvidia/cudnn/lib/libcudnn.so.9")
    assert tree.cuda_packages() == ["cuda-toolkit", "nvidia-cudnn-cu13", "nvidia-cufile"]
    arguments = list(tree._cuda())
    for name in ("cu13", "cudnn"):
        at = arguments.index(str(site / "nvidia" / name))
        assert arguments[at - 1 : at + 2 : 2] == ["--ro-bind", f"/opt/site/nvidia/{name}"]


def test_a_missing_library_is_named(site: Path) -> None:
    with pytest.raises(SandboxBroken, match="pip install nvidia-cudnn-cu13"):
        list(tree._cuda())
