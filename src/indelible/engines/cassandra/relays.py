"""Relays: a record each, without parts."""

import asyncio
from typing import Final

import msgspec

from indelible.engines.cassandra.records import Change, Record, Records
from indelible.engines.cassandra.session import CassandraSession
from indelible.engines.relay_storage import StoredRelay, too_many_relays

_RELAY: Final = msgspec.json.Decoder(StoredRelay)


class Relays:
    """Those of one log; see :class:`indelible.engines.relay_storage.RelayStorage`."""

    def __init__(self, session: CassandraSession, log: str) -> None:
        self._records: Final = Records(session, log, "relay")

    async def load(self, name: str) -> StoredRelay | None:
        row = await self._records.find(name)
        return None if row is None else _relay_of(row)

    async def load_all(self) -> tuple[StoredRelay, ...]:
        rows = await asyncio.gather(*map(self._records.row, (await self._records.names()).values()))
        return tuple(_relay_of(row) for row in rows if row is not None)

    async def save(self, relay: StoredRelay, relays_max: int) -> bool:
        text = msgspec.json.encode(relay).decode()
        change = Change(relay.revision - 1, relay.revision, relay.save_id, text)
        if relay.revision == 1:
            return await self._create(relay.name, change, relays_max)
        row = await self._records.find(relay.name)
        return (
            row is not None and row.revision == change.expected_revision and await self._records.change(row.id, change)
        )

    async def _create(self, name: str, made: Change, relays_max: int) -> bool:
        is_made = await self._records.make(name, made, most=relays_max)
        if is_made is None:
            raise too_many_relays(relays_max)
        return is_made


def _relay_of(row: Record) -> StoredRelay:
    return _RELAY.decode(row.data)
