"""Consumer groups. A save is one statement, and so one round trip."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC
from typing import Any

import msgspec

from indelible.engines.group_storage import (
    GroupChange,
    GroupState,
    GroupSummary,
    GroupUnmoved,
    StoredGroup,
    too_many_groups,
)
from indelible.engines.postgres.connections import Session
from indelible.engines.postgres.writer import TIMEOUT_VALUES
from indelible.engines.rows import (
    COLUMNS,
    changing_values,
    group_of_row,
    pending_of,
    row_values,
    summary_of_row,
)
from indelible.errors import OutcomeUnknown
from indelible.groups import SkippedEvent


class Groups(Session, frozen=True):
    """What is done with a connection for groups."""

    # Where an attempt may be done already (``may_be_done``), one that is refused looks whether it was refused for that.

    async def create(self, group: StoredGroup, groups_max: int, may_be_done: bool) -> bool:
        async with self._transaction():
            await self._fetch("lock_group_names")
            rows = await self._fetch("create_group", **row_values(group), groups_max=groups_max)
        is_made, is_taken = rows[0]
        if not is_made and not is_taken:
            raise too_many_groups(groups_max)
        return bool(is_made) or (may_be_done and await self._is_ours(group))

    async def summaries(self, name: str | None = None) -> tuple[GroupSummary, ...]:
        return tuple(summary_of_row(row) for row in await self._fetch("list_groups", name=name))

    async def load(self, name: str, revision: int | None = None) -> GroupState | GroupUnmoved | None:
        rows = await self._fetch("load_group", name=name, known_revision=revision)
        if not rows:
            return None
        now_us, pending = rows[0][COLUMNS:]
        if pending is None:
            return GroupUnmoved(now_us)
        return GroupState(group_of_row(rows[0][:COLUMNS]), pending_of(pending), now_us)

    async def save(self, change: GroupChange, may_be_done: bool) -> bool:
        rows = await self._fetch(
            "save_group",
            **changing_values(change.group),
            expected_revision=change.expected_revision,
            dropped=list(change.dropped),
            put=msgspec.json.encode(change.put).decode(),
            drop_all=change.drop_all,
            skipped=msgspec.json.encode(change.skipped).decode(),
        )
        return bool(rows[0][0]) or (may_be_done and await self._is_ours(change.group))

    async def _is_ours(self, group: StoredGroup) -> bool:
        """Whether it was this caller who made the group what it is."""
        # In a statement of its own: it sees what was committed while the one before it waited.
        for created_us, revision, save_id in await self._fetch("last_save", name=group.name):
            if save_id == str(group.save_id):
                return True
            if created_us == group.created_us and revision > group.revision:
                raise OutcomeUnknown(
                    f"the answer was lost, and others have changed the group {group.name} since; "
                    "ask again to learn the outcome"
                )
        return False

    async def delete(self, name: str, created_us: int | None, locked: list[int]) -> bool:
        """``locked`` remembers, from one attempt to the next, which group it is about: when that is gone, it is done,
        and another that was made under its name is left alone."""
        async with self._transaction():
            # What a saver has stored meanwhile is seen only by a statement that begins after the lock was had.
            found = [group for (group,) in await self._fetch("lock_group", name=name, created_us=created_us)]
            if locked and found != locked:
                return True
            locked[:] = found
            for group in found:
                await self._fetch("delete_group", id=group)
        return bool(found)

    async def skipped(self, name: str, *, after: int, limit: int) -> tuple[SkippedEvent, ...]:
        rows = await self._fetch("list_skipped", name=name, after=after, limit=limit)
        return tuple(_skipped_of_row(row) for row in rows)

    async def now_us(self) -> int:
        return int((await self._fetch("now"))[0][0])

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        async with self.connection.transaction():
            await self._fetch("set_timeouts", **TIMEOUT_VALUES)
            yield


def _skipped_of_row(row: Sequence[Any]) -> SkippedEvent:
    # The database's session may live in another time zone.
    fields = [*row[:-1], row[-1].astimezone(UTC)]
    return SkippedEvent(*fields)
