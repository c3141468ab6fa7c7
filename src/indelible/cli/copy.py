"""indelible copy"""

from typing import Annotated

import typer

from indelible.cli.command import Json, run

_From = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="URL",
        help="A server's URL, or a store's; a server may have it open meanwhile. Or a file that export wrote.",
    ),
]
_To = Annotated[str, typer.Option("--to", metavar="URL", help="A store's URL; no server may have it open.")]


def copy(*, source: _From, destination: _To, json: Json = False) -> None:
    """Copy a whole store into another, of any kind, exactly as it is.

    Positions, versions, timestamps, event ids and hashes stay what they are. Every event's hash is checked before it is
    copied, and at the end the copy is read back and verified. Snapshots are not copied.

    Run the same command again after an interruption, or when the source has grown: it goes on after what is there. So
    a move takes two runs: one while the source is in use, and a short one after its writers have stopped.

    Exit code 5 names damage, in the source or in the copy.

    \b
    indelible copy --from sqlite:data/indelible.db --to sqlite:other.db
    indelible copy --from http://127.0.0.1:8080 --to sqlite:copy.db
    """
    from indelible.cli.copying import copy_between

    run(copy_between(source, destination, json))
