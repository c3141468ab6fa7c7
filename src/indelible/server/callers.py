"""Who calls: what a caller shows of itself, and what makes a principal of it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, Protocol

from indelible.access import EVERYBODY, Principal
from indelible.errors import Unauthenticated

_SCHEME: Final = b"Bearer "
_SCHEME_LENGTH: Final = len(_SCHEME)


class Credentials(NamedTuple):
    """What a caller shows of itself."""

    bearer: str | None = None
    """Of ``Authorization: Bearer TOKEN``, over HTTP or as gRPC's metadata."""
    certificate_names: tuple[str, ...] = ()
    """Of its client certificate."""
    address: str = ""
    """Of the machine that calls, for the audit log."""


NO_CREDENTIALS: Final = Credentials()


class Caller(NamedTuple):
    """Who calls, and by what that is known."""

    principal: Principal
    credentials: Credentials = NO_CREDENTIALS


ANYBODY: Final = Caller(EVERYBODY)


class Authenticator(Protocol):
    """Knows callers by their credentials."""

    def principal(self, credentials: Credentials) -> Principal | Awaitable[Principal]:
        """Who it is: at once where that can be told from memory. Raises ``Unauthenticated``, at once or later, and
        ``Unavailable`` while nobody can tell."""
        ...

    def watching(self, credentials: Credentials, on_withdrawn: Callable[[], object]) -> AbstractContextManager[None]:
        """For what goes on for long, such as streams: ``on_withdrawn`` is called, once, when these credentials hold no
        longer."""
        ...

    def tell_refused(self, reason: str, credentials: Credentials) -> None:
        """Of a caller whose header is refused before anybody asks who that is."""
        ...


class Peer(Protocol):
    """A connection, of which is known who is at its other end."""

    address: str
    certificate_names: tuple[str, ...]


async def caller_of(
    authenticator: Authenticator | None,
    authorization: bytes | None,
    peer: Peer,
    as_over_http: Callable[[bytes | None], bytes | None] = lambda header: header,
) -> Caller:
    """Who calls with this header; ``as_over_http`` makes of another API's what it would be over HTTP. Raises as
    :meth:`Authenticator.principal`."""
    if authenticator is None:
        return ANYBODY
    try:
        bearer = bearer_of(as_over_http(authorization))
    except Unauthenticated:
        authenticator.tell_refused("no bearer token", Credentials(None, peer.certificate_names, peer.address))
        raise
    credentials = Credentials(bearer, peer.certificate_names, peer.address)
    found = authenticator.principal(credentials)
    return Caller(found if isinstance(found, Principal) else await found, credentials)


def bearer_of(authorization: bytes | None) -> str | None:
    """The token in a header ``Authorization``, whatever it is made of. Two such headers come as one with a comma, which
    no token has. Raises ``Unauthenticated`` for another scheme."""
    if authorization is None:
        return None
    scheme = authorization[:_SCHEME_LENGTH]
    if scheme != _SCHEME and scheme.lower() != _SCHEME.lower():
        raise Unauthenticated("the header Authorization must be: Bearer TOKEN")
    return authorization[_SCHEME_LENGTH:].decode("latin-1")
