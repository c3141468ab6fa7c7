"""What the suites of query indexes share: documents, an index that holds them, and what is found in it."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import pytest
from msgspec.structs import replace

from indelible.cursors import START, Cursor, cursor_at
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey, new_event_id
from indelible.indexes.able import check_able
from indelible.indexes.index import Document, Generation, Place, QueryIndex
from indelible.search import FieldType, Order, SearchQuery, Value, Where

MakeIndex = Callable[[], QueryIndex]
"""Gives a new index, not yet open; if the index is durable, over the same storage each time."""

FIELDS: Final[Mapping[str, FieldType]] = {
    "event_data.name": "string",
    "event_data.amount": "number",
    "event_data.is_paid": "boolean",
    "event_data.due": "time",
}
NAME, AMOUNT, IS_PAID, DUE = FIELDS

FIRST_US: Final = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z: the time of the first document that :func:`document` makes."""

_numbers: Final = itertools.count(1)


def document(
    *,
    time_us: int | None = None,
    position: int | None = None,
    event_id: UUID | None = None,
    event_type: str = "Happened",
    aggregate: tuple[str, str] = ("order", "1"),
    version: int = 1,
    tags: Sequence[str] = (),
    text: str = "",
    values: Mapping[str, Iterable[Value]] | None = None,
) -> Document:
    """Each a second after the one before, where no place is given."""
    number = next(_numbers)
    place = Place(
        FIRST_US + number * 1_000_000 if time_us is None else time_us,
        number if position is None else position,
        new_event_id() if event_id is None else event_id,
    )
    held = {path: tuple(found) for path, found in (values or {}).items()}
    return Document(place, event_type, AggregateKey(*aggregate), version, tuple(sorted(tags)), held, text)


def having(path: str, *found: Value) -> Document:
    return document(values={path: found})


async def empty(index: QueryIndex, fields: Mapping[str, FieldType] = FIELDS) -> Generation:
    """The index, serving an empty generation with these fields."""
    return await filled(index, [], fields)


async def filled(
    index: QueryIndex, documents: Sequence[Document], fields: Mapping[str, FieldType] = FIELDS
) -> Generation:
    """The index, serving a generation with these documents and no others."""
    await index.drop()
    begun = await index.begin(fields)
    await index.apply(begun.number, documents, after=START, cursor=cursor_at(1))
    await index.swap(begun.number)
    serving = (await index.state()).serving
    assert serving is not None
    return serving


async def more(index: QueryIndex, documents: Sequence[Document]) -> Cursor:
    """Added to the generation that serves; its new cursor."""
    serving = (await index.state()).serving
    assert serving is not None
    cursor = cursor_at(int(serving.cursor) + 1)
    await index.apply(serving.number, documents, after=serving.cursor, cursor=cursor)
    return cursor


def as_able(index: QueryIndex, query: SearchQuery, fields: Mapping[str, FieldType] = FIELDS) -> SearchQuery:
    """The query; with something that finds every event, if the index only narrows by what the query says."""
    checked = query.checked(fields)
    try:
        check_able(checked, index.capabilities)
    except InvalidRequest:
        return replace(query, since=datetime(1, 1, 1, tzinfo=UTC))
    return query


async def found(
    index: QueryIndex,
    query: SearchQuery,
    *,
    order: Order = "oldest",
    limit: int = 1_000,
    fields: Mapping[str, FieldType] = FIELDS,
) -> list[Place]:
    """All of it, page by page."""
    checked, places, behind = as_able(index, query, fields).checked(fields), list[Place](), None
    while True:
        hits, _ = await index.search(checked, order=order, limit=limit, behind=behind)
        assert not hits.aggregates
        assert len(hits.places) <= limit
        assert hits.places or hits.is_last, "a page that is not the last must come further"
        places += hits.places
        if hits.is_last:
            return places
        behind = places[-1]


async def found_aggregates(
    index: QueryIndex, query: SearchQuery, *, limit: int = 1_000, fields: Mapping[str, FieldType] = FIELDS
) -> list[AggregateKey]:
    """All of them, page by page."""
    checked, keys, behind = as_able(index, query, fields).checked(fields), list[AggregateKey](), None
    while True:
        hits, _ = await index.search_aggregates(checked, limit=limit, behind=behind)
        assert not hits.places
        assert len(hits.aggregates) <= limit
        assert hits.aggregates or hits.is_last, "a page that is not the last must come further"
        keys += hits.aggregates
        if hits.is_last:
            return keys
        behind = keys[-1]


async def those_where(
    index: QueryIndex, documents: Sequence[Document], field: str, operator: Any, value: Any
) -> list[int]:
    """Which of the documents are found, by their number in the list."""
    return await those_found(index, documents, SearchQuery(where=(Where(field, operator, value),)))


async def those_found(index: QueryIndex, documents: Sequence[Document], query: SearchQuery) -> list[int]:
    numbers = {one.place: number for number, one in enumerate(documents)}
    return sorted(numbers[place] for place in await found(index, query))


class WithIndex:
    @pytest.fixture
    async def index(self, make_index: MakeIndex) -> AsyncIterator[QueryIndex]:
        index = make_index()
        await index.open()
        yield index
        await index.close()
