"""What an error of the driver means: whether anything may have been done, and what a caller is told."""

from collections.abc import Sequence
from typing import Final

import cassandra
from cassandra.cluster import NoHostAvailable
from cassandra.connection import ConnectionException
from cassandra.protocol import ErrorMessage

from indelible.errors import IndelibleError, InternalError, InvalidRequest, Unavailable
from indelible.limits import RETRY_AFTER_S

DRIVER_ERRORS: Final = (cassandra.DriverException, NoHostAvailable, ConnectionException, ErrorMessage, OSError)

_REFUSED: Final = (cassandra.RequestValidationException, cassandra.AuthenticationFailed, cassandra.Unauthorized)
"""The nodes have looked at the request and did nothing. All other answers leave that open."""


class NothingDone(Exception):
    """A request that was not sent, since no node could be reached: nothing was done. Another may succeed."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(one_line(error))


class InDoubt(Exception):
    """A request of which nobody knows whether it was done: a time-out, a connection that broke, or a node that could
    not tell. For what may be done twice, another attempt is the answer."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(one_line(error))


def classified(error: BaseException) -> NothingDone | InDoubt | IndelibleError:
    """What has become of one request."""
    if isinstance(error, NoHostAvailable):
        return NothingDone(error)
    return translated(error) if isinstance(error, _REFUSED) else InDoubt(error)


def told(error: BaseException, what: str) -> IndelibleError:
    """The store's error for a request that is not tried again. ``what`` says what did not happen, or what to do."""
    found = classified(error)
    return found if isinstance(found, IndelibleError) else unreachable(error, what)


def translated(error: BaseException) -> IndelibleError:
    """The store's error for a request that was refused; nothing was done."""
    text = one_line(error)
    if isinstance(error, (cassandra.Unauthorized, cassandra.AuthenticationFailed)):
        return Unavailable(f"Cassandra refuses: {text}; nothing was stored", retry_after_s=RETRY_AFTER_S)
    if "does not exist" in text or "unconfigured table" in text:
        return InvalidRequest(f'has no store yet ({text}): "indelible init" makes it', pointer="/store")
    return InternalError(f"Cassandra does not take a request: {text} ({type(error).__name__}); nothing was stored")


def unknown_datacenter(name: str, known: Sequence[str]) -> InvalidRequest:
    has = ", ".join(known)
    return InvalidRequest(
        f"the parameter datacenter is {name!r}, which the cluster lacks; it has {has}", pointer="/store"
    )


def unreachable(error: BaseException | None, what: str) -> Unavailable:
    """``what`` says what did not happen."""
    reason = f" ({one_line(error)})" if error is not None else ""
    return Unavailable(f"Cassandra cannot be reached{reason}; {what}", retry_after_s=RETRY_AFTER_S)


def one_line(error: BaseException) -> str:
    """The first line of an error's text; of several nodes' errors, that of one."""
    if isinstance(error, NoHostAvailable) and error.errors:
        found = next(iter(error.errors.values())) if isinstance(error.errors, dict) else error.errors
        return f"no node answers: {str(found).strip().partition(chr(10))[0]}"
    return str(error).strip().partition("\n")[0] or type(error).__name__
