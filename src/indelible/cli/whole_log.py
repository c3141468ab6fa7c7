"""Commands that need every event of a log, and say that it is damaged where one is left out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from indelible.cli.command import Target, open_store
from indelible.errors import Forbidden, InternalError, InvalidRequest, NotFound, StorageFailure
from indelible.eventstore import EventStore
from indelible.keys import KEY_AGGREGATE_TYPE

_TELLS_NOTHING = (InvalidRequest, NotFound, StorageFailure, InternalError)
"""What the store answers to a question that may be asked; a damaged one too, of which more is to be heard."""


@asynccontextmanager
async def open_whole_log(target: Target) -> AsyncIterator[EventStore]:
    """The store, to be read by whoever may read all of it. Raises ``Forbidden``."""
    async with open_store(target, read_only=True, retry_total_s=10) as store:
        if target.is_server:
            await check_reads_everything(store)
        yield store


async def check_reads_everything(store: EventStore) -> None:
    """A server leaves out of the feed what its caller may not read, and does not say so. Raises ``Forbidden`` unless
    nothing is left out."""
    try:
        with suppress(*_TELLS_NOTHING):
            # Needs the grant for every aggregate type but the store's own.
            await store.relays.list()
    except Forbidden:
        raise _forbidden("read") from None
    try:
        with suppress(*_TELLS_NOTHING):
            await store.get_aggregate(KEY_AGGREGATE_TYPE, "none")
    except Forbidden:
        raise _forbidden("admin") from None


def _forbidden(permission: str) -> Forbidden:
    return Forbidden("you need read:* and admin:*", permission=permission)
