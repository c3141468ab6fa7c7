"""What every command is made of: options that several share, the store that they name, running it, its exit codes.

Imports nothing heavy: an HTTP client and a database take longer to import than most commands take to run.
"""

import asyncio
import functools
import inspect
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Concatenate, Final, NamedTuple, ParamSpec, TypedDict, TypeVar, Unpack

import typer
from typer.core import TyperGroup

from indelible.cli.completion import (
    complete_aggregate_ids,
    complete_aggregate_types,
    complete_contexts,
    complete_event_types,
)
from indelible.cli.contexts import load_with_context
from indelible.cli.output import note, note_outage, note_return
from indelible.cli.times import TIME_HELP, parse_time
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
    Unauthenticated,
    Unavailable,
)
from indelible.eventstore import EventStore
from indelible.groups import Start, StartPoint
from indelible.limits import REQUEST_SIZE_BYTES_MAX
from indelible.server.config import Settings
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
"""verify, backup, export, copy or restore found an event that is not as it was written."""
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


_Error = TypeVar("_Error", bound=IndelibleError)


def exit_code_of(error: IndelibleError) -> int:
    return next((code for kinds, code in _OF_ERRORS if isinstance(error, kinds)), FAILED)


def with_hint(error: _Error, hint: str) -> _Error:
    return type(error)(f"{error.message}; {hint}", **error.fields)


# --- Groups of commands ----------------------------------------------------------------------------------------------


class CommandGroup(TyperGroup):
    """Its help lists commands with all of their first sentence: Typer's own cuts it off where a line ends."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as Typer calls it
        rows = [(name, one.get_short_help_str(sys.maxsize)) for name, one in self.commands.items() if not one.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


# --- Arguments and options -------------------------------------------------------------------------------------------

AggregateType = Annotated[
    str, typer.Argument(help='What kind of thing, such as "order".', autocompletion=complete_aggregate_types)
]
AggregateId = Annotated[str, typer.Argument(help="Which one of them.", autocompletion=complete_aggregate_ids)]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="A server, such as http://127.0.0.1:8080. [INDELIBLE_URL]")
]
Store = Annotated[
    str | None,
    typer.Option("--store", metavar="URL", help="A local store, such as sqlite:data/indelible.db. [INDELIBLE_STORE]"),
]
ContextName = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        help='A server by its name in "indelible context list". [INDELIBLE_CONTEXT]',
        autocompletion=complete_contexts,
    ),
]
ConfigFile = Annotated[
    str | None,
    typer.Option("--config", metavar="FILE", help="A TOML file with settings. [INDELIBLE_CONFIG, ./indelible.toml]"),
]
TlsCa = Annotated[
    str | None,
    typer.Option("--tls-ca", metavar="FILE", help="Certificates to trust of a server over TLS. [INDELIBLE_TLS_CA]"),
]
TlsCertificate = Annotated[
    str | None,
    typer.Option("--tls-certificate", metavar="FILE", help="One to show the server. [INDELIBLE_TLS_CERTIFICATE]"),
]
TlsKey = Annotated[str | None, typer.Option("--tls-key", metavar="FILE", help="Its key. [INDELIBLE_TLS_KEY]")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and errors as JSON problem documents.")]
Pretty = Annotated[bool, typer.Option("--pretty", help="For each event several lines, with its JSON laid out.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Stop after N.")]
EventTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--event-type", metavar="TYPE", help="Only this type; of many given, any.", autocompletion=complete_event_types
    ),
]
AggregateTypes = Annotated[
    list[str] | None,
    typer.Option(
        "--aggregate-type",
        metavar="TYPE",
        help="Only this type; of many given, any.",
        autocompletion=complete_aggregate_types,
    ),
]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="Only with this tag; of many given, all.")]
Beginning = Annotated[Start | None, typer.Option(help="Begin with the log's first event, or with what comes.")]
BeginAfter = Annotated[
    str | None, typer.Option("--after", metavar="CURSOR", help="Begin after this cursor; a position is one.")
]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help=f"Begin with the first event from then on: {TIME_HELP}.")
]
OnlySince = Annotated[str | None, typer.Option("--since", metavar="TIME", help=f"Only from then on: {TIME_HELP}.")]
OnlyUntil = Annotated[str | None, typer.Option("--until", metavar="TIME", help="Only before then; likewise.")]


def start_point(start: Start | None, after: str | None, since: str | None) -> StartPoint:
    return StartPoint(start, None if after is None else Cursor.parse(after), parse_time(since, "/since"))


@contextmanager
def naming_files(pointer: str) -> Iterator[None]:
    """Where files are opened that the command line names: what is not there is a mistake in it, not the disk's."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise InvalidRequest(f"cannot open {error.filename}: {error.strerror}", pointer=pointer) from None


def open_named(file: Path, pointer: str) -> IO[bytes]:
    """A file that the command line names, to be read, for its caller to close; see :func:`naming_files`."""
    with naming_files(pointer):
        return file.open("rb")


def argument_bytes(text: str, pointer: str) -> bytes:
    """An argument; "-" stands for stdin."""
    if text == "-":
        return _stdin_bytes(pointer)
    # Bytes of the command line that are not UTF-8 come as surrogates; they go on as they are, to be refused by name.
    return text.encode("utf-8", "surrogateescape")


def file_bytes(file: str, pointer: str) -> bytes:
    """What a file holds that the command line names; "-" stands for stdin."""
    if file == "-":
        return _stdin_bytes(pointer)
    with open_named(Path(file), pointer) as opened:
        return _bounded(opened, file, pointer)


def _stdin_bytes(pointer: str) -> bytes:
    return _bounded(sys.stdin.buffer, "stdin", pointer)


def _bounded(source: IO[bytes], name: str, pointer: str) -> bytes:
    data = source.read(REQUEST_SIZE_BYTES_MAX + 1)
    if not data:
        raise InvalidRequest(f"{name} is empty", pointer=pointer)
    if len(data) > REQUEST_SIZE_BYTES_MAX:
        raise PayloadTooLarge(
            f"{name} holds more than {REQUEST_SIZE_BYTES_MAX} bytes",
            pointer=pointer, size_bytes_max=REQUEST_SIZE_BYTES_MAX,
        )  # fmt: skip
    return data


# --- The store -------------------------------------------------------------------------------------------------------


class ServerFlags(TypedDict, total=False):
    """What flags say of the way to a server, by the names of its settings."""

    tls_ca: str | None
    tls_certificate: str | None
    tls_key: str | None
    token: str | None


class Target(NamedTuple):
    """A server by its URL, or a store on this machine by its store URL."""

    url: str
    is_server: bool
    server: ServerFlags = ServerFlags()
    """What a client of the server is made with, beside its URL."""
    named_by: str = ""
    """What named it: a flag, a variable, a file, "context NAME", or "default"."""

    def __repr__(self) -> str:
        return f"Target({self.url!r})"

    @classmethod
    def chosen(
        cls,
        url: str | None,
        store: str | None,
        config: str | None,
        context: str | None = None,
        **flags: Unpack[ServerFlags],
    ) -> "Target":
        """The one that flags, environment, configuration file and contexts name together."""
        if sum(one is not None for one in (url, store, context)) > 1:
            message = "give one of --url of a server, --context of one, and --store of a local store, not both"
            raise InvalidRequest(message, pointer="/url")
        loaded = load_with_context({"url": url, "store": store, **flags}, config_file=config, context=context)
        server = loaded.url_for_commands
        if server is None:
            return cls(loaded.settings.store, False, named_by=loaded.sources["store"].name)
        return cls(server, True, server_flags(loaded.settings), loaded.sources["url"].name)

    def explained(self, error: IndelibleError) -> IndelibleError:
        """An error about the place, for someone who did not name it on the command line and may wonder."""
        if self.named_by.startswith("context "):
            return with_hint(error, f"{self.named_by} names {self.url}; see: indelible context list")
        if self.named_by == "default":
            return with_hint(error, "name a store with --store, or a server with --url or --context")
        return error


def server_flags(settings: Settings) -> ServerFlags:
    return {
        "tls_ca": settings.tls_ca, "tls_certificate": settings.tls_certificate, "tls_key": settings.tls_key,
        "token": settings.token,
    }  # fmt: skip


@asynccontextmanager
async def open_store(
    target: Target, *, read_only: bool, retry_total_s: float | None = 2.0, searched: bool = False
) -> AsyncIterator[EventStore]:
    """The store itself. ``read_only`` works beside a server that has the store open. ``retry_total_s`` is how long a
    server may be out of reach; None: for ever, and people are told of it. ``searched``: with the query index that is
    beside the store."""
    with _explaining(target):
        store, warnings_of = _store_of(target, read_only=read_only, retry_total_s=retry_total_s, searched=searched)
        async with store:
            for warning in () if warnings_of is None else warnings_of.warnings:
                note(f"indelible: warning: {warning}")
            yield store


def _store_of(
    target: Target, *, read_only: bool, retry_total_s: float | None, searched: bool
) -> tuple[EventStore, StoreDiagnostics | None]:
    """The store, and whoever has warnings about it that nobody has told yet."""
    if target.is_server:
        from indelible.client.async_client import AsyncClient

        on_lost, on_back = (note_outage, note_return) if retry_total_s is None else (None, None)
        client = AsyncClient(target.url, retry_total_s=retry_total_s, on_lost=on_lost, on_back=on_back, **target.server)
        # A server has told its own log.
        return client, None
    from indelible.core.open import open_local_store

    local = open_local_store(target.url, read_only=read_only and scheme_of(target.url) != "memory")
    warnings_of = local if read_only else None
    if searched:
        from indelible.indexes.beside import with_index_beside

        return with_index_beside(local, target.url), warnings_of
    return local, warnings_of


@contextmanager
def _explaining(target: Target) -> Iterator[None]:
    try:
        yield
    except StoreLocked as error:
        raise with_hint(error, "if that is a server, give its URL with --url instead of --store") from None
    except (Unavailable, Unauthenticated) as error:
        raise target.explained(error) from None
    except InvalidRequest as error:
        raise (target.explained(error) if error.pointer == "/store" else error) from None


_OF_TARGET: Final = (
    ("url", Url),
    ("store", Store),
    ("context", ContextName),
    ("config", ConfigFile),
    ("tls_ca", TlsCa),
    ("tls_certificate", TlsCertificate),
    ("tls_key", TlsKey),
)
"""The options that name a target."""

# --- Running ---------------------------------------------------------------------------------------------------------

_P = ParamSpec("_P")


def on_store(command: Callable[Concatenate[Target, _P], Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The function that typer takes for a command which works on a :class:`Target`, and runs it to its end; see
    :func:`with_target`.

    A command that reads from stdin does so before it gives its coroutine: Ctrl-C does not end such a read within one.
    """

    @functools.wraps(command)
    def run_on_store(*args: Any, **options: Any) -> None:
        run(command(*args, **options))

    return with_target(run_on_store)


def with_target(command: Callable[Concatenate[Target, _P], None]) -> Callable[..., None]:
    """The function that typer takes for a command which works on a :class:`Target`: it has the options that say which
    in its place, before --json."""

    @functools.wraps(command)
    def run_on_store(*args: Any, **options: Any) -> None:
        places = {name: options.pop(name, None) for name in ("url", "store", "config", "context")}
        flags: Any = {name: options.pop(name, None) for name in ServerFlags.__annotations__}
        command(Target.chosen(**places, **flags), *args, **options)

    given = [*inspect.signature(command).parameters.values()][1:]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in _OF_TARGET
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
