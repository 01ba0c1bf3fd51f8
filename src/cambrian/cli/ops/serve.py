"""`cambrian serve`: the page."""

from __future__ import annotations

from pathlib import Path

import click

from cambrian.cli.context import Shared, common, examples
from cambrian.cli.render.output import note, say

PORT = 8600


@click.command(
    epilog=examples(
        "cambrian serve",
        "cambrian serve runs/monday runs/tuesday --port 0",
        "CAMBRIAN_SERVE_TOKEN=$(openssl rand -hex 24) cambrian serve --host 0.0.0.0",
    )
)
@click.argument("archives", nargs=-1, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    help="The port; 0 takes any free one.",
)
@click.option(
    "--token",
    envvar="CAMBRIAN_SERVE_TOKEN",
    show_envvar=True,
    metavar="TEXT",
    help="What opens the page's buttons, and on another address than loopback the page itself. "
    "[default: a new one at each start]",
)
@common
@click.pass_obj
def serve(
    shared: Shared, archives: tuple[Path, ...], host: str, port: int, token: str | None
) -> None:
    """Show the archive, or ARCHIVES, as a page in the browser.

    What runs, the tree, each agent, comparisons, what was spent. The page reads and never holds
    a run back. Pausing, approving and the like need the token of the address that is printed.
    Loopback only, unless --host says otherwise; then reading needs the token too. See docs/page.md.
    """
    from cambrian.web.serving import serve as run

    def ready(at: int, secret: str) -> None:
        name = f"[{host}]" if ":" in host else host
        say(f"http://{name}:{at}/?token={secret}")
        note("Ctrl-C ends it; the run goes on without it")

    run(archives or (shared.archive,), host, port, token, ready)
