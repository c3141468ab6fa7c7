"""Verifies a log: recomputes the hash chain over every event, through the one door that every store has.

Works on any :class:`indelible.eventstore.EventStore`, so on a local store and on a server alike. It finds any change to
a stored event, but not a log that was rewritten whole, nor every end that was cut off. To see those, note the head's
position and hash somewhere else now and then, and compare.

Of a local store it also checks that the engine's indexes lead to every event: a damaged index changes no event, but it
would hide one from filters, conditions and the check for repeated ids. And it finds an end that is missing as far as
the engine knows of it, as in a copy of an SQLite file without its write-ahead log.
"""

from collections.abc import Callable
from contextlib import aclosing

import msgspec

from indelible.core.checked_log import CheckedLog, Damage
from indelible.diagnostics import StoreDiagnostics
from indelible.errors import StorageFailure
from indelible.eventstore import EventStore


class VerifyReport(msgspec.Struct, frozen=True):
    head: int
    """The head when verifying began."""
    verified: int
    """Every event up to this position is as it was written. ``head`` when there is no damage."""
    hash: str
    """Of the event at ``verified``; 64 zeros in an empty log."""
    damage: Damage | None


async def verify(store: EventStore, *, on_progress: Callable[[int, int], None] | None = None) -> VerifyReport:
    """Walk the whole log up to its head, stop at the first damage.

    ``on_progress`` hears the verified position and the head after every page. Raises what the store raises when it is
    out of reach; an event that the store cannot read is damage.
    """
    head = (await store.head()).position
    damage: Damage | None = None
    async with aclosing(CheckedLog(store, head)) as log:
        while damage is None and not log.at_end:
            first = log.position + 1
            page = await log.next_page()
            if isinstance(page, Damage):
                damage = page
            elif isinstance(store, StoreDiagnostics):
                damage = await _check_indexes(store, first, log.position)
            if on_progress is not None:
                on_progress(log.position, head)
        if damage is None and isinstance(store, StoreDiagnostics):
            damage = await _check_end(store)
        return VerifyReport(head, log.position, log.hash.hex(), damage)


async def _check_end(store: StoreDiagnostics) -> Damage | None:
    missing = await store.find_missing_end()
    return None if missing is None else Damage(missing[0], f"is missing: {missing[1]}")


async def _check_indexes(store: StoreDiagnostics, first: int, last: int) -> Damage | None:
    try:
        found = await store.find_unindexed(first, last)
    except StorageFailure as error:
        if first < last:
            middle = (first + last) // 2
            return await _check_indexes(store, first, middle) or await _check_indexes(store, middle + 1, last)
        return Damage(first, f"cannot be looked up, because an index is damaged: {error}")
    if found is None:
        return None
    position, field = found
    return Damage(position, f"is not found by its {field}, because an index is damaged")
