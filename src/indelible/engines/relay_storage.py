"""Where the state of relays is kept: a small contract beside that of consumer groups, and as safe by the same means.

A relay is one row with a ``revision``. Whoever changes it gives the revision that the change was made from; the storage
refuses it when the row has another by now.
"""

from typing import Protocol
from uuid import UUID

import msgspec

from indelible.errors import InvalidRequest


class StoredReplay(msgspec.Struct, frozen=True):
    """A range that is published again."""

    name: str
    begin: int
    """The position that it began behind."""
    position: int
    """Every matching event of the range up to here is published."""
    until: int
    published: int


class StoredSetAside(msgspec.Struct, frozen=True, omit_defaults=True):
    """An event that the broker refused."""

    position: int
    event_id: UUID
    aggregate_type: str
    aggregate_id: str
    reason: str
    set_aside_us: int
    retry: str | None = None
    """The replay by which it is to be published again."""


class StoredBeside(msgspec.Struct, frozen=True, omit_defaults=True):
    """What stands beside the order of the log; kept as one JSON text."""

    replays: int = 0
    """How many were begun, those of single events too: the next one's name follows from it."""
    replay: StoredReplay | None = None
    set_aside: tuple[StoredSetAside, ...] = ()
    """By position."""


class StoredRelay(msgspec.Struct, frozen=True):
    """The row. Times count microseconds from 1970."""

    name: str
    revision: int
    """1 when the relay is made, and one more with every save."""
    epoch: int
    owner: str
    lease_until_us: int
    position: int
    """Every matching event up to here is published."""
    published: int
    is_paused: bool
    is_stopped: bool
    problem: str | None
    reset_epoch: int
    """The epoch that the last reset began; 0 before the first."""
    save_id: UUID
    """Given by whoever saved it last: another each time, so everybody knows a save of theirs."""
    beside: StoredBeside = StoredBeside()


class RelayStorage(Protocol):
    """Every engine so far is one as well. The same promises on errors and answers as
    :class:`indelible.engines.group_storage.GroupStorage`."""

    async def load_relay(self, name: str) -> StoredRelay | None: ...

    async def list_relays(self) -> tuple[StoredRelay, ...]:
        """Every relay, by name as UTF-8 bytes, as of one moment."""
        ...

    async def save_relay(self, relay: StoredRelay, *, relays_max: int) -> bool:
        """Store what follows the revision before ``relay.revision``; 1 makes the relay. On stable storage when this
        returns. False, and nothing happens, when there is another revision. Raises ``InvalidRequest`` instead of making
        one when there are ``relays_max`` already."""
        ...


def too_many_relays(relays_max: int) -> InvalidRequest:
    return InvalidRequest(f"the store has {relays_max} relays, and takes no more", pointer="/relay")
