"""Why a run pauses, and waiting until it does not.

A run pauses because a person asked, or because something that it needs is down: the sandbox's
engine, the model's endpoint. While it pauses nothing new is begun and its time does not count;
what is under way is finished. It goes on when no reason is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

Reason = Literal["asked", "engine", "endpoint"]


class Pauses:
    """The reasons a run has to pause, each with a text for people.

    Args:
        changed: called with the reason and its text when one comes, and with "" when it goes.
        clock: seconds that never go back.
    """

    def __init__(self, changed: Callable[[Reason, str], None], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = changed
        self._texts: dict[Reason, str] = {}
        self._since: dict[Reason, float] = {}

    def __bool__(self) -> bool:
        return bool(self._texts)

    def __contains__(self, reason: Reason) -> bool:
        return reason in self._texts

    def set(self, reason: Reason, text: str) -> None:
        """Pause for a reason; the text of one that is there already is brought up to date."""
        new = reason not in self._texts
        self._texts[reason] = text
        self._since.setdefault(reason, self._clock())
        if new:
            self._changed(reason, text)

    def update(self, reason: Reason, text: str) -> None:
        """Say better why, if it is a reason."""
        if reason in self._texts:
            self._texts[reason] = text

    def lift(self, reason: Reason) -> None:
        """The reason is gone."""
        if self._texts.pop(reason, None) is None:
            return
        self._since.pop(reason, None)
        self._changed(reason, "")

    def lasted_s(self, reason: Reason) -> float:
        """For how long it has been a reason; 0 if it is none."""
        began = self._since.get(reason)
        return 0.0 if began is None else self._clock() - began

    def texts(self) -> dict[str, str]:
        """What to tell a person, by reason."""
        return {str(reason): text for reason, text in self._texts.items()}
