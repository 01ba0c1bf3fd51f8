"""What untrusted code may ask of the kernel, from one readable list (`seccomp.json`).

The list is in Docker's format and names what is allowed; all else fails with EPERM. Docker takes
it as it is; for bubblewrap libseccomp compiles it to the kernel's own filter program (BPF).
"""

from __future__ import annotations

import errno
import json
import platform
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from cambrian.errors import SandboxBroken

PROFILE = Path(__file__).with_name("seccomp.json")
_MACHINES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


@cache
def profile() -> dict[str, Any]:
    """The list, in Docker's format."""
    loaded: dict[str, Any] = json.loads(PROFILE.read_text("utf-8"))
    return loaded


@cache
def docker_option() -> str:
    """The profile as an entry of a container's `SecurityOpt`."""
    return "seccomp=" + json.dumps(profile(), separators=(",", ":"))


@cache
def program() -> bytes:
    """The profile as the BPF program that bubblewrap's `--seccomp` takes.

    Raises:
        SandboxBroken: libseccomp is missing, or this kind of processor is not on the list.
    """
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        raise SandboxBroken(
            f"expected libseccomp (package libseccomp2) for a system call filter: {error}"
        ) from None
    if platform.machine() not in _MACHINES:
        known = ", ".join(_MACHINES)
        raise SandboxBroken(f"expected a processor of {known}, got {platform.machine()}")
    rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    for group in profile()["syscalls"]:
        for name in group["names"]:
            _add(pyseccomp, rules, name, group)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _add(library: Any, rules: Any, name: str, group: dict[str, Any]) -> None:
    """Add one rule; a call that this libseccomp or processor does not have stays forbidden."""
    number = library.resolve_syscall(library.Arch.NATIVE, name)
    if number < 0:
        return
    action = library.ALLOW
    if group["action"] == "SCMP_ACT_ERRNO":
        action = library.ERRNO(int(group["errnoRet"]))
    rules.add_rule(action, number, *(_condition(library, arg) for arg in group.get("args", ())))


def _condition(library: Any, arg: dict[str, Any]) -> Any:
    if arg["op"] == "SCMP_CMP_MASKED_EQ":
        return library.Arg(arg["index"], library.MASKED_EQ, arg["value"], arg["valueTwo"])
    return library.Arg(arg["index"], library.EQ, arg["value"])
