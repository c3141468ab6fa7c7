"""What a relay needs of a message broker."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol
from uuid import UUID

from indelible.cursors import Cursor
from indelible.eventstore import FeedPage
from indelible.relay_state import RelayLease
from indelible.store_urls import load_sink_maker


class SinkUnavailable(Exception):
    """The broker is out of reach, or does not take more for now: open the sink again later. Says why, for people."""


class SinkRefused(Exception):
    """The broker will never take an event as it is; all before it are published. Says why, for people."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class SinkFenced(Exception):
    """The broker has been told of a newer epoch."""


class Replay(NamedTuple):
    """What is published beside the order of the log."""

    name: str
    """A word that no other replay of the relay has; each message says it in the header ``indelible-replay``."""
    reached: Cursor
    """How far the relay has come in the order of the log."""


class Reached(NamedTuple):
    """What a broker knows of how far a relay came."""

    cursor: Cursor
    event_id: UUID | None
    event_hash: str | None
    """Of the last event that was published: by its hash the store knows whether all up to there is of its own log. None
    where the broker does not know."""


Check = Callable[[Reached], Awaitable[None]]
"""Raises where that is not of the store's log."""


async def unchecked(_: Reached) -> None:
    """For who has one store alone, for sure."""


class Sink(Protocol):
    """One connection to a broker, made and closed any number of times. Its methods are called one at a time, and raise
    :class:`SinkUnavailable` within ``RELAY_BROKER_TIMEOUT_S`` when the broker does not answer."""

    @property
    def remembers(self) -> bool:
        """Whether the broker keeps how far the relay came, together with the events. The store is then told less
        often."""
        ...

    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:
        """Connect as the relay's owner of ``lease.epoch``; closes what was open before. Gives how far the broker knows
        that the relay came, where it remembers that, in an epoch that is not before ``lease.reset_epoch``. Where the
        broker can refuse earlier owners, it does so from then on. Raises ``SinkUnavailable``, ``SinkFenced``.

        ``check`` is told what the broker knows, before its epoch is compared and anything is changed at the broker: it
        may be of a relay of this name in another store. What it raises comes through."""
        ...

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        """Publish the page's events in their order, and return when all are acknowledged by the broker. Whatever it
        raises, each may be published or not, but none without those before it. Raises ``SinkUnavailable``,
        ``SinkRefused``, ``SinkFenced``; after each the sink is opened again.

        ``replay``: they are published beside the order of the log. They tell nothing new of how far the relay came, and
        the broker must not take them for repeats of what it has."""
        ...

    async def close(self) -> None:
        """Let go of the broker. May be called twice, and raises nothing."""
        ...


class SinkMaker(Protocol):
    """What an entry point of the group ``indelible.sinks`` names; the entry point's own name is the URL's scheme."""

    def __call__(self, url: str) -> Sink:
        """The sink that a URL of this scheme names, not opened yet. Raises ``InvalidRequest`` with the pointer ``/to``
        for a URL that names nothing, and where a package is missing: then with what to install."""
        ...


def make_sink(url: str) -> Sink:
    """The sink that ``url`` names, not opened yet. Raises ``InvalidRequest``."""
    make: SinkMaker = load_sink_maker(url)
    return make(url)
