"""Whether a generation is of the log that it is used with: of another one, or of one that was restored from an older
backup, it holds what is not there, and would leave out what is appended at positions that it has passed already.
"""

from indelible.cursors import START, Cursor, Lag
from indelible.errors import IndexMismatch, InvalidRequest, StoreCorrupted
from indelible.eventstore import MeasuringStore
from indelible.indexes.index import Generation


async def log_hash_at(log: MeasuringStore, cursor: Cursor) -> str:
    """To be kept beside the cursor; empty where nobody can tell."""
    try:
        return await log.hash_at(cursor) or ""
    except (StoreCorrupted, ValueError):
        return ""


async def is_of_log(log: MeasuringStore, generation: Generation) -> bool:
    """The hash of an event says what all before it are."""
    if generation.cursor == START:
        return True
    try:
        found = await log.hash_at(generation.cursor)
    except InvalidRequest:
        # Of a log of more partitions, or fewer.
        return False
    except (StoreCorrupted, ValueError):
        # Whether an event that is damaged by now was the same, nobody can tell.
        return True
    return found is not None and generation.log_hash in ("", found)


def of_another_log(generation: Generation) -> IndexMismatch:
    return IndexMismatch(
        f"the query index has come to cursor {generation.cursor} of a log that is not this one: the log was restored "
        "from a backup, or is another; the index has to be built anew (indelible index rebuild), which a server that "
        "keeps it does by itself when it starts"
    )


async def lag_of(log: MeasuringStore, generation: Generation) -> Lag:
    """What it lacks of the log: all, where it is of another."""
    return await log.lag_behind(generation.cursor if await is_of_log(log, generation) else START)
