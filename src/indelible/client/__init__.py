"""Clients of a store: :class:`AsyncClient`, and :class:`Client` for code without an event loop."""

from indelible.client.async_client import AsyncClient
from indelible.client.iterators import EventIterator
from indelible.client.live_states import LiveStates
from indelible.client.repository import Rebuilt, Repository
from indelible.client.supervisor import Supervisor
from indelible.client.sync_client import Client, SyncConsumer, SyncRepository
from indelible.client.sync_typed import SyncTypedConsumer, SyncTypedRepository, SyncTypedSubscription, TypedClient
from indelible.client.typed import AsyncTypedClient, TypedIterator, TypedRepository, TypedSubscription
from indelible.client.typed_consumer import TypedConsumer, TypedDelivery
from indelible.consumer import Consumer

__all__ = [
    "AsyncClient", "AsyncTypedClient", "Client", "Consumer", "EventIterator", "LiveStates", "Rebuilt", "Repository",
    "Supervisor", "SyncConsumer", "SyncRepository", "SyncTypedConsumer", "SyncTypedRepository",
    "SyncTypedSubscription", "TypedClient", "TypedConsumer", "TypedDelivery", "TypedIterator", "TypedRepository",
    "TypedSubscription",
]  # fmt: skip
