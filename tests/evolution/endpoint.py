"""A real HTTP server on loopback that speaks the chat-completions protocol, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Script = Callable[[dict[str, Any]], "Reply"]


@dataclass
class Reply:
    """What the server sends: a status and a body, or nothing at all (`hang up`)."""

    status: int = 200
    body: bytes = b""
    hang_up: bool = False

    @classmethod
    def saying(cls, text: str) -> Reply:
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
        return cls(status, json.dumps(payload).encode())


@dataclass
class Endpoint:
    """A running server: its address, and the requests it got."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def endpoint(script: Script) -> Iterator[Endpoint]:
    """Serve `script` on loopback while the block runs."""
    found: Endpoint

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            request = json.loads(self.rfile.read(size))
            found.requests.append(request)
            reply = script(request)
            if reply.hang_up:
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Endpoint(f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
