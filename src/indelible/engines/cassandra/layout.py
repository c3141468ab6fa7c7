"""How the tables of a log are cut into Cassandra partitions. That is for ever: rows are looked for where this says, so
a version of this package that cuts them otherwise refuses the log."""

import contextlib
from typing import Final

from indelible.engines.cassandra.failures import InDoubt, NothingDone
from indelible.engines.cassandra.log_events import SLOT_BITS
from indelible.engines.cassandra.session import CassandraSession
from indelible.errors import InvalidRequest, Unavailable
from indelible.limits import CASSANDRA_SHARDS, CASSANDRA_SLICE_POSITIONS, CASSANDRA_SLICE_VERSIONS, RETRY_AFTER_S

LAYOUT: Final = (
    f"{CASSANDRA_SLICE_POSITIONS} positions, {CASSANDRA_SLICE_VERSIONS} versions, {CASSANDRA_SHARDS} shards, "
    f"{SLOT_BITS} bits of an id"
)


async def check_layout(session: CassandraSession, log: str, *, may_keep: bool) -> None:
    """Raises ``InvalidRequest`` for a log that is cut in another way, and ``Unavailable``. ``may_keep``: the log gets
    this layout if it has none."""
    kept = await _read(session, log)
    if kept is None and may_keep:
        with contextlib.suppress(InDoubt, NothingDone):
            await session.compare_and_set([("keep_layout", {"log": log, "layout": LAYOUT})])
        kept = await _read(session, log)
        if kept is None:
            raise Unavailable("the store could not be marked as this version's", retry_after_s=RETRY_AFTER_S)
    if kept not in (None, LAYOUT):
        raise InvalidRequest(
            f"the store is cut into {kept}, and this version of Indelible cuts into {LAYOUT}; use the version that "
            "made it",
            pointer="/store",
        )


async def _read(session: CassandraSession, log: str) -> str | None:
    rows = await session.read("read_layout", serial=True, log=log)
    return str(rows[0][0]) if rows else None
