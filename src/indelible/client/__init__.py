"""Clients of a store: :class:`AsyncClient`, and :class:`Client` for code without an event loop."""

from indelible.client.async_client import AsyncClient
from indelible.client.event_iterator import EventIterator
from indelible.client.rebuild import Rebuilt
from indelible.client.repository import Repository
from indelible.client.sync_client import Client, SyncConsumer, SyncRepository
from indelible.consumer import Consumer

__all__ = [
    "AsyncClient", "Client", "Consumer", "EventIterator", "Rebuilt", "Repository", "SyncConsumer", "SyncRepository",
]  # fmt: skip
