"""Removing the items of generations that are gone: in the background, a page after the other, from wherever it is.

Whoever searched in one when it was dropped is let finish. Several processes may remove the same.
"""

import asyncio
import itertools
import logging
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from indelible.indexes.dynamodb.encoding import LEAST, above, decode_suffix
from indelible.indexes.dynamodb.entries import (
    ALL,
    BODY,
    JOURNALS,
    PARTITION,
    REFUSED,
    SORT,
    Key,
    document_key,
    documents_partition,
    hint_key,
    list_names,
    list_partition,
    old_document_key,
)
from indelible.indexes.dynamodb.service import Patience
from indelible.indexes.dynamodb.state import FORMAT, Gone, removed
from indelible.indexes.dynamodb.table import Stretch, Table, whole
from indelible.indexes.index import IndexUnavailable
from indelible.limits import (
    DYNAMODB_ENTRIES_PER_PAGE_MAX,
    DYNAMODB_IDLE_MAX_S,
    DYNAMODB_REMOVE_AFTER_S,
    DYNAMODB_REMOVE_PAUSE_S,
    DYNAMODB_STEP_MAX_S,
)

_log: Final = logging.getLogger(__name__)
_ID_SIZE_BYTES: Final = 16


async def keep_removing(table: Table) -> None:
    """Until nothing is left to remove."""
    while True:
        try:
            gone = (await table.state(_patience())).removing
            if not gone:
                return
            await asyncio.sleep(DYNAMODB_REMOVE_AFTER_S)
            for one in gone:
                await _remove(table, one)
        except IndexUnavailable as error:
            _log.warning("what is left of a query index that was dropped is not removed yet: %s", error)
            await asyncio.sleep(DYNAMODB_REMOVE_PAUSE_S)


async def _remove(table: Table, gone: Gone) -> None:
    await _remove_unlisted(table, gone.number)
    for name in list_names(gone.fields):
        stretch = _all_of(list_partition(gone.number, name))
        async for page in table.pages(stretch, _patience(), sizes=itertools.repeat(DYNAMODB_ENTRIES_PER_PAGE_MAX)):
            keys = [Key(item[PARTITION]["B"], item[SORT]["B"]) for item in page]
            if name in (REFUSED, ALL):
                await _remove_documents(table, gone, keys)
            await table.remove(keys, _patience())
    await table.change(lambda state: removed(state, gone), _patience())


async def _remove_documents(table: Table, gone: Gone, entries: Iterable[Key]) -> None:
    keys: dict[Key, None] = {}
    key_of = document_key if gone.format == FORMAT else old_document_key
    for entry in entries:
        place, step = decode_suffix(entry.sort)
        keys[key_of(gone.number, place, step)] = keys[hint_key(gone.number, place.event_id)] = None
    await table.remove(keys, _patience())


async def _remove_unlisted(table: Table, number: int) -> None:
    """Documents of steps that were given up, which may stand in no list."""
    for journal in await whole(table, _all_of(list_partition(number, JOURNALS)), _patience()):
        ids = journal[BODY]["B"]
        for start in range(0, len(ids), _ID_SIZE_BYTES):
            partition = documents_partition(number, UUID(bytes=ids[start : start + _ID_SIZE_BYTES]))
            items = await whole(table, _all_of(partition), _patience())
            await table.remove((Key(partition, item[SORT]["B"]) for item in items), _patience())
        await table.remove([Key(journal[PARTITION]["B"], journal[SORT]["B"])], _patience())


def _all_of(partition: bytes) -> Stretch:
    return Stretch(partition, LEAST, above(b""))


def _patience() -> Patience:
    return Patience(DYNAMODB_STEP_MAX_S, DYNAMODB_IDLE_MAX_S)
