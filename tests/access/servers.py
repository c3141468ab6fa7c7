"""Servers that know their callers by a token that says what they may do."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import NamedTuple
from urllib.parse import unquote

from indelible import AsyncClient
from indelible.access import Principal
from indelible.core.store import LocalEventStore
from indelible.engines.memory import MemoryEngine
from indelible.errors import InvalidRequest, Unauthenticated
from indelible.server.callers import Credentials
from indelible.server.compose import make_services
from indelible.server.config import Address
from indelible.server.grpc.server import serving_grpc
from indelible.server.http.app import HttpApp
from indelible.server.http.connection import serving
from indelible.server.http.routes import ROUTES
from serving import searching

_ANY_PORT = Address("127.0.0.1", 0)


class SaidGrants:
    """Takes what a caller says that it may do: ``read:order append:*``, percent-encoded; or nothing."""

    def __init__(self) -> None:
        self._known: dict[str, Principal] = {}

    def principal(self, credentials: Credentials) -> Principal:
        said = credentials.bearer
        if said is None:
            raise Unauthenticated("say who you are: Authorization: Bearer TOKEN")
        try:
            grants = [unquote(grant) for grant in said.replace("nothing", "").split()]
            return self._known.setdefault(said, Principal.of(said, grants))
        except InvalidRequest as error:
            raise Unauthenticated(f"no token: {error.message}") from None

    def watching(self, credentials: Credentials, on_withdrawn: Callable[[], object]) -> AbstractContextManager[None]:
        """What is said holds for ever."""
        return nullcontext()

    def tell_refused(self, reason: str, credentials: Credentials) -> None:
        """Nobody counts."""


class Servers(NamedTuple):
    """Both APIs of one store."""

    store: LocalEventStore
    urls: dict[str, str]

    def client(self, transport: str, said: str | None) -> AsyncClient:
        return AsyncClient(self.urls[transport], headers=headers_of(said), retry_total_s=0)


def headers_of(said: str | None) -> dict[str, str]:
    return {} if said is None else {"Authorization": f"Bearer {said}"}


@asynccontextmanager
async def both_servers() -> AsyncIterator[Servers]:
    """Over a store in memory that can be searched."""
    async with LocalEventStore(MemoryEngine()) as store, searching(store, {"event_data.total": "number"}) as around:
        services = make_services(store, around=around)
        services.authenticator = SaidGrants()
        async with (
            serving(HttpApp(services, ROUTES), _ANY_PORT, shutdown_grace_s=5) as http,
            serving_grpc(services, _ANY_PORT, shutdown_grace_s=5) as grpc,
        ):
            yield Servers(store, {"http": http, "grpc": f"grpc://{grpc}"})
            services.stopping.set()
