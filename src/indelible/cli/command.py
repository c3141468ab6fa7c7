"""What every command is made of: options that several share, the store that they name, running it, its exit codes.

Imports nothing heavy: an HTTP client and a database take longer to import than most commands take to run.
"""

import asyncio
import functools
import inspect
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Concatenate, Final, NamedTuple, ParamSpec

import msgspec
import typer

from indelible.cli.output import note
from indelible.cursors import Cursor
from indelible.diagnostics import StoreDiagnostics
from indelible.errors import (
    Conflict,
    IndelibleError,
    IndexNotReady,
    InvalidRequest,
    NotFound,
    OutcomeUnknown,
    PayloadTooLarge,
    StorageFailure,
    StoreLocked,
    Unavailable,
)
from indelible.eventstore import EventStore
from indelible.groups import Start, StartPoint
from indelible.limits import REQUEST_SIZE_BYTES_MAX
from indelible.server.config import load_settings
from indelible.store_urls import scheme_of

# --- Exit codes ------------------------------------------------------------------------------------------------------

# 74 and 75 are EX_IOERR and EX_TEMPFAIL of sysexits.h; 130 and 141 are what shells show for SIGINT and SIGPIPE.
OK: Final = 0
FAILED: Final = 1
"""Any other error; also an import that could not store every line."""
USAGE: Final = 2
"""The command line, a setting or the input is not what is allowed. Nothing was stored."""
CONFLICT: Final = 3
"""The store's state forbids the append. Nothing was stored."""
NOT_FOUND: Final = 4
DAMAGED: Final = 5
"""verify, copy or restore found an event that is not as it was written."""
STORAGE: Final = 74
"""A disk or file returned an error."""
TRY_AGAIN: Final = 75
"""The store is out of reach, busy or locked, or it is unknown whether the append is stored. Try again later."""
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
"""The reader of the output has gone, as after ``| head``."""

_OF_ERRORS: Final = (
    (InvalidRequest, USAGE),
    (Conflict, CONFLICT),
    (NotFound, NOT_FOUND),
    (StorageFailure, STORAGE),
    ((Unavailable, IndexNotReady, OutcomeUnknown, StoreLocked), TRY_AGAIN),
)


def exit_code_of(error: IndelibleError) -> int:
    return next((code for kinds, code in _OF_ERRORS if isinstance(error, kinds)), FAILED)


def with_hint(error: Any, hint: str) -> Any:
    return type(error)(f"{error.message}; {hint}", **error.fields)


# --- Arguments and options -------------------------------------------------------------------------------------------

AggregateType = Annotated[str, typer.Argument(help='What kind of thing, such as "order".')]
AggregateId = Annotated[str, typer.Argument(help="Which one of them.")]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="A server, such as http://127.0.0.1:8080. [INDELIBLE_URL]")
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="A local store, such as sqlite:data/indelible.db. [INDELIBLE_STORE]"),
]
ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="A TOML file with settings. [INDELIBLE_CONFIG, ./indelible.toml]"),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and errors as JSON problem documents.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Stop after N.")]
EventTypes = Annotated[
    list[str] | None,
    typer.Option("--event-type", metavar="TYPE", help="Only this type; of many given, any."),
]
AggregateTypes = Annotated[
    list[str] | None,
    typer.Option("--aggregate-type", metavar="TYPE", help="Only this type; of many given, any."),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag; of many given, all.")]
Beginning = Annotated[Start | None, typer.Option(help="Begin with the log's first event, or with what comes.")]
BeginAfter = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", help="Begin after this cursor; a position is one.")
]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Begin with the first event from then on; RFC 3339.")]


def parse_time(text: str | None, pointer: str) -> datetime | None:
    if text is None:
        return None
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise InvalidRequest(
            f"must be a time with a time zone, such as 2026-01-31T12:00:00Z, not {text!r}", pointer=pointer
        ) from None


def start_point(start: Start | None, after: str | None, since: str | None) -> StartPoint:
    return StartPoint(start, None if after is None else Cursor.parse(after), parse_time(since, "/since"))


def argument_bytes(text: str, pointer: str) -> bytes:
    """An argument; "-" stands for stdin."""
    if text == "-":
        return _stdin_bytes(pointer)
    # Bytes of the command line that are not UTF-8 come as surrogates; they go on as they are, to be refused by name.
    return text.encode("utf-8", "surrogateescape")


def _stdin_bytes(pointer: str) -> bytes:
    data = sys.stdin.buffer.read(REQUEST_SIZE_BYTES_MAX + 1)
    if not data:
        raise InvalidRequest("stdin is empty", pointer=pointer)
    if len(data) > REQUEST_SIZE_BYTES_MAX:
        raise PayloadTooLarge(
            f"stdin holds more than {REQUEST_SIZE_BYTES_MAX} bytes",
            pointer=pointer, size_bytes_max=REQUEST_SIZE_BYTES_MAX,
        )  # fmt: skip
    return data


# --- The store -------------------------------------------------------------------------------------------------------


class Target(NamedTuple):
    """A server by its URL, or a store on this machine by its store URL."""

    url: str
    is_server: bool

    @classmethod
    def chosen(cls, url: str | None, store: str | None, config: str | None) -> "Target":
        """The one that flags, environment and configuration file name together."""
        if url is not None and store is not None:
            raise InvalidRequest("give --url of a server or --store of a local store, not both", pointer="/url")
        loaded = load_settings({"url": url, "store": store}, config_file=config)
        server = loaded.url_for_commands
        return cls(loaded.settings.store, False) if server is None else cls(server, True)


@asynccontextmanager
async def open_store(
    target: Target, *, read_only: bool, retry_total_s: float = 2.0, searched: bool = False
) -> AsyncIterator[EventStore]:
    """The store itself. ``read_only`` works beside a server that has the store open. ``retry_total_s`` is how long a
    server may be out of reach. ``searched``: with the query index that is beside the store."""
    store: EventStore
    warnings_of: StoreDiagnostics | None = None
    if target.is_server:
        from indelible.client.async_client import AsyncClient

        store = AsyncClient(target.url, retry_total_s=retry_total_s)
    else:
        from indelible.core.open import open_local_store

        store = local = open_local_store(target.url, read_only=read_only and scheme_of(target.url) != "memory")
        # A server has told its own log.
        warnings_of = local if read_only else None
        if searched:
            from indelible.indexes.beside import with_index_beside

            store = with_index_beside(local, target.url)
    try:
        async with store:
            for warning in () if warnings_of is None else warnings_of.warnings:
                note(f"indelible: warning: {warning}")
            yield store
    except StoreLocked as error:
        hint = f"{error.message}; if that is a server, give its URL with --url instead of --store"
        raise StoreLocked(hint, **error.fields) from None


# --- Running ---------------------------------------------------------------------------------------------------------

_P = ParamSpec("_P")


def on_store(command: Callable[Concatenate[Target, _P], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The function that typer takes for a command which works on a :class:`Target`: it has --url, --store and --config
    in its place, before --json, and runs the command to its end.

    A command that reads from stdin does so before it gives its coroutine: Ctrl-C does not end such a read within one.
    """

    @functools.wraps(command)
    def run_on_store(
        *args: Any, url: str | None = None, store: str | None = None, config: str | None = None, **options: Any
    ) -> None:
        run(command(Target.chosen(url, store, config), *args, **options))

    given = [*inspect.signature(command).parameters.values()][1:]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in (("url", Url), ("store", Store), ("config", ConfigFile))
    ]
    place = len(given) - (bool(given) and given[-1].name == "json")
    parameters = [*given[:place], *added, *given[place:]]
    run_on_store.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    run_on_store.__annotations__ = {one.name: one.annotation for one in parameters}
    return run_on_store


def run(doing: Coroutine[Any, Any, None]) -> None:
    """Run to the end. Errors and :class:`typer.Exit` pass through.

    A command that a shell has started with SIGINT ignored, as in the background of a script, goes on ignoring it: it
    was not meant. Commands that are services, ``serve`` and ``group consume``, stop at SIGINT whatever they inherited.
    """
    try:
        asyncio.run(doing)
        sys.stdout.flush()
    except BrokenPipeError:
        drop_unwritable_output()
        raise typer.Exit(BROKEN_PIPE) from None


def drop_unwritable_output() -> None:
    """Forget what stdout does not take: it would raise again at every flush, the interpreter's last one included."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
