"""Clients of a store: :class:`AsyncClient`, and :class:`Client` for code without an event loop."""

from indelible.client.async_client import AsyncClient
from indelible.client.iterators import EventIterator
from indelible.client.repository import Rebuilt, Repository
from indelible.client.sync_client import Client, SyncConsumer, SyncRepository
from indelible.consumer import Consumer

__all__ = [
    "AsyncClient", "Client", "Consumer", "EventIterator", "Rebuilt", "Repository", "SyncConsumer", "SyncRepository",
]  # fmt: skip
