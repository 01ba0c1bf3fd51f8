"""What the cards of all families say."""

from __future__ import annotations

from cambrian.evaluators.benchmarks.base import Card

NAMED = (
    "Over most streams lies a veil (contrast turned, a glare of eight patterns). Labels are "
    "renamed for each seed, and so are the places of values that have no spatial meaning; "
    "`cambrian bench show NAME --seed K` prints what seed K draws."
)
STATE = (
    "The state allowed is three times what the reference agent holds, and that is far more than a "
    'tenth of the distinct inputs: see "What the limits can ask for" on this page.'
)
REFERENCE = "None published: streams of our own."


def card(task: str, origin: str, hidden: str, floor: str, ceiling: str, shortcuts: str) -> Card:
    """A family's card: what its streams have in common."""
    return Card(
        task,
        f"{origin}. {NAMED}",
        hidden,
        f"{floor} On that very stream.",
        f"{ceiling} On that very stream.",
        f"{shortcuts} {STATE}",
        REFERENCE,
    )
