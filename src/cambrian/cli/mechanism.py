"""`cambrian mechanism`: what learners are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cambrian.cli.context import Shared, common, examples, json_option
from cambrian.cli.render.output import heading, note, say, show_fields, show_json, show_table

if TYPE_CHECKING:
    from cambrian.agents.catalogue import Mechanism
    from cambrian.reports.mechanisms import Idle, Uses

_SHOWN = ("role", "family", "class", "hooks", "kinds", "networks", "skeletons", "tags", "needs")


@click.group()
def mechanism() -> None:
    """Show the mechanisms: the parts from the literature that learners are made of."""


@mechanism.command("list", epilog=examples("cambrian mechanism list --role head"))
@click.option("--role", help="Only those of this role: network, memory, head and so on.")
@click.option("--family", help="Only those of this family: replay, regularisation and so on.")
@json_option
@common
@click.pass_obj
def list_mechanisms(shared: Shared, role: str | None, family: str | None, as_json: bool) -> None:
    """List the mechanisms with role, family and paper.

    Where there is an archive, also how often recombination has put each into a variant, and how
    many of these variants were admitted; and how many proposals could tell nothing new: tunes that
    moved no score, and changes that led to a structure made before.
    """
    from cambrian.agents.catalogue import catalogue
    from cambrian.agents.roles import FAMILIES, ROLES
    from cambrian.errors import NotFound

    for what, given, known in (("role", role, ROLES), ("family", family, FAMILIES)):
        if given is not None and given not in known:
            raise NotFound(f"expected a {what} of {', '.join(known)}; got {given!r}")
    counts = _uses(shared)
    items = [
        describe(found, counts)
        for found in catalogue().values()
        if role in (None, found.role) and family in (None, found.card["family"])
    ]
    wasted = _idle(shared)
    if as_json:
        show_json({"items": items, "truncated": False, "idle": wasted and wasted.to_json()})
        return
    headers = ["mechanism", "role", "family", "proposed", "admitted", "paper"]
    rows = [[item[header.replace("mechanism", "name")] for header in headers] for item in items]
    show_table(headers, [["-" if cell is None else cell for cell in row] for row in rows])
    if wasted is not None:
        note(str(wasted))


@mechanism.command(epilog=examples("cambrian mechanism show reservoir"))
@click.argument("name")
@json_option
@common
@click.pass_obj
def show(shared: Shared, name: str, as_json: bool) -> None:
    """Show the card of the mechanism NAME: paper, claim, what was measured, hooks and knobs."""
    from cambrian.agents.catalogue import mechanism as find
    from cambrian.agents.roles import ROLES

    found = find(name)
    item = describe(found, _uses(shared))
    if as_json:
        show_json(item)
        return
    role = ROLES[found.role]
    one = "one to a learner" if role.exclusive else "any number to a learner"
    show_fields(
        {
            "name": found.name,
            "title": item["title"],
            "paper": item["paper"],
            **{key: _text(item.get(key)) for key in _SHOWN},
            "role says": f"{role.says}; {one}",
            "proposed": item["proposed"],
            "admitted": item["admitted"],
        }
    )
    for key in ("claim", "measured"):
        heading(key.capitalize())
        say(click.wrap_text(str(item[key]) or "not yet", 88))
    if item["knobs"]:
        heading("Knobs")
        headers = ["knob", "default", "range", "type"]
        show_table(headers, [[k, *_knob(knob)] for k, knob in item["knobs"].items()])


def describe(found: Mechanism, counts: dict[str, Uses] | None) -> dict[str, Any]:
    """A mechanism's card with what came of it; None for the counts where there is no archive."""
    from cambrian.reports.mechanisms import Uses

    used = None if counts is None else counts.get(found.name, Uses())
    return {
        **found.to_json(),
        "proposed": None if used is None else used.proposed,
        "admitted": None if used is None else used.admitted,
    }


def _uses(shared: Shared) -> dict[str, Uses] | None:
    from cambrian.reports.mechanisms import uses

    if not (shared.archive / "archive.db").is_file():
        return None
    with shared.reading() as archive:
        return uses(archive)


def _idle(shared: Shared) -> Idle | None:
    from cambrian.reports.mechanisms import idle

    if not (shared.archive / "archive.db").is_file():
        return None
    with shared.reading() as archive:
        return idle(archive)


def _text(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _knob(knob: dict[str, Any]) -> list[str]:
    choices = knob.get("choices")
    bounds = ", ".join(map(str, choices)) if choices else " to ".join(map(str, knob["range"]))
    scale = f", {knob['scale']}" if "scale" in knob else ""
    return [str(knob["default"]), bounds + scale, str(knob["type"])]
