"""Goes the way of an append without storing anything: its statement, in a transaction that is rolled back."""

import base64
import os
from typing import Final

from indelible.engines.engine import LogHead
from indelible.engines.planner import Plan, StoredState, plan
from indelible.engines.postgres.connections import Connection
from indelible.engines.postgres.statements import Statements
from indelible.engines.postgres.writer import Numbers, batch_values
from indelible.events import AggregateKey, NewEvent, new_event_id, timestamp_to_us
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.limits import DATABASE_IDLE_TIMEOUT_S, EVENT_SIZE_BYTES_MAX, READY_TRIAL_LOCK_TIMEOUT_S

_TIMEOUTS: Final = {"lock": f"{READY_TRIAL_LOCK_TIMEOUT_S}s", "idle": f"{DATABASE_IDLE_TIMEOUT_S}s"}


async def try_append(connection: Connection, statement: Statements, size_bytes: int) -> None:
    """Raises :class:`psycopg.Error` when one of the tables cannot be written to, or is locked by others for long.

    With ``size_bytes`` there is one event of that size at the most. It leaves a dead row, so that is for when appends
    were refused.
    """
    async with connection.transaction(force_rollback=True):
        # In binary, as the writer does: as text a time looks as the database is set up.
        cursor = connection.cursor(binary=True)
        await cursor.execute(statement("set_timeouts"), _TIMEOUTS)
        await cursor.execute(statement("lock_head"))
        position, timestamp, hash_, *_ = await cursor.fetchone() or ()
        head = LogHead(position, timestamp_to_us(timestamp), hash_)
        planned = plan(_batch(size_bytes), StoredState(head, {}, {}, ()), head.timestamp_us) if size_bytes else None
        values = batch_values(planned or Plan([], [], head), Numbers({}, {}, {}))
        await cursor.execute(statement("append_batch"), values)


def _batch(size_bytes: int) -> list[AppendRequest]:
    # Random, since the database compresses what it can; base64 makes four bytes of three, and JSON adds quotes.
    filling = base64.b64encode(os.urandom(min(size_bytes, EVENT_SIZE_BYTES_MAX - 8) * 3 // 4))
    key = AggregateKey("trial", str(new_event_id()))
    return [AppendRequest((AggregateAppend(key, (NewEvent("Tried", filling.decode()),)),))]
