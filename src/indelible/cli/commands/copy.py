"""indelible copy"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from indelible.cli.exit_codes import DAMAGED
from indelible.cli.options import Json
from indelible.cli.output import note, print_error, print_fields, print_json
from indelible.cli.progress import progress
from indelible.cli.running import run
from indelible.core.copy import CopyReport, copy_log, verify_copy
from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.errors import InvalidRequest, StoreCorrupted
from indelible.eventstore import EventStore

_From = Annotated[
    str,
    typer.Option("--from", metavar="URL", help="A server's URL, or a store's; a server may have it open meanwhile."),
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
    run(_copy(source, destination, json))


async def _copy(source_url: str, destination_url: str, json: bool) -> None:
    if source_url == destination_url:
        raise InvalidRequest("is the same store as --from", pointer="/to")
    try:
        async with _source(source_url) as source:
            # When it is not there, no destination comes into being.
            await source.head()
            async with _destination(destination_url) as destination:
                report = await _copy_and_verify(source, destination)
            missing = await source.find_missing_end() if isinstance(source, LocalEventStore) else None
    except StoreCorrupted as error:
        print_error(error, as_json=json)
        raise typer.Exit(DAMAGED) from None
    _print(report, json)
    if missing is not None:
        note(f"indelible: all that is there was copied, but the source is incomplete: {missing[1]}")
        raise typer.Exit(DAMAGED)


async def _copy_and_verify(source: EventStore, destination: LocalEventStore) -> CopyReport:
    with progress("copying") as advance:
        report = await copy_log(source, destination, on_progress=advance)
    with progress("verifying") as advance:
        await verify_copy(destination, report, on_progress=advance)
    return report


def _source(url: str) -> EventStore:
    with _naming("/from"):
        if not _is_server(url):
            return _local_store(url, read_only=True)
        from indelible.client.async_client import AsyncClient

        return AsyncClient(url, retry_total_s=10)


def _destination(url: str) -> LocalEventStore:
    with _naming("/to"):
        if _is_server(url):
            raise InvalidRequest(
                "must be a store, not a server, which gives events positions and timestamps of its own. Stop it, and "
                "name its store"
            )
        return _local_store(url, read_only=False)


@contextmanager
def _naming(pointer: str) -> Iterator[None]:
    """Errors name the option, and not what the URL is called elsewhere."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(error.message, pointer=pointer) from None


def _is_server(url: str) -> bool:
    return url.partition(":")[0].lower() in {"http", "https"}


def _local_store(url: str, *, read_only: bool) -> LocalEventStore:
    if url == "memory:":
        raise InvalidRequest("memory: is empty when the command begins, and gone when it ends")
    return open_local_store(url, read_only=read_only)


def _print(report: CopyReport, json: bool) -> None:
    if json:
        print_json(report)
        return
    print_fields(
        [
            ("result", "ok"),
            ("copied", report.copied),
            ("already there", report.already_there),
            ("head", report.head),
            ("hash", report.hash),
        ]
    )
    if report.behind:
        note(f"{report.behind} more events came into the source meanwhile; run the same command again to copy them")
