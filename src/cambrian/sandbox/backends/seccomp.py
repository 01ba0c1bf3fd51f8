"""What untrusted code may ask of the kernel, from one readable list (`seccomp.json`).

The list names what is allowed; all else fails with EPERM. It is in Docker's format but for
`one_of`, which stands for a rule per value. For bubblewrap libseccomp compiles it to the kernel's
own filter program (BPF).
"""

from __future__ import annotations

import errno
import json
import platform
import tempfile
from collections.abc import Iterator
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
    groups = [rule for group in loaded["syscalls"] for rule in _rules(group)]
    return loaded | {"syscalls": groups}


def _rules(group: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A group in Docker's words: as it is, or a rule for each value of its `one_of`."""
    allowed = group.get("one_of")
    if allowed is None:
        yield group
        return
    plain = {key: value for key, value in group.items() if key != "one_of"}
    for value in allowed["values"]:
        argument = {
            "index": allowed["index"],
            "value": allowed["mask"],
            "valueTwo": value,
            "op": "SCMP_CMP_MASKED_EQ",
        }
        yield plain | {"args": [*group.get("args", ()), argument]}


@cache
def docker_option(*, gpu: bool = False) -> str:
    """The profile as an entry of a container's `SecurityOpt`.

    Args:
        gpu: let every ioctl pass: the driver is asked through them, by numbers of its own.
    """
    rules = profile()
    if gpu:
        others = [group for group in rules["syscalls"] if "ioctl" not in group["names"]]
        free = {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW"}
        rules = rules | {"syscalls": [*others, free]}
    return "seccomp=" + json.dumps(rules, separators=(",", ":"))


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
