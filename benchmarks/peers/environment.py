"""Environments of their own for the libraries that we are held against.

They want other versions than ours of much that we use, so each has a virtual environment in the
user's cache, made once, and its programs (in this folder) run in a process of their own.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import platformdirs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
PACKAGES = {
    "avalanche": ("avalanche-lib==0.6.0",),
    "rliable": ("rliable==1.2.0", "pandas<3"),  # its statsmodels does not know pandas 3
}


class NoEnvironment(Exception):
    """A peer cannot be had here; the message says why."""


def python_of(peer: str) -> Path:
    """The Python of a peer's environment, made now if it is not there.

    Raises:
        NoEnvironment: pip could not install it.
    """
    folder = Path(platformdirs.user_cache_dir("cambrian")) / "peers" / _folder(peer)
    python, done = folder / "bin" / "python", folder / "installed"
    if not done.exists():
        print(f"making an environment for {peer} (minutes)", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        install: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "-c",
            CONSTRAINTS,
            *PACKAGES[peer],
        ]
        made = subprocess.run(install, capture_output=True, text=True)
        if made.returncode:
            made = subprocess.run(
                [part for part in install if part not in ("-c", CONSTRAINTS)],
                capture_output=True,
                text=True,
            )
        if made.returncode:
            raise NoEnvironment(made.stderr.strip().splitlines()[-1])
        done.touch()
    return python


def _folder(peer: str) -> str:
    return "-".join(re.sub(r"[^\w.=]", "", package) for package in PACKAGES[peer])


def run(peer: str, program: str, arguments: Sequence[str] = ()) -> str:
    """Standard output of a program of this folder, in the peer's environment.

    Raises:
        NoEnvironment: the peer cannot be installed, or its program failed.
    """
    command = [str(python_of(peer)), str(HERE / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise NoEnvironment((done.stderr.strip() or "no output").splitlines()[-1])
    return done.stdout
