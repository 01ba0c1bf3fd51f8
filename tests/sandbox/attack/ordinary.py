"""Run something as an ordinary user, whoever runs the tests.

As root: as nobody, with a home of its own, and in a mount namespace in which the interpreter and
this checkout can be reached even where they lie in a private folder (`/root`).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534
ROOT = Path(__file__).parents[3]


def run(arguments: list[str], home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS...` from the top of this checkout."""
    given = {"HOME": str(home), "TMPDIR": str(home), "PATH": "/usr/bin:/bin", **environment}
    command = [sys.executable, *arguments]
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
        script = "\n".join(["set -e", *_reachable(), shlex.join(["exec", *become, *command])])
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
    return subprocess.run(
        command, cwd=ROOT, env=given, capture_output=True, text=True, timeout=280, check=False
    )


def _reachable() -> Iterator[str]:
    """Shell lines: what is needed and lies behind a folder that others may not enter is put in
    front of it again, read by everybody."""
    places = {Path(sys.base_prefix), Path(sys.prefix), ROOT}
    behind: dict[Path, list[Path]] = {}
    for place in sorted(path.resolve() for path in places):
        closed = [p for p in place.parents if not p.stat().st_mode & 0o001]
        if closed:
            behind.setdefault(closed[-1], []).append(place)
    for door, found in behind.items():
        for number, place in enumerate(found):
            aside = f"/mnt/{number}"
            yield (
                f"mount -t tmpfs tmpfs /mnt && mkdir -p {aside}"
                if not number
                else (f"mkdir -p {aside}")
            )
            yield f"mount --bind {shlex.quote(str(place))} {aside}"
        yield f"mount -t tmpfs -o mode=755 tmpfs {shlex.quote(str(door))}"
        for number, place in enumerate(found):
            yield f"mkdir -p {shlex.quote(str(place))}"
            yield f"mount --move /mnt/{number} {shlex.quote(str(place))}"
