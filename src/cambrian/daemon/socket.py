"""The control socket: `socket/control.sock` in the archive, for the archive's owner only.

One JSON object per connection and direction, each on a line: `{"verb": ..., "arguments": {...},
"dry_run": false}` is answered by `{"ok": true, "answer": TEXT, "data": {...}}` or by
`{"ok": false, "error": TEXT, "exit_code": 5}`. The folder has mode 0700, and whoever connects must
have our user id (or be root), as the kernel says.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

from cambrian.errors import CambrianError, Refused, Unreachable, UsageError

FOLDER, NAME = "socket", "control.sock"
MAX_REQUEST = 64 << 10
MAX_ANSWER = 8 << 20
PATIENCE_S = 10.0
ROOT = 0

Answer = Mapping[str, Any]
Answerer = Callable[[str, Mapping[str, Any], bool, str], Awaitable[Answer]]
"""Answers (verb, arguments, dry run, who asks); raises CambrianError to refuse."""


def folder(archive: Path) -> Path:
    """The folder in an archive that holds the socket, for its owner alone."""
    return archive / FOLDER


def prepare(archive: Path) -> Path:
    """Make the folder if it is not there, and make sure that it is ours alone.

    Raises:
        Refused: it is somebody else's, a link, or open to others and cannot be closed.
    """
    home = folder(archive)
    with suppress(FileExistsError):
        home.mkdir(mode=0o700)
    found = home.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise Refused(f"expected {home} to be a folder of ours for the control socket; remove it")
    if stat.S_IMODE(found.st_mode) != 0o700:
        home.chmod(0o700)
    return home


async def serve(
    archive: Path, answer: Answerer, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    """Listen until cancelled. The caller holds the archive's lock: an old socket is a dead one."""
    home = prepare(archive)
    path = home / NAME
    path.unlink(missing_ok=True)
    # Through the folder's descriptor: a socket's path may have 107 bytes, an archive's more.
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        address = f"/proc/self/fd/{descriptor}/{NAME}"
        listener = await anyio.create_unix_listener(address, mode=0o600)
        async with listener:
            task_status.started()

            async def handle(stream: anyio.abc.SocketStream) -> None:
                async with stream:
                    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                        with anyio.move_on_after(PATIENCE_S):
                            await _converse(stream, answer)

            await listener.serve(handle)
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


async def _converse(stream: anyio.abc.SocketStream, answer: Answerer) -> None:
    try:
        who = _peer(stream)
        request = await _request(stream)
        said = await answer(
            request["verb"], request["arguments"], bool(request.get("dry_run")), who
        )
        reply: Mapping[str, Any] = {"ok": True, **said}
    except CambrianError as error:
        reply = {"ok": False, "error": str(error), "exit_code": error.exit_code}
    await stream.send(json.dumps(reply).encode() + b"\n")


def _peer(stream: anyio.abc.SocketStream) -> str:
    """The user that asks, as the kernel says.

    Raises:
        Refused: it is neither us nor root.
    """
    raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - anyio's
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if not allowed(uid):
        raise Refused(f"this socket answers user {os.geteuid()} and root, not user {uid}")
    return f"user {uid}"


def allowed(uid: int) -> bool:
    """Whether a user may ask: the one that runs this process, and root."""
    return uid in (os.geteuid(), ROOT)


async def _request(stream: anyio.abc.SocketStream) -> dict[str, Any]:
    try:
        line = await BufferedByteReceiveStream(stream).receive_until(b"\n", MAX_REQUEST)
        request = json.loads(line)
    except (ValueError, RecursionError, anyio.IncompleteRead, anyio.DelimiterNotFound):
        raise UsageError("expected one JSON object on a line") from None
    sound = isinstance(request, dict) and isinstance(request.get("verb"), str)
    if not sound or not isinstance(request.get("arguments"), dict):
        raise UsageError('expected {"verb": TEXT, "arguments": {...}}')
    return dict(request)


def ask(
    archive: Path,
    verb: str,
    arguments: Mapping[str, Any] | None = None,
    *,
    dry_run: bool = False,
    patience_s: float = PATIENCE_S,
) -> dict[str, Any]:
    """Ask the process that runs in the archive.

    Raises:
        Unreachable: no process listens, or there was no answer in time.
        CambrianError: it was refused, with the exit code that its kind has.
    """
    request = {"verb": verb, "arguments": dict(arguments or {}), "dry_run": dry_run}
    try:
        descriptor = os.open(folder(archive), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise Unreachable(f"no process listens in {folder(archive)}") from None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as stream:
            stream.settimeout(patience_s)
            stream.connect(f"/proc/self/fd/{descriptor}/{NAME}")
            stream.sendall(json.dumps(request).encode() + b"\n")
            reply = json.loads(_line(stream))
    except (OSError, ValueError) as error:
        raise Unreachable(f"the process that runs in {archive} does not answer: {error}") from None
    finally:
        os.close(descriptor)
    if not reply.get("ok"):
        raise _refusal(reply)
    return dict(reply)


def _line(stream: socket.socket) -> bytes:
    parts: list[bytes] = []
    while not (parts and parts[-1].endswith(b"\n")):
        part = stream.recv(1 << 16)
        if not part or sum(map(len, parts)) > MAX_ANSWER:
            raise ValueError("its answer was cut off")
        parts.append(part)
    return b"".join(parts)


def _refusal(reply: Mapping[str, Any]) -> CambrianError:
    error = CambrianError(str(reply.get("error", "it was refused")))
    error.exit_code = int(reply.get("exit_code", 1))
    return error
