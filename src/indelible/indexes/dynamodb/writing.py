"""Adding documents to a generation, in steps: nothing of a step counts before it is committed, with the cursor.

The ids of a step's events are noted in its journal before anything else of it is written, and documents before their
entries. So whatever a step that was given up has left can be found, and is removed by whoever commits the next.
"""

import contextlib
import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from indelible.cursors import Cursor
from indelible.indexes.dynamodb.encoding import above, encode_step, step_of
from indelible.indexes.dynamodb.entries import (
    BODY,
    JOURNALS,
    PARTITION,
    SORT,
    UNTIL,
    Body,
    Key,
    body_of,
    decode_body,
    document_key,
    documents_partition,
    encode_body,
    entry_keys,
    hint_key,
    items_of,
    journal_key,
    list_partition,
    refused_body,
    until_of,
)
from indelible.indexes.dynamodb.service import Patience
from indelible.indexes.dynamodb.state import State, claimed, committed, is_seen
from indelible.indexes.dynamodb.table import Stretch, Table, for_each, whole
from indelible.indexes.index import Document, IndexUnavailable, Place, Rejected
from indelible.limits import DYNAMODB_IDLE_MAX_S, DYNAMODB_STEP_MAX_S, DYNAMODB_WRITES_AT_ONCE

ITEM_SIZE_BYTES_MAX: Final = 400 * 1024
"""Of one item, as DynamoDB has it."""
_KEY_SIZE_BYTES: Final = 100
"""More than what an item has beside the body."""
_ID_SIZE_BYTES: Final = 16


class Version(NamedTuple):
    """A document that is there."""

    step: int
    until: int | None
    body: Body


class Step:
    """One step, which is claimed."""

    def __init__(self, table: Table, number: int, state: State, patience: Patience) -> None:
        """``state``: as it was when the step was claimed."""
        self.state: Final = state
        self._table: Final = table
        self._number: Final = number
        self._held: Final = state.generations[number]
        self._patience: Final = patience

    @classmethod
    async def claimed(cls, table: Table, number: int, after: Cursor) -> "Step":
        """Raises ``IndexMoved``, ``IndexUnavailable``."""
        patience = Patience(DYNAMODB_STEP_MAX_S, DYNAMODB_IDLE_MAX_S)
        state = await table.change(lambda state: claimed(state, number, after), patience)
        return cls(table, number, state, patience)

    async def write(self, documents: Sequence[Document], cursor: Cursor, log_hash: str = "") -> Sequence[Rejected]:
        """All of it; and what is refused. Raises ``IndexMoved``, ``IndexUnavailable``."""
        step = self._held.claimed
        await self._clear()
        bodies = {one.place: _body(one) for one in documents}
        added = 0
        if bodies:
            added = await self._add(bodies)
        number, patience = self._number, self._patience
        await self._table.change(
            lambda state: committed(
                state, number, step, cursor=cursor, log_hash=log_hash, added=added, now_s=time.time()
            ),
            patience,
        )
        if bodies:
            await self._forget_journal(step)
        return [Rejected(one.place, one.reason) for one in bodies.values() if one.reason]

    async def _add(self, bodies: Mapping[Place, Body]) -> int:
        """How many more documents there are."""
        step = self._held.claimed
        key = journal_key(self._number, step)
        ids = {one.event_id: None for one in bodies}
        await self._table.put([{**key.attributes, BODY: {"B": b"".join(one.bytes for one in ids)}}], self._patience)
        replaced = await self._present(bodies)
        await for_each(replaced, lambda one: self._end(one, step), DYNAMODB_WRITES_AT_ONCE)
        made = [items_of(self._number, self._held.fields, body, step) for body in bodies.values()]
        await self._table.put((hint_key(self._number, one).attributes for one in ids), self._patience)
        await self._table.put((document for document, _ in made), self._patience)
        await self._table.put((item for _, entries in made for item in entries), self._patience)
        return sum(not one.reason for one in bodies.values()) - sum(not one.body.reason for one in replaced)

    async def _forget_journal(self, step: int) -> None:
        with contextlib.suppress(IndexUnavailable):  # it is removed with the generation
            await self._table.remove([journal_key(self._number, step)], self._patience)

    # --- Documents that are there ------------------------------------------------------------------------------------

    async def _present(self, places: Collection[Place]) -> list[Version]:
        """Those of these events that are seen. A log gives an event once, so mostly there are none."""
        ids = {one.event_id: None for one in places}
        hints = await self._table.get((hint_key(self._number, one) for one in ids), self._patience)
        found: list[Version] = []

        async def look(event_id: UUID) -> None:
            versions = await self._versions(event_id)
            found.extend(one for one in versions if one.body.place in places and is_seen(one, self._held))

        hinted = [UUID(bytes=item[PARTITION]["B"][-_ID_SIZE_BYTES:]) for item in hints]
        await for_each(hinted, look, DYNAMODB_WRITES_AT_ONCE)
        return found

    async def _versions(self, event_id: UUID) -> list[Version]:
        partition = documents_partition(self._number, event_id)
        items = await whole(self._table, Stretch(partition, encode_step(1), above(b"")), self._patience)
        return [Version(step_of(item[SORT]["B"]), until_of(item), decode_body(item[BODY]["B"])) for item in items]

    async def _end(self, one: Version, step: int) -> None:
        """Another takes its place in this step."""
        for key in self._keys_of(one):
            await self._table.set_number(key, UNTIL, step, self._patience)

    def _keys_of(self, one: Version) -> list[Key]:
        """The document last: what has no document cannot be found."""
        keys = list(entry_keys(self._number, self._held.fields, one.body, one.step))
        return [*keys, document_key(self._number, one.body.place, one.step)]

    # --- Steps that were given up ------------------------------------------------------------------------------------

    async def _clear(self) -> None:
        """Remove what was written in steps that never were committed, and cannot be any more."""
        first, end = self._held.committed + 1, self._held.claimed
        if first == end:
            return
        partition = list_partition(self._number, JOURNALS)
        stretch = Stretch(partition, encode_step(first), encode_step(end - 1))
        for item in await whole(self._table, stretch, self._patience):
            step, ids = int.from_bytes(item[SORT]["B"]), item[BODY]["B"]
            events = [UUID(bytes=ids[n : n + _ID_SIZE_BYTES]) for n in range(0, len(ids), _ID_SIZE_BYTES)]
            await for_each(events, partial(self._undo, step), DYNAMODB_WRITES_AT_ONCE)
            await self._table.remove([journal_key(self._number, step)], self._patience)

    async def _undo(self, step: int, event_id: UUID) -> None:
        for one in await self._versions(event_id):
            *entries, document = self._keys_of(one)
            if one.step == step:
                await self._table.remove(entries, self._patience)
                await self._table.remove([document], self._patience)
            else:
                for key in (*entries, document):
                    await self._table.clear_number(key, UNTIL, step, self._patience)


def _body(document: Document) -> Body:
    body = body_of(document)
    size_bytes = len(encode_body(body)) + _KEY_SIZE_BYTES
    if size_bytes <= ITEM_SIZE_BYTES_MAX:
        return body
    reason = (
        f"its values of declared fields are {size_bytes} bytes, and DynamoDB takes {ITEM_SIZE_BYTES_MAX} in an item; "
        "declare fewer fields"
    )
    return refused_body(document, reason)
