"""Agents as a `git fast-import` stream: one commit per agent, a pure function of the database.

The same agent gives the same bytes, and so the same commit hash, on every machine: author and
time zone are fixed, dates are the agent's in whole seconds, the tree is exactly its files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import BinaryIO

from cambrian.archive.records import Agent
from cambrian.text import neutralise

IMPORT_REF = "refs/cambrian/import"
IDENTITY = "Cambrian <cambrian@localhost>"


def write_text(stream: BinaryIO, mark: int, content: bytes) -> None:
    """Append a file's text: once, however many agents have it."""
    stream.write(b"blob\nmark :%d\n" % mark)
    _write_data(stream, content)


def write_commit(
    stream: BinaryIO, agent: Agent, files: Mapping[str, int], parents: Sequence[str]
) -> None:
    """Append an agent's commit, marked with its number.

    Args:
        files: the mark of the text by path, in order.
        parents: a mark (`:12`) or a commit hash for each parent, the primary one first.
    """
    when = f"{IDENTITY} {commit_date(agent)} +0000"
    # The reset makes a commit without `from` a root, instead of a child of the one before.
    head = [f"reset {IMPORT_REF}", f"commit {IMPORT_REF}", f"mark :{agent.number}"]
    head += [f"author {when}", f"committer {when}"]
    stream.write(("\n".join(head) + "\n").encode())
    _write_data(stream, message(agent).encode("utf-8", "replace"))
    for word, parent in zip(["from", *["merge"] * len(parents)], parents, strict=False):
        stream.write(f"{word} {parent}\n".encode())
    # With a `from`, the tree starts as the parent's; the agent's is exactly its files.
    stream.write(b"deleteall\n")
    for path, mark in files.items():
        stream.write(f"M 100644 :{mark} {path}\n".encode())


def write_sheaf(
    stream: BinaryIO, mark: int, leaves: Sequence[str], before: str | None, date: int
) -> None:
    """Append a commit with an empty tree that reaches many leaves, and the sheaf before it.

    Args:
        leaves: a mark or a commit for each, oldest first. date: in seconds since the epoch.
    """
    when = f"{IDENTITY} {date} +0000"
    head = [f"reset {IMPORT_REF}", f"commit {IMPORT_REF}", f"mark :{mark}"]
    head += [f"author {when}", f"committer {when}"]
    stream.write(("\n".join(head) + "\n").encode())
    _write_data(stream, b"%d leaves\n\nNo agent: it keeps these from being lost.\n" % len(leaves))
    parents = [*([before] if before else []), *leaves]
    for word, parent in zip(["from", *["merge"] * len(parents)], parents, strict=False):
        stream.write(f"{word} {parent}\n".encode())
    stream.write(b"deleteall\n")


def _write_data(stream: BinaryIO, content: bytes) -> None:
    stream.write(b"data %d\n" % len(content))
    stream.write(content)
    stream.write(b"\n")


def commit_date(agent: Agent) -> int:
    """When it joined the tree, in whole seconds since the epoch."""
    return int(agent.created_at if agent.decided_at is None else agent.decided_at)


def message(agent: Agent) -> str:
    """The commit message: title, hypothesis, and trailers that git understands.

    A seed has no score here: its score is set after it was committed, and a commit never changes.
    """
    title = " ".join(neutralise(agent.title).split()) or "(no title)"
    hypothesis = neutralise(agent.hypothesis.replace("\r\n", "\n")).strip()
    trailers = [f"Agent: {agent.id}", f"Number: {agent.number}", f"Kind: {agent.kind}"]
    if agent.kind != "seed" and agent.score is not None:
        trailers.append(f"Score: {agent.score:.6f}")
    parts = [title, hypothesis, "\n".join(trailers)]
    return "\n\n".join(part for part in parts if part) + "\n"
