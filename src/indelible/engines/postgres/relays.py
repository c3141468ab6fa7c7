"""Relays. A save is one statement, but for a relay's first."""

from indelible.engines.postgres.connections import Session
from indelible.engines.postgres.writer import TIMEOUT_VALUES
from indelible.engines.relay_storage import StoredRelay, too_many_relays
from indelible.engines.rows import relay_of_row, relay_values
from indelible.errors import OutcomeUnknown


class Relays(Session, frozen=True):
    """What is done with a connection for relays."""

    async def load(self, name: str) -> StoredRelay | None:
        found = await self._all(name)
        return found[0] if found else None

    async def load_all(self) -> tuple[StoredRelay, ...]:
        return await self._all(None)

    async def _all(self, name: str | None) -> tuple[StoredRelay, ...]:
        return tuple(map(relay_of_row, await self._fetch("load_relays", name=name)))

    async def save(self, relay: StoredRelay, relays_max: int, may_be_done: bool) -> bool:
        if relay.revision == 1:
            is_saved = await self._create(relay, relays_max)
        else:
            is_saved = bool(await self._fetch("change_relay", **relay_values(relay)))
        return is_saved or (may_be_done and await self._is_ours(relay))

    async def _create(self, relay: StoredRelay, relays_max: int) -> bool:
        async with self.connection.transaction():
            await self._fetch("set_timeouts", **TIMEOUT_VALUES)
            await self._fetch("lock_relay_names")
            rows = await self._fetch("create_relay", **relay_values(relay), relays_max=relays_max)
        is_made, is_taken = rows[0]
        if not is_made and not is_taken:
            raise too_many_relays(relays_max)
        return bool(is_made)

    async def _is_ours(self, relay: StoredRelay) -> bool:
        """Whether it was this caller who made the relay what it is."""
        # In a statement of its own: it sees what was committed while the one before it waited.
        for revision, save_id in await self._fetch("last_relay_save", name=relay.name):
            if save_id == str(relay.save_id):
                return True
            if revision > relay.revision:
                raise OutcomeUnknown(
                    f"the answer was lost, and others have changed the relay {relay.name} since; "
                    "ask again to learn the outcome"
                )
        return False
