"""Which store a command works on, and opening it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from indelible.cli.output import note
from indelible.diagnostics import StoreDiagnostics
from indelible.errors import InvalidRequest, StoreLocked
from indelible.eventstore import EventStore
from indelible.server.config import load_settings


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
async def open_store(target: Target, *, read_only: bool, retry_total_s: float = 2.0) -> AsyncIterator[EventStore]:
    """The store itself. ``read_only`` works beside a server that has the store open. ``retry_total_s`` is how long a
    server may be out of reach."""
    # Loaded here, because an HTTP client and a database take longer to import than most commands take to run.
    store: EventStore
    if target.is_server:
        from indelible.client.async_client import AsyncClient

        store = AsyncClient(target.url, retry_total_s=retry_total_s)
    else:
        from indelible.core.open import open_local_store

        store = open_local_store(target.url, read_only=read_only and target.url != "memory:")
    try:
        async with store:
            for warning in _warnings(store) if read_only else ():
                note(f"indelible: warning: {warning}")
            yield store
    except StoreLocked as error:
        hint = f"{error.message}; if that is a server, give its URL with --url instead of --store"
        raise StoreLocked(hint, **error.fields) from None


def _warnings(store: EventStore) -> tuple[str, ...]:
    """Of a store on this machine; a server has told its own log."""
    return store.warnings if isinstance(store, StoreDiagnostics) else ()
