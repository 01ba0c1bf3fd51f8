"""The wheelhouse: torch, numpy and what they need, as wheels for the sandbox image.

The image is built without a network; this is where its packages come from. They are downloaded
once with pip, for Python 3.11 on Linux (what the image holds), in the versions that are installed
on this side, so that the trusted side and the learner compute with the same numpy and torch.

Where torch comes from is pip's own business (its configuration, its environment variables);
`CAMBRIAN_TORCH_INDEX` names one more index to look in, such as PyTorch's own for CPU builds.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cambrian import places
from cambrian.errors import Unreachable, UsageError

IMAGE_PYTHON = (3, 11)
PACKAGES = ("torch", "numpy")
TORCH_INDEX = "CAMBRIAN_TORCH_INDEX"
MANIFEST = "wheels.json"
DOWNLOAD_S = 3600.0

# Debian 12 has glibc 2.36; older tags run on it too.
_GLIBC_MINORS = range(36, 16, -1)

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Wheelhouse:
    """A folder of wheels that nobody changes once it is there.

    Attributes:
        folder: where the wheels lie, with a manifest beside them.
        hashes: sha256 of every wheel, by file name.
    """

    folder: Path
    hashes: dict[str, str]

    def version(self, package: str) -> str:
        """The version of a package in it. Raises `UsageError` when it is not there."""
        for name in self.hashes:
            distribution, version = name.split("-")[:2]
            if distribution == package:
                return version
        raise UsageError(
            f"expected a wheel of {package} in {self.folder}, found {sorted(self.hashes)}; "
            "remove the folder and build again"
        )


def find() -> Wheelhouse | None:
    """The wheelhouse for the installed torch and numpy, if it was made before.

    Raises:
        UsageError: torch or numpy is not installed on this side.
    """
    return _load(_folder(requirements()))


def make(progress: Progress) -> Wheelhouse:
    """The wheelhouse for the installed torch and numpy, downloaded if need be.

    Raises:
        UsageError: torch, numpy or pip is not installed on this side.
        Unreachable: pip could not download them.
    """
    wanted = requirements()
    folder = _folder(wanted)
    return _load(folder) or _download(wanted, folder, progress)


def requirements() -> tuple[str, ...]:
    """What is installed here, as pip requirements for the image's Python.

    On another Python than the image's, this numpy may have no wheel for it: then the newest that
    has one, and is not newer than ours.
    """
    same_python = sys.version_info[:2] == IMAGE_PYTHON
    return (
        f"torch=={_installed('torch')}",
        f"numpy{'==' if same_python else '<='}{_installed('numpy')}",
    )


def file_sha256(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(
            f"expected {package} to be installed beside Cambrian, to know which version the "
            "sandbox image needs; it is not. Install Cambrian with its dependencies"
        ) from None


def _folder(wanted: tuple[str, ...]) -> Path:
    key = hashlib.sha256("\n".join((*wanted, platform.machine())).encode()).hexdigest()[:16]
    return places.cache() / "wheelhouse" / key


def _load(folder: Path) -> Wheelhouse | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        hashes = {str(name): str(entry["sha256"]) for name, entry in manifest.items()}
        sizes = {str(name): int(entry["bytes"]) for name, entry in manifest.items()}
        whole = all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Wheelhouse(folder, hashes) if whole and hashes else None


def _download(wanted: tuple[str, ...], folder: Path, progress: Progress) -> Wheelhouse:
    if importlib.util.find_spec("pip") is None:
        raise UsageError(
            f"expected pip in {sys.prefix} to download the image's wheels with; it is not there. "
            f"Install it: {sys.executable} -m ensurepip"
        )
    progress(f"downloading {', '.join(wanted)} and what they need (about 220 MB for CPU, once)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
    try:
        _pip_download(wanted, fresh)
        wheels = sorted(fresh.glob("*.whl"))
        manifest = {
            wheel.name: {"sha256": file_sha256(wheel), "bytes": wheel.stat().st_size}
            for wheel in wheels
        }
        (fresh / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True))
        fresh.chmod(0o755)
        made = _install(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    progress(f"wheelhouse made: {len(wheels)} wheels in {folder}")
    return made


def _install(fresh: Path, folder: Path) -> Wheelhouse:
    """Put a finished folder in its place; one that another process finished first is as good."""
    if folder.exists() and _load(folder) is None:
        shutil.rmtree(folder)
    try:
        fresh.rename(folder)
    except OSError:
        if _load(folder) is None:
            raise
    made = _load(folder)
    if made is None:
        raise Unreachable(
            f"expected a whole wheelhouse in {folder}, and it vanished; build the image again"
        )
    return made


def _pip_download(wanted: tuple[str, ...], into: Path) -> None:
    # pip itself goes along: a pip wheel runs as it is, so that the base image needs none.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:"]
    command += ["--dest", str(into), *_target(), *_extra_index(), *wanted, "pip"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=DOWNLOAD_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(
            f"expected pip to download {', '.join(wanted)} within {DOWNLOAD_S:.0f} s; it did not. "
            "Look at the network, and build the image again"
        ) from None
    if done.returncode != 0:
        said = "\n".join(done.stderr.strip().splitlines()[-6:])
        raise Unreachable(
            f"expected pip to download {', '.join(wanted)} for the sandbox image; it ended with "
            f"{done.returncode}:\n{said}\nLook at the network and pip's configuration; for a "
            f"build of torch that is on an index of its own, set {TORCH_INDEX} to that index"
        )


def _extra_index() -> list[str]:
    index = os.environ.get(TORCH_INDEX)
    return ["--extra-index-url", index] if index else []


def _target() -> list[str]:
    """Options for pip where this Python or system is not the image's."""
    if sys.version_info[:2] == IMAGE_PYTHON and sys.platform == "linux":
        return []
    machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    version = "".join(map(str, IMAGE_PYTHON))
    options = ["--python-version", version, "--implementation", "cp", "--abi", f"cp{version}"]
    options += ["--abi", "abi3", "--abi", "none"]
    for minor in _GLIBC_MINORS:
        options += ["--platform", f"manylinux_2_{minor}_{machine}"]
    return [*options, "--platform", f"manylinux2014_{machine}", "--platform", "any"]
