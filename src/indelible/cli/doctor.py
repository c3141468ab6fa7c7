"""indelible doctor"""

from typing import Annotated

import typer

from indelible.cli.command import FAILED, ConfigFile, Json, run
from indelible.cli.output import print_json, print_labelled
from indelible.diagnostics import Finding

Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="The store; a server may have it open. [INDELIBLE_STORE]"),
]
_STYLES = {"ok": "green", "notice": "yellow", "problem": "bold red"}


def doctor(*, store: Store = None, config: ConfigFile = None, json: Json = False) -> None:
    """Look for what is wrong, or soon will be, where a server runs.

    Settings, rights on files, file system and free space, SQLite, the settings of PostgreSQL or the nodes of Cassandra,
    clocks, open files, and whether brokers and the query index are reached. Nothing is changed. Run it as the user that
    the server runs as.

    Exit code 1 says that there is a problem; what is only a notice does not count.

    \b
    indelible doctor --config /etc/indelible/indelible.toml
    """
    run(_doctor(store, config, json))


async def _doctor(store: str | None, config: str | None, json: bool) -> None:
    from indelible.cli.examining import examine_all

    found = await examine_all(store, config)
    if json:
        print_json({"findings": found})
    else:
        for one in found:
            _print(one)
    if any(one.level == "problem" for one in found):
        raise typer.Exit(FAILED)


def _print(finding: Finding) -> None:
    print_labelled(f"{finding.level:<8}", _STYLES[finding.level], f"{finding.check}: {finding.message}")
    if finding.advice is not None:
        print_labelled(" " * 8, "", finding.advice, "dim")
