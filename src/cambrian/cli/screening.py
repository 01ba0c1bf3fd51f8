"""`cambrian experiment screen`: what plain sampling is expected to give, from a pilot."""

from __future__ import annotations

from pathlib import Path

import click

from cambrian.cli.context import common, examples, json_option
from cambrian.cli.render.output import say, show_json
from cambrian.errors import UsageError


@click.command(
    epilog=examples(
        "cambrian --archive pilot run --suite continual --selection random --judged 20",
        "cambrian experiment screen --from pilot",
        "cambrian experiment screen --from archive --pilot 40 --ceiling best --json",
    )
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    required=True,
    metavar="ARCHIVE",
    help="The archive that the pilot was run in, or any other with variants of seed agents.",
)
@click.option(
    "--pilot",
    type=click.IntRange(8, 10_000),
    default=20,
    show_default=True,
    metavar="N",
    help="Take its first N judged variants that come of seed agents alone.",
)
@click.option(
    "--ceiling",
    default="1",
    show_default=True,
    metavar="X",
    help="The score at which nothing is left to gain; best: that of the archive's champion.",
)
@json_option
@common
def screen(source: Path, pilot: int, ceiling: str, as_json: bool) -> None:
    """Estimate what plain sampling would give, before a long run is paid for.

    From a pilot of independent proposals: the expected gain of the best of 25, 100 and 500 judged
    variants over the best seed agent, with an interval, and its share of the gain that is left. If
    sampling already gives most of that, an archive can add little. What is assumed is said below
    the table: above all, that the better half of scores falls off as a normal distribution does.
    """
    from cambrian.archive import Archive
    from cambrian.experiments import screening

    with Archive.open(source, read_only=True) as archive:
        found = screening.pilot_of(archive, pilot)
        champion = archive.champion()
    if ceiling == "best":
        top = champion.score if champion is not None and champion.score is not None else 1.0
    else:
        try:
            top = float(ceiling)
        except ValueError:
            raise UsageError(f"expected --ceiling as a number or best, got {ceiling!r}") from None
    result = screening.screen(found, top)
    if as_json:
        show_json({"assumes": dict(screening.ASSUMES), **result.to_json()})
    else:
        say(screening.markdown(result))
