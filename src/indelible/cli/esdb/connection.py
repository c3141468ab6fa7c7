"""The other side of a move: a server of KurrentDB or EventStoreDB, or another Indelible with the same API, as
``import --from`` and ``export --to`` reach it.

Its client is kurrentdbclient, which the extra ``kurrentdb`` brings. It blocks, so calls go to threads.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from indelible.cli.command import naming_files
from indelible.errors import (
    Forbidden,
    IndelibleError,
    InternalError,
    InvalidRequest,
    PayloadTooLarge,
    Unauthenticated,
    Unavailable,
)
from indelible.store_urls import scheme_of

if TYPE_CHECKING:
    from kurrentdbclient import KurrentDBClient

SCHEMES: Final = ("esdb", "kurrentdb", "kdb")
EXTRA: Final = "kurrentdb"
READ_IN_ONE_THREAD: Final = ("SingleThreadedUnaryStream", 1)
"""Of grpcio: whoever iterates over an answer receives its messages too, and no thread of their own hands them over. So
reading takes a third of the time."""


def is_esdb_url(url: str) -> bool:
    """Whether it names such a server; nothing is said about the rest of it."""
    return scheme_of(url).removesuffix("+discover") in SCHEMES


@asynccontextmanager
async def connected(url: str, pointer: str) -> AsyncIterator["KurrentDBClient"]:
    """A client of the server, for as long as the context is open. Errors about the URL have the ``pointer``. Raises
    ``InvalidRequest``, also where kurrentdbclient is not installed, and ``Unavailable`` where a cluster is not found.
    """
    if not is_esdb_url(url):
        raise InvalidRequest("must be like esdb://HOST:2113 or kurrentdb://HOST:2113", pointer=pointer)
    try:
        from kurrentdbclient import KurrentDBClient
    except ImportError as missing:
        raise InvalidRequest.of_extra(EXTRA, missing, pointer=pointer) from None
    with naming_files(pointer), explaining(url):
        try:
            client = await asyncio.to_thread(_connect, KurrentDBClient, url)
        except ValueError as error:
            raise InvalidRequest(str(error).replace(url, shown_url(url)), pointer=pointer) from None
    try:
        yield client
    finally:
        await asyncio.to_thread(client.close)


def _connect(make: "Callable[[str], KurrentDBClient]", url: str) -> "KurrentDBClient":
    client = make(url)
    client.grpc_options += (READ_IN_ONE_THREAD,)
    client.reconnect()
    return client


def shown_url(url: str) -> str:
    """Without the password, and without what follows the address."""
    address = urlsplit(url).netloc.rpartition("@")[2]
    return f"{scheme_of(url)}://{address}"


@contextmanager
def explaining(url: str) -> Iterator[None]:
    """Turns the client's errors into ours. That a stream is not at the expected version passes: callers know more."""
    from kurrentdbclient.exceptions import KurrentDBClientError, WrongCurrentVersionError

    try:
        yield
    except WrongCurrentVersionError:
        raise
    except KurrentDBClientError as error:
        raise _as_ours(error, shown_url(url)) from error


def _as_ours(error: Exception, where: str) -> IndelibleError:
    from kurrentdbclient import exceptions as theirs

    message = f"{where}: {_said_by(error)}"
    if isinstance(error, theirs.UnauthenticatedError):
        return Unauthenticated(message)
    if isinstance(error, theirs.AccessDeniedError):
        return Forbidden(message)
    if isinstance(error, theirs.MaximumAppendSizeExceededError):
        return PayloadTooLarge(message)
    # A server that is there but has not settled who leads says so in several ways.
    passing = (
        theirs.GrpcError, theirs.DeadlineExceededError, theirs.DiscoveryFailedError, theirs.NodeIsNotLeaderError,
        theirs.AbortedByServerError,
    )  # fmt: skip
    return Unavailable(message) if isinstance(error, passing) else InternalError(message)


def _said_by(error: Exception) -> str:
    return " ".join(f"{type(error).__name__.removesuffix('Error')}: {error}".split())
