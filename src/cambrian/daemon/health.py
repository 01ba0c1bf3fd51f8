"""`/metrics`, `/healthz` and `/readyz` over HTTP on loopback, and on nothing else.

`/healthz` says whether the event loop turns (503 if it did not for a minute: restart it),
`/readyz` whether work is being done (503 with the reason while the engine, the endpoint or the
storage is down). `/metrics` is in Prometheus' text format. Only GET, no body is ever read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.abc
from anyio.abc import SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream

from cambrian.errors import CambrianError, Unreachable

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from cambrian.daemon.status import AskStatus, Work

LOOPBACK = "127.0.0.1"
MAX_HEAD = 16 << 10
PATIENCE_S = 5.0
STALE_S = 60.0

Page = tuple[int, str, str]
"""Status, content type, text."""

PLAIN = "text/plain; charset=utf-8"
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed"}


async def serve(port: int, status: AskStatus, *, task_status: anyio.abc.TaskStatus[int]) -> None:
    """Listen on loopback until cancelled; gives the port.

    Raises:
        Unreachable: the port is taken.
    """
    try:
        listener = await anyio.create_tcp_listener(local_host=LOOPBACK, local_port=port)
    except OSError as error:
        raise Unreachable(f"cannot listen on {LOOPBACK}:{port}: {error}") from error
    async with listener:
        task_status.started(listener.extra(SocketAttribute.local_port))  # noqa: S610 - anyio's

        async def handle(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                    with anyio.move_on_after(PATIENCE_S):
                        await stream.send(_response(*await _page(stream, status)))

        await listener.serve(handle)


async def _page(stream: anyio.abc.SocketStream, status: AskStatus) -> Page:
    try:
        head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", MAX_HEAD)
        method, path, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ", 2)
    except (ValueError, anyio.IncompleteRead, anyio.DelimiterNotFound):
        return 400, PLAIN, "expected an HTTP request\n"
    if method != "GET":
        return 405, PLAIN, "only GET\n"
    return page(path.partition("?")[0], status)


def page(path: str, status: AskStatus) -> Page:
    """What is found at a path."""
    if path == "/healthz":
        idle_s = status(whole=False).idle_s
        fine = idle_s < STALE_S
        return 200 if fine else 503, PLAIN, "ok\n" if fine else f"idle for {idle_s:.0f} s\n"
    if path == "/readyz":
        found = status(whole=False)
        return 200 if found.ready else 503, PLAIN, found.state + "\n"
    if path == "/metrics":
        try:
            return 200, *exposition(status)
        except (CambrianError, sqlite3.Error, OSError) as error:  # the run pauses by itself
            return 503, PLAIN, f"the archive cannot be read: {error}\n"
    return 404, PLAIN, "there are /metrics, /healthz and /readyz\n"


def _response(status: int, kind: str, text: str) -> bytes:
    body = text.encode()
    reason = REASONS.get(status, "Service Unavailable")
    head = (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def exposition(status: AskStatus) -> tuple[str, str]:
    """Content type and text of every metric, now."""
    from prometheus_client.core import CollectorRegistry
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

    class Collector:
        def collect(self) -> Iterator[Metric]:
            yield from metrics(status)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(registry).decode()


def metrics(status: AskStatus) -> Iterator[Metric]:
    """Everything that is worth a graph; names and units as Prometheus wants them."""
    from prometheus_client.core import CounterMetricFamily as Counter
    from prometheus_client.core import GaugeMetricFamily as Gauge

    found = status()
    yield Gauge("cambrian_up_seconds", "Since this process began.", value=found.uptime_s)
    yield Gauge("cambrian_ready", "Whether work is being done.", value=float(found.ready))
    yield Gauge("cambrian_workers", "Evaluation processes.", value=found.workers)
    paused = Gauge("cambrian_paused", "Whether the run pauses, by reason.", labels=["reason"])
    for reason in ("asked", "engine", "endpoint", "storage"):
        paused.add_metric([reason], float(reason in found.paused))
    yield paused
    yield Counter("cambrian_run_seconds", "Time of the run, pauses apart.", value=found.wall_s)
    if found.work is not None:
        yield from _work(found.work)


def _work(work: Work) -> Iterator[Metric]:
    """What the archive says."""
    from prometheus_client.core import CounterMetricFamily as Counter
    from prometheus_client.core import GaugeMetricFamily as Gauge

    counts = work.counts
    proposals = Gauge("cambrian_proposals", "Proposals, by state.", labels=["state"])
    for state in ("open", "proposed", "ready", "admitted", "rejected", "duplicate", "invalid"):
        proposals.add_metric([state], counts[state])
    for state in ("failed_smoke", "parked"):
        proposals.add_metric([state], counts[state])
    yield proposals
    evaluations = Counter("cambrian_evaluations", "Evaluations, by verdict.", labels=["verdict"])
    for verdict in ("scored", "failed", "broken"):
        evaluations.add_metric([verdict], counts[f"evaluations_{verdict}"])
    yield evaluations
    yield Gauge("cambrian_members", "Agents in the tree.", value=counts["members"])
    jobs = Gauge("cambrian_jobs", "Jobs, by state.", labels=["state"])
    for state, count in work.jobs.items():
        jobs.add_metric([state], count)
    yield jobs
    yield Gauge(
        "cambrian_approvals_waiting", "Decisions that wait for a person.", value=work.approvals
    )
    spent = Gauge("cambrian_budget_spent", "What was used of each limit.", labels=["limit"])
    limit = Gauge("cambrian_budget_limit", "Each limit that there is.", labels=["limit"])
    for one in work.budget:
        spent.add_metric([one["name"]], one["spent"])
        if one["limit"] is not None:
            limit.add_metric([one["name"]], one["limit"])
    yield spent
    yield limit
    progress = Gauge("cambrian_progress", "Whether the run finds more.", labels=["state"])
    for state in ("rising", "flat", "exhausted"):
        progress.add_metric([state], float(work.progress == state))
    yield progress
    if work.champion is not None:
        yield Gauge("cambrian_champion_score", "The champion's mean score.", value=work.champion)
