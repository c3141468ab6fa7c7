"""Snapshots: each is one cell, written plainly.

Cells are compared by their write times, which come from clocks that differ. So a snapshot that replaces another is
written as later than that one, whatever the clock says.
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from indelible.engines.cassandra.session import CassandraSession
from indelible.engines.rows import snapshot_of
from indelible.events import AggregateKey, Snapshot, timestamp_to_us
from indelible.limits import VERSION_MAX


class _Stored(msgspec.Struct, frozen=True):
    timestamp: datetime
    state: msgspec.Raw
    metadata: msgspec.Raw


_STORED: Final = msgspec.json.Decoder(_Stored)


class Snapshots:
    """Those of one log; see :class:`indelible.engines.engine.SnapshotStorage`."""

    def __init__(self, session: CassandraSession, log: str) -> None:
        self._session: Final = session
        self._log: Final = log

    async def save(self, snapshot: Snapshot) -> None:
        """Of an aggregate that exists."""
        place: dict[str, Any] = {**self._place(snapshot.key), "version": snapshot.version}
        written = await self._session.read("snapshot_written", **place)
        before_us = written[0][0] if written else 0
        stored = _Stored(snapshot.timestamp, snapshot.state_raw, snapshot.metadata_raw)
        values = {
            **place,
            "written_us": max(timestamp_to_us(snapshot.timestamp), before_us + 1),
            "snapshot": msgspec.json.encode(stored).decode(),
        }
        await self._session.write([("save_snapshot", values)])

    async def load(self, key: AggregateKey, *, at_version: int | None) -> Snapshot | None:
        most = VERSION_MAX if at_version is None else at_version
        for version, text in await self._session.read("load_snapshot", **self._place(key), at_version=most):
            stored = _STORED.decode(text)
            return snapshot_of(key, version, stored.timestamp, bytes(stored.state), bytes(stored.metadata))
        return None

    def _place(self, key: AggregateKey) -> dict[str, Any]:
        return {"log": self._log, "aggregate_type": key.aggregate_type, "aggregate_id": key.aggregate_id}
