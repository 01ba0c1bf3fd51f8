"""What bubblewrap shows of this host's packages: torch as pip brings it, with CUDA or without."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from cambrian.errors import SandboxBroken
from cambrian.sandbox.backends import mounts


def _package(site: Path, name: str, files: list[str], needs: list[str]) -> None:
    """As pip leaves one behind."""
    for file in files:
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_bytes(b"")
    info = site / f"{name.replace('-', '_')}-9.dist-info"
    info.mkdir()
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: 9"]
    (info / "METADATA").write_text("\n".join(lines + [f"Requires-Dist: {each}" for each in needs]))
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in [*files, "../../bin/tool"]))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CUDA build of torch, ahead of the one that is really here."""
    kit = 'cuda-toolkit[blas]==9; platform_system == "Linux"'
    _package(
        tmp_path,
        "torch",
        ["torch/__init__.py"],
        [kit, "triton==9", "sympy", "nvidia-x>1; python_version < '3'"],
    )
    _package(
        tmp_path,
        "cuda-toolkit",
        [],
        ['nvidia-blas==9; extra == "blas"', 'nvidia-fft; extra == "fft"'],
    )
    _package(tmp_path, "nvidia-blas", ["nvidia/blas/lib/libblas.so", "nvidia/__init__.py"], [])
    _package(tmp_path, "triton", ["triton/__init__.py", "triton/_C/lib.so"], [])
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    return tmp_path


def test_the_libraries_of_a_cuda_build_are_shown_with_it(site: Path) -> None:
    assert mounts.cuda_packages() == ["cuda-toolkit", "nvidia-blas", "triton"]
    shown = mounts.bind_arguments()
    for part in ("nvidia/blas", "triton"):
        at = shown.index(f"/opt/site/{part}", shown.index(str(site / part)))
        assert shown[at - 2 : at] == ["--ro-bind", str(site / part)]
    assert not any("bin/tool" in word or ".dist-info" in word for word in shown)


def test_one_that_is_missing_is_named_at_once(site: Path) -> None:
    (site / "nvidia_blas-9.dist-info" / "METADATA").unlink()
    (site / "nvidia_blas-9.dist-info" / "RECORD").unlink()
    (site / "nvidia_blas-9.dist-info").rmdir()
    importlib.invalidate_caches()
    with pytest.raises(
        SandboxBroken, match=r"CUDA build, and nvidia-blas.*pip install nvidia-blas"
    ):
        mounts.bind_arguments()
