"""A server with access control in this process, over all transports."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final, NamedTuple

import aiohttp

from indelible.core.open import open_local_store
from indelible.core.store import LocalEventStore
from indelible.server.access_settings import check_access
from indelible.server.authentication import Authenticator
from indelible.server.compose import control_access, make_services
from indelible.server.config import Address, EsdbSettings
from indelible.server.esdb.server import serving_esdb
from indelible.server.grpc.server import serving_grpc
from indelible.server.http.app import HttpApp
from indelible.server.http.connection import serving
from indelible.server.http.routes import ROUTES
from indelible.server.network_settings import LimitSettings, TlsSettings
from indelible.server.principal_limits import PrincipalLimits
from indelible.server.services import Services
from indelible.server.tls import Certificates

_ANYWHERE: Final = Address("127.0.0.1", 0)


class Guarded(NamedTuple):
    """A server that runs."""

    http: str
    grpc: str
    esdb: str
    """HOST:PORT."""
    services: Services
    store: LocalEventStore

    @property
    def authenticator(self) -> Authenticator:
        assert self.services.authenticator is not None
        return self.services.authenticator

    async def key(self, *grants: str, name: str = "test", expires_in_s: float | None = None) -> str:
        return (await self.store.keys.create(name, grants, expires_in_s=expires_in_s)).key

    async def status(self, authorization: str | None, path: str = "/v1/head") -> int:
        return (await self.answer(authorization, path))[0]

    async def answer(self, authorization: str | None, path: str = "/v1/head") -> tuple[int, dict[str, Any]]:
        headers = {} if authorization is None else {"Authorization": authorization}
        async with aiohttp.ClientSession() as session, session.get(self.http + path, headers=headers) as answer:
            return answer.status, await answer.json()


@asynccontextmanager
async def guarded(
    access: Mapping[str, Any] | None = None,
    store_url: str = "memory:",
    *,
    esdb_tls: TlsSettings | None = None,
    limits: LimitSettings | None = None,
) -> AsyncIterator[Guarded]:
    """``access``: the table of the settings. ``esdb_tls``: without it that wire is in plain text, as the others are."""
    store = open_local_store(store_url)
    services = make_services(store)
    services.principal_limits = None if limits is None else PrincipalLimits(limits)
    control_access(services, check_access(dict(access or {})), store)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(store)
        await stack.enter_async_context(services.background)
        http = await stack.enter_async_context(serving(HttpApp(services, ROUTES), _ANYWHERE, shutdown_grace_s=5))
        grpc = await stack.enter_async_context(serving_grpc(services, _ANYWHERE, shutdown_grace_s=5))
        certificates = None if esdb_tls is None else Certificates(esdb_tls)
        esdb = await stack.enter_async_context(
            serving_esdb(services, EsdbSettings(_ANYWHERE), shutdown_grace_s=5, certificates=certificates)
        )
        stack.callback(services.stopping.set)
        yield Guarded(http, f"grpc://{grpc}", esdb, services, store)
