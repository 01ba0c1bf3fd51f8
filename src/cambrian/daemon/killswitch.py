"""The kill switch: a file `STOP` in the archive's folder stops whatever runs there, at once.

It needs no socket and no event loop: a thread of its own looks for the file. First it asks the run
to stop now; where that does not end the process in time (the event loop hangs), it kills it. Either
way nothing that was recorded is lost. While the file is there nothing is started in that archive.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cambrian.errors import Refused

NAME = "STOP"
CONTROL = "control"
"""The folder of a control's archive inside the archive that it is the control of."""
LOOK_EVERY_S = 0.5
GRACE_S = 20.0
"""How long the run may take to drop what it does and end by itself."""


def is_set(archive: Path) -> bool:
    """Whether it is, here or (for a control's archive) in the archive around it."""
    around = archive.parent / NAME
    return (archive / NAME).exists() or (archive.name == CONTROL and around.exists())


def require_clear(archive: Path) -> None:
    """Raises Refused while the kill switch is set."""
    if is_set(archive):
        raise Refused(
            f"the kill switch of this archive is set: remove {archive / NAME} to let it run again"
        )


@contextmanager
def watch(
    archive: Path,
    stop: Callable[[], None],
    grace_s: float = GRACE_S,
    look_s: float = LOOK_EVERY_S,
) -> Iterator[None]:
    """Look for the file while the block runs.

    Args:
        stop: asks the run to stop now; called from another thread, once.
        grace_s: seconds after which the process is killed if the block still runs.
        look_s: seconds between looks.
    """
    over = threading.Event()
    thread = threading.Thread(
        target=_look, args=(archive, stop, grace_s, look_s, over), name="kill switch", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def interrupt() -> None:
    """What Ctrl-C does; a `stop` for work that no loop serves."""
    os.kill(os.getpid(), signal.SIGINT)


def _look(
    archive: Path,
    stop: Callable[[], None],
    grace_s: float,
    look_s: float,
    over: threading.Event,
) -> None:
    while not over.wait(look_s):
        try:
            found = is_set(archive)
        except OSError:  # a disk that fails: look again
            continue
        if found:
            stop()
            if not over.wait(grace_s):
                os.kill(os.getpid(), signal.SIGKILL)
            return
