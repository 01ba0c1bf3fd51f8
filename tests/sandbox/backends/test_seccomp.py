"""The system call filter, call by call, in a process of its own."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
import tempfile
from typing import Any

import pyseccomp
import pytest

from cambrian.sandbox.backends import seccomp

# Loads the program in file 3 as the kernel's filter, then says what each call returned.
CALLER = """
import ctypes, json, os, sys
class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("program", ctypes.c_char_p)]
rules = open(3, "rb").read()
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Filter(len(rules) // 8, rules)), 0, 0) == 0
found = []
for number, *arguments in json.loads(sys.argv[1]):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, arguments))
    found.append(ctypes.get_errno() if result == -1 else 0)
print(json.dumps(found))
"""
PLACE = 0x1000
NAMESPACES = {
    "CLONE_NEWNS": 0x20000,
    "CLONE_NEWCGROUP": 0x2000000,
    "CLONE_NEWUTS": 0x4000000,
    "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}
INSIDE = """
import ctypes, math
class Improver:
    def improve(self, evidence, ask):
        libc = ctypes.CDLL(None, use_errno=True)
        found = []
        for number, *arguments in evidence["calls"]:
            ctypes.set_errno(0)
            result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_ulong, arguments))
            found.append(ctypes.get_errno() if result == -1 else 0)
        return {"errors": found}
"""
TRAINS = """
import torch, threading
class Improver:
    def improve(self, evidence, ask):
        layers = [torch.nn.Linear(64, 8) for _ in range(3)]
        def train(layer):  # a layer each: torch does not guard one that two threads train
            step = torch.optim.Adam(layer.parameters())
            for _ in range(5):
                step.zero_grad()
                layer(torch.randn(32, 64)).square().mean().backward()
                step.step()
        threads = [threading.Thread(target=train, args=(layer,)) for layer in layers]
        for each in threads: each.start()
        for each in threads: each.join()
        finite = all(bool(layer.weight.isfinite().all()) for layer in layers)
        return {"finite": finite, "threads": len(threads)}
"""
USES = """
import os, select, signal, socket, subprocess, sys, tempfile, threading, time
subprocess.run([sys.executable, "-c", "pass"], check=True)
thread = threading.Thread(target=time.sleep, args=(0.01,)); thread.start(); thread.join()
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
with tempfile.TemporaryDirectory() as folder:
    open(folder + "/f", "w").write("x"); os.rename(folder + "/f", folder + "/g"); os.stat(folder)
poll = select.epoll(); poll.register(a, select.EPOLLIN); poll.close()
signal.setitimer(signal.ITIMER_REAL, 0)
import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.nice(1); os.urandom(4)
print("used")
"""


def _run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryFile() as rules:
        rules.write(seccomp.program())
        rules.seek(0)
        opened = f"import os; os.dup2({rules.fileno()}, 3)\n"
        return subprocess.run(
            [sys.executable, "-c", opened + script, *arguments],
            pass_fds=[rules.fileno()],
            capture_output=True,
            text=True,
            timeout=60,
        )


def _under_filter(script: str, *arguments: str) -> str:
    done = _run(script, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _errors(calls: list[list[int]]) -> list[int]:
    found: list[int] = json.loads(_under_filter(CALLER, json.dumps(calls)))
    return found


def _number(name: str) -> int:
    return int(pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name))


def _allowed() -> dict[str, Any]:
    return {name: group for group in seccomp.profile()["syscalls"] for name in group["names"]}


def _known() -> dict[int, str]:
    """Every call that this libseccomp has a name for."""
    found: dict[int, str] = {}
    for number in range(512):
        try:
            found[number] = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, number).decode()
        except ValueError:
            continue
    return found


def test_every_call_that_is_not_on_the_list_is_refused() -> None:
    refused = {number: name for number, name in _known().items() if name not in _allowed()}
    assert len(refused) > 120, "there is something to refuse"
    errors = _errors([[number, 0, 0, 0, 0, 0, 0] for number in refused])
    assert {
        name: error for name, error in zip(refused.values(), errors, strict=True) if error != 1
    } == {}


@pytest.mark.parametrize(
    "name",
    [
        *("ptrace", "process_vm_readv", "process_vm_writev", "keyctl", "add_key", "request_key"),
        *("io_uring_setup", "userfaultfd", "bpf", "perf_event_open", "mount"),
        *("io_uring_enter", "io_uring_register", "umount2", "open_tree", "fsconfig", "fsmount"),
        *("fspick", "mount_setattr", "finit_module", "delete_module", "kexec_file_load"),
        *("preadv2", "mincore", "fadvise64", "setxattr", "utimensat", "pidfd_send_signal"),
        *("fsopen", "move_mount", "pivot_root", "chroot", "setns", "unshare", "open_by_handle_at"),
        *("shmget", "semget", "msgget", "mq_open", "memfd_create", "pidfd_getfd", "kcmp", "syslog"),
        *("init_module", "kexec_load", "reboot", "swapon", "quotactl", "sync", "personality"),
        *("sched_setscheduler", "ioprio_set", "process_madvise", "mknodat", "seccomp", "vmsplice"),
        *("utime", "utimes", "utimensat", "futimesat", "setxattr", "inotify_init1"),
    ],
)
def test_a_dangerous_call_is_not_on_the_list(name: str) -> None:
    assert name not in _allowed()
    assert _number(name) >= 0, "and it is a real one"


def test_conditional_calls_pass_with_the_right_arguments_only() -> None:
    calls = {
        "inet socket": ([_number("socket"), 2, 1, 0], 1),
        "netlink socket": ([_number("socket"), 16, 3, 0], 1),
        "vsock socket": ([_number("socket"), 40, 1, 0], 1),
        "packet socket": ([_number("socket"), 17, 3, 0], 1),
        "cryptography socket": ([_number("socket"), 38, 5, 0], 1),
        "inet6 socket": ([_number("socket"), 10, 1, 0], 1),
        "pair of inet sockets": ([_number("socketpair"), 2, 1, 0, 0], 1),
        "local socket with a bit too many": ([_number("socket"), 1 | 1 << 32, 1, 0], 1),
        "local socket": ([_number("socket"), 1, 1, 0], 0),
        "clone of a user namespace": ([_number("clone"), 0x10000011, 0, 0, 0, 0], 1),
        "clone of a network namespace": ([_number("clone"), 0x40000011, 0, 0, 0, 0], 1),
        **{
            f"clone with {name}": ([_number("clone"), flag | 0x11, 0, 0, 0, 0], 1)
            for name, flag in NAMESPACES.items()
        },
        "clone to the parent": ([_number("clone"), 0x8011, 0, 0, 0, 0], 1),
        "clone with a descriptor": ([_number("clone"), 0x1011, 0, 0, 0, 0], 1),
        "huge pages of the machine": ([_number("mmap"), 0, 4096, 0, 0x40022, 0, 0], 1),
        "memory of its own": ([_number("mmap"), 0, 4096, 0, 0x22, 2**64 - 1, 0], 0),
        "to choose what is read ahead": ([_number("madvise"), 0, 0, 1], 1),
        "names that others looked up": ([_number("openat2"), 0, 0, 0, 0], 38),
        "read ahead": ([_number("madvise"), 0, 0, 3], 1),
        "size of a pipe": ([_number("fcntl"), 0, 1032, 0], 1),
        "clone3": ([_number("clone3"), 0, 0], 38),
        "limits of another": ([_number("prlimit64"), 1, 7, 0, 0], 1),
        "limits of its own": ([_number("prlimit64"), 0, 7, 0, 0], 0),
        "affinity of another": ([_number("sched_setaffinity"), 1, 0, 0], 1),
        "a processor of its choice": ([_number("sched_setaffinity"), 0, 0, 0], 1),
        "priority of another": ([_number("setpriority"), 0, 1, 19], 1),
        "priority of a user": ([_number("setpriority"), 2, 0, 19], 1),
        "a wait that another process may end": ([_number("futex"), PLACE, 0, 7, 0, 0, 0], 11),
        "a masked wait of that kind": ([_number("futex"), PLACE, 9, 7, 0, 0, 1], 11),
        "a wait of that kind, by the real clock": ([_number("futex"), PLACE, 265, 7, 0, 0, 1], 11),
        "to requeue such": ([_number("futex"), PLACE, 3, 1, 0, PLACE, 0], 1),
        "to lock such": ([_number("futex"), PLACE, 6, 1, 0, 0, 0], 1),
        "several waits": ([_number("futex_waitv"), 0, 0, 0, 0, 0], 1),
        "the clock of process 1": ([_number("clock_gettime"), 2**64 - 14, 0], 1),
        "its resolution": ([_number("clock_getres"), 2**64 - 14, 0], 1),
        "sleep by it": ([_number("clock_nanosleep"), 2**32 - 14, 0, 0, 0], 1),
        "a timer by it": ([_number("timer_create"), 2**64 - 14, 0, 0], 1),
        "the processor's time of its own": ([_number("clock_getres"), 2, 0], 0),
        "a lock on a file": ([_number("flock"), 0, 5], 1),
        **{
            f"fcntl {command}": ([_number("fcntl"), 0, command, 0], 1)
            for command in (5, 6, 7, 8, 9, 10, 11, 36, 37, 38, 1024, 1025, 1026, 1031, 1033)
        },
        "flags of a descriptor": ([_number("fcntl"), 0, 1 | 1 << 32, 0], 0),
        "flags of a file": ([_number("ioctl"), 0, 0x40086602, 0], 1),
        "to type into a terminal": ([_number("ioctl"), 0, 0x5412, 0], 1),
        "which pages are cold": ([_number("madvise"), 0, 0, 20], 1),
        "page memory out": ([_number("madvise"), 0, 0, 21], 1),
        "merge memory": ([_number("madvise"), 0, 0, 12], 1),
        "memory is not needed": ([_number("madvise"), 0, 0, 4], 0),
        "cookie of a socket": ([_number("getsockopt"), 0, 1, 57, 0, 0], 1),
        "memory of sockets": ([_number("getsockopt"), 0, 1, 55, 0, 0], 1),
        "an option of internet sockets": ([_number("setsockopt"), 0, 6, 1, 0, 0], 1),
        "credentials of who is there": ([_number("getsockopt"), 0, 1, 17, 0, 0], 1),
        "a group of processors": ([_number("prctl"), 62, 1, 0, 0, 0], 1),
        "memory to be merged": ([_number("prctl"), 67, 1, 0, 0, 0], 1),
        "what the machine does": ([_number("sysinfo"), 0], 1),
    }
    errors = _errors([call for call, _ in calls.values()])
    assert dict(zip(calls, errors, strict=True)) == {
        name: want for name, (_, want) in calls.items()
    }


def test_what_a_learner_needs_works() -> None:
    assert "used" in _under_filter(CALLER.split("found = []")[0] + USES)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="there is no other table elsewhere")
def test_the_calls_of_another_architecture_are_no_way_around() -> None:
    script = (
        CALLER.split("found = []")[0] + "libc.syscall(0x40000000 + 41, 2, 1, 0); print('reached')"
    )
    done = _run(script)
    assert done.returncode == -signal.SIGSYS, "the kernel ends the process"
    assert "reached" not in done.stdout


def test_docker_takes_the_same_list() -> None:
    kind, _, text = seccomp.docker_option().partition("=")
    assert kind == "seccomp"
    listed = json.loads(seccomp.PROFILE.read_text())
    for rules in (json.loads(text), seccomp.profile()):
        assert rules["defaultAction"] == listed["defaultAction"] == "SCMP_ACT_ERRNO"
        assert not any("one_of" in rule for rule in rules["syscalls"]), "Docker knows no such word"
        ours = [rule for rule in listed["syscalls"] for _ in _values(rule)]
        assert [rule["names"] for rule in rules["syscalls"]] == [rule["names"] for rule in ours]


def _values(rule: dict[str, Any]) -> list[int]:
    return rule["one_of"]["values"] if "one_of" in rule else [0]


def test_with_a_gpu_the_driver_may_be_asked_and_nothing_else_changes() -> None:
    plain, free = (
        json.loads(seccomp.docker_option(gpu=gpu).partition("=")[2])["syscalls"]
        for gpu in (False, True)
    )
    assert [rule for rule in plain if rule["names"] != ["ioctl"]] == free[:-1]
    assert free[-1] == {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW"}


def _inside(lender: Any, improver: str, evidence: dict[str, Any]) -> dict[str, Any]:
    session = lender.session()
    session.install({"improver.py": improver})
    with session.job("improver") as channel:
        edit: dict[str, Any] = channel.improve(evidence, lambda _: "")
    return edit


def test_the_same_calls_are_refused_inside_a_real_session(walled: Any) -> None:
    """By Docker, which compiles the list itself, as by bubblewrap, which gets our program."""
    refused = {number: name for number, name in _known().items() if name not in _allowed()}
    calls = [[number, 0, 0, 0, 0, 0, 0] for number in refused]
    errors = _inside(walled, INSIDE, {"calls": calls})["errors"]
    assert {n: e for n, e in zip(refused.values(), errors, strict=True) if e not in (1, 38)} == {}
    families = [[_number("socket"), family, 1, 0, 0, 0, 0] for family in (2, 10, 16, 17, 38, 40)]
    spaces = [[_number("clone"), flag | 0x11, 0, 0, 0, 0, 0] for flag in NAMESPACES.values()]
    clone3 = [[_number("clone3"), 0, 0, 0, 0, 0, 0]]
    errors = _inside(walled, INSIDE, {"calls": [*families, *spaces, *clone3]})["errors"]
    assert errors == [1] * (len(families) + len(spaces)) + [38]


def test_training_with_threads_works_inside(walled: Any) -> None:
    assert _inside(walled, TRAINS, {}) == {"finite": True, "threads": 3}
