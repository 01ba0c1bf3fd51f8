"""A real HTTP server on loopback that speaks the chat-completions protocol, well or badly."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[dict[str, Any]], "Reply"]


@dataclass
class Reply:
    """What the server sends: a status and a body, or nothing at all (`hang_up`).

    Attributes:
        drip_s: seconds between two bytes of the body.
    """

    status: int = 200
    body: bytes = b""
    hang_up: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    drip_s: float = 0.0

    @classmethod
    def saying(cls, text: str) -> Reply:
        """A well-formed answer of 11 tokens of prompt and 7 of completion, with this text."""
        message = {"role": "assistant", "content": text}
        return cls.of(
            {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": "scripted",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
            }
        )

    @classmethod
    def of(cls, payload: Any, status: int = 200) -> Reply:
        """Any JSON with any status."""
        return cls(status, json.dumps(payload).encode())


@dataclass
class Endpoint:
    """A running server: its address, and the requests it got."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def endpoint(
    script: Script, paths: list[str] | None = None, serves: str = ""
) -> Iterator[Endpoint]:
    """Serve `script` (from a request's JSON to the reply) on a free port of loopback, while the
    block runs.

    Args:
        paths: where the paths that were asked for are put. serves: the one path that there is; ""
            for any.
    """
    found: Endpoint

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(size))
            found.requests.append(request)
            found.headers.append({name.lower(): text for name, text in self.headers.items()})
            if paths is not None:
                paths.append(self.path)
            reply = script(request) if serves in ("", self.path) else Reply(404, b"not found")
            if reply.hang_up:
                return
            self.send_response(reply.status)
            for name, text in ({"Content-Type": "application/json"} | reply.headers).items():
                self.send_header(name, text)
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if not reply.drip_s:
                self.wfile.write(reply.body)
                return
            with contextlib.suppress(OSError):  # the other side will not wait for all of it
                for byte in reply.body:
                    time.sleep(reply.drip_s)
                    self.wfile.write(bytes([byte]))

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Endpoint(f"http://127.0.0.1:{server.server_port}/v1")
    # Looks often whether it is to stop: a test has many servers.
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
