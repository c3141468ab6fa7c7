"""What is particular to the index in DynamoDB: what it refuses, what it reads at most, what it removes."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from dynamodb.server import Dynalite
from indelible.cursors import START, cursor_at
from indelible.errors import InvalidRequest
from indelible.indexes.able import check_able
from indelible.indexes.dynamodb import DynamoIndex, entries, removing, searching, writing
from indelible.indexes.dynamodb.entries import JOURNALS, PARTITION, STATE_KEY, list_partition
from indelible.indexes.dynamodb.service import Patience
from indelible.indexes.dynamodb.state import (
    FORMAT,
    GenerationState,
    State,
    begun,
    claimed,
    committed,
    decode_state,
    encode_state,
    swapped,
)
from indelible.indexes.index import Capabilities, Document, IndexMoved, IndexState, IndexUnavailable, SearchTooBroad
from indelible.search import SearchQuery, Where
from indelible.testing.conformance.index_helpers import (
    AMOUNT,
    FIELDS,
    NAME,
    document,
    filled,
    found,
    found_aggregates,
    having,
    more,
    those_found,
)
from indexes.troubled import until

ALL = SearchQuery()
PATIENCE_S = 60
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def url(dynalite: Dynalite) -> str:
    return dynalite.new_url()


@pytest.fixture
async def index(url: str) -> AsyncIterator[DynamoIndex]:
    index = DynamoIndex.of(url)
    await index.open()
    yield index
    await index.close()


# --- What it cannot answer -------------------------------------------------------------------------------------------

VERSION, EVENT_ID, UNPAID = Where("version", "=", 1), Where("event_id", "=", "x"), Where(NAME, "!=", "a")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        (SearchQuery("word"), "/query"),
        (SearchQuery("word", tags=("t",)), "/query"),
        (SearchQuery(where=(VERSION,)), "/where/0/field"),
        (SearchQuery(where=(UNPAID, EVENT_ID, VERSION)), "/where/1/field"),
        (SearchQuery(where=(VERSION,), until=EPOCH), "/where/0/field"),
        (SearchQuery(where=(Where("version", "exists"),)), "/where/0/field"),
    ],
)
async def test_what_it_cannot_lead_is_refused(index: DynamoIndex, query: SearchQuery, pointer: str) -> None:
    await filled(index, [])
    checked = query.checked(FIELDS)
    for search in (
        index.search(checked, order="newest", limit=1, behind=None),
        index.search_aggregates(checked, limit=1, behind=None),
    ):
        with pytest.raises(InvalidRequest) as caught:
            await search
        assert caught.value.pointer == pointer
        assert "give" in caught.value.message or "add types, a tag, since" in caught.value.message


def test_what_it_can_lead_is_not() -> None:
    for query in (
        ALL, SearchQuery(where=(VERSION,), since=EPOCH), SearchQuery(where=(VERSION,), tags=("t",)),
        SearchQuery(where=(VERSION,), event_types=("A",)), SearchQuery(where=(VERSION, Where(NAME, "exists"))),
        SearchQuery(where=(EVENT_ID, Where("aggregate_id", "=", "1"))),
        SearchQuery(where=(VERSION, Where("timestamp", ">", "2026-01-01T00:00:00Z"))),
    ):  # fmt: skip
        check_able(query.checked(FIELDS), searching.CAPABILITIES)
    words = SearchQuery("word", where=(VERSION,)).checked(FIELDS)
    check_able(words, Capabilities(text=True, narrowing_only=frozenset({"version"})))


# --- What it reads ---------------------------------------------------------------------------------------------------


async def test_bounds_of_what_is_read(index: DynamoIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pages lead on to all that fits; what is rare among very many is too broad."""
    for name, bound in (("ENTRIES_MAX", 60), ("ENTRIES_SORTED_MAX", 20), ("ENTRIES_PROBED", 5)):
        monkeypatch.setattr(searching, f"DYNAMODB_{name}", bound)
    monkeypatch.setattr(searching, "DYNAMODB_ENTRIES_PER_PAGE_MAX", 20)
    documents = [
        document(event_type="AB"[n % 2], tags=["t"], values={AMOUNT: [n], NAME: ["rare" if n in {100, 110} else "n"]})
        for n in range(200)
    ]
    await filled(index, documents)
    tagged = SearchQuery(tags=("t",), event_types=("A",))
    checked = tagged.checked(FIELDS)
    first, _ = await index.search(checked, order="oldest", limit=100, behind=None)
    assert 0 < len(first.places) < 100
    assert not first.is_last
    assert await found(index, tagged, limit=100) == [one.place for one in documents[::2]]
    rare = Where(NAME, "=", "rare")
    assert await those_found(index, documents, SearchQuery(tags=("t",), where=(rare,))) == [100, 110]
    assert len(await found(index, SearchQuery(where=(Where(AMOUNT, ">=", 60),)), limit=9)) == 140
    broad = SearchQuery(tags=("t",), where=(Where(NAME, "!=", "n"),)).checked(FIELDS)
    with pytest.raises(SearchTooBroad, match="looked at 60 events"):
        await index.search(broad, order="oldest", limit=2, behind=None)
    with pytest.raises(SearchTooBroad):
        await index.search_aggregates(checked, limit=2, behind=None)
    monkeypatch.setattr(searching, "SEARCH_TIMEOUT_S", 0.0)
    with pytest.raises(SearchTooBroad, match="longer than"):
        await index.search(ALL.checked(FIELDS), order="oldest", limit=2, behind=None)


async def test_documents_too_large_for_an_entry(index: DynamoIndex) -> None:
    """They are looked up; what an entry says by itself is not."""
    long = "x" * 950
    documents = [
        document(aggregate=("order", f"{n % 3}"), tags=["t"], values={NAME: [f"{long}{n}", f"{long}!"], AMOUNT: [n]})
        for n in range(12)
    ]
    await filled(index, documents)
    every = list(range(12))
    for where, expected in (
        (Where(NAME, "=", f"{long}3"), [3]), (Where(NAME, "=", f"{long}!"), every),
        (Where(NAME, "prefix", long), every), (Where(NAME, "prefix", f"{long}1"), [1, 10, 11]),
        (Where(NAME, ">", f"{long}8"), [9]),
        (Where(NAME, "<=", f"{long}10"), every), (Where(NAME, "<", f"{long}!"), []),
        (Where(NAME, "in", [f"{long}{n}" for n in range(4, 30)]), [4, 5, 6, 7, 8, 9, 10, 11]),
    ):  # fmt: skip
        query = SearchQuery(where=(where,))
        assert await those_found(index, documents, query) == expected, where.operator
        narrowed = SearchQuery(where=(where, Where(AMOUNT, "!=", 3)), tags=("t",))
        assert await those_found(index, documents, narrowed) == [one for one in expected if one != 3]
    assert len(await found_aggregates(index, SearchQuery(tags=("t",)))) == 3


async def test_many_values_at_once(index: DynamoIndex) -> None:
    """More lists than are looked at for being short, with some events in each."""
    documents = [having(AMOUNT, n % 40 * 1_000) for n in range(200)]
    await filled(index, documents)
    asked = [n * 1_000 for n in range(3, 33)]
    expected = [n for n in range(200) if 3 <= n % 40 < 33]
    query = SearchQuery(where=(Where(AMOUNT, "in", asked),))
    assert await those_found(index, documents, query) == expected
    assert [one.place for one in (documents[n] for n in expected)] == await found(index, query, limit=70)


# --- What is refused -------------------------------------------------------------------------------------------------


def too_large() -> Document:
    """Its values are more than an item may hold."""
    texts = [f"{n:03}" + "\U0001f600" * 990 for n in range(60)]
    return document(values={NAME: texts, AMOUNT: [1]})._replace(values={NAME: tuple(texts), "event_data.other": texts})


@pytest.fixture
def bad() -> Document:
    return too_large()


async def test_what_is_refused_is_listed_until_it_is_taken(
    index: DynamoIndex, url: str, bad: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields: dict[str, Any] = {**FIELDS, "event_data.other": "string"}
    good = [having(AMOUNT, 1), having(AMOUNT, 2)]
    await index.drop()
    begun = await index.begin(fields)
    (refused,) = await index.apply(begun.number, [good[0], bad, good[1]], after=START, cursor=cursor_at(3))
    assert refused.place == bad.place
    assert "409600 in an item" in refused.reason
    assert await index.rejected(begun.number) == [refused]
    await index.swap(begun.number)
    assert await found(index, ALL, fields=fields) == [one.place for one in good]
    assert (await index.state()).serving.documents == 2
    assert await index.apply(begun.number, [bad], after=cursor_at(3), cursor=cursor_at(3)) == [refused]
    again = DynamoIndex.of(url)
    await again.open()
    assert await again.rejected(begun.number) == [refused]
    await again.close()
    monkeypatch.setattr(writing, "_body", writing.body_of)
    smaller = bad._replace(values={NAME: bad.values[NAME][:9]})
    assert await index.apply(begun.number, [smaller], after=cursor_at(3), cursor=cursor_at(3)) == []
    assert await index.rejected(begun.number) == []
    assert await found(index, ALL, fields=fields) == [one.place for one in sorted([*good, bad])]
    assert (await index.state()).serving.documents == 3
    with pytest.raises(IndexMoved):
        await index.rejected(begun.number + 1)


async def test_what_dynamodb_takes_is_not_refused(index: DynamoIndex) -> None:
    """As large as may be, to the byte."""
    one = document(values={NAME: ["x"]})
    size = writing.ITEM_SIZE_BYTES_MAX - writing._KEY_SIZE_BYTES
    extra = tuple(f"{n:04}" + "y" * 49_996 for n in range((size - 700) // 50_003))
    two = one._replace(tags=extra, place=one.place._replace(position=9))
    rest = size - len(writing.encode_body(writing.body_of(two)))
    largest = two._replace(tags=(*extra, "z" * (rest - 3)))
    assert len(writing.encode_body(writing.body_of(largest))) == size
    await filled(index, [])
    assert await index.apply(1, [largest], after=cursor_at(1), cursor=cursor_at(2)) == []
    (refused,) = await index.apply(
        1, [largest._replace(tags=(*largest.tags, "1"))], after=cursor_at(2), cursor=cursor_at(3)
    )
    assert refused.place.event_id == one.place.event_id


# --- What is removed -------------------------------------------------------------------------------------------------


async def items_of(index: DynamoIndex) -> list[bytes]:
    """The partition keys of all items in the table."""
    answer = await index._service.call("scan", Patience(PATIENCE_S), TableName=index._target.table)
    assert "LastEvaluatedKey" not in answer
    return [item[PARTITION]["B"] for item in answer["Items"]]


async def until_only(index: DynamoIndex, generations: Iterable[int]) -> None:
    starts = (STATE_KEY.partition, *(list_partition(one, b"") for one in generations))

    async def is_so() -> bool:
        return all(one.startswith(starts) for one in await items_of(index))

    await until(is_so)


async def test_what_is_dropped_is_removed(index: DynamoIndex, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removing, "DYNAMODB_REMOVE_AFTER_S", 0.0)
    monkeypatch.setattr(removing, "DYNAMODB_ENTRIES_PER_PAGE_MAX", 7)
    documents = [document(tags=["t"], values={NAME: ["a", "b"]}) for _ in range(20)]
    first = await filled(index, documents)
    await more(index, [documents[0]._replace(tags=("u",))])
    # A step that was given up: its journal, and a document that stands in no list.
    step = await writing.Step.claimed(index._open_table, first.number, cursor_at(2))
    body, number = writing.body_of(document()), step._held.claimed
    journal = {**writing.journal_key(first.number, number).attributes, writing.BODY: {"B": body.event_id.bytes}}
    hint = writing.hint_key(first.number, body.event_id).attributes
    left = writing.items_of(first.number, FIELDS, body, number)[0]
    await index._open_table.put([journal, hint, left], Patience(PATIENCE_S))
    second = await filled(index, [document()])
    await until_only(index, [second.number])
    assert (await index.open()).serving == second

    async def nothing_is_left_to_do() -> bool:
        return not (await index._state()).removing

    await until(nothing_is_left_to_do)
    await index.drop()
    await until_only(index, [])


async def test_an_index_of_the_older_format_is_made_anew(
    index: DynamoIndex, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removing, "DYNAMODB_REMOVE_AFTER_S", 0.0)
    with monkeypatch.context() as older:
        older.setattr(entries, "document_key", entries.old_document_key)
        await filled(index, [document(tags=["t"]) for _ in range(3)])
    await index._open_table.change(lambda state: replace(state, format=1), Patience(PATIENCE_S))
    await index.close()
    assert await index.open() == IndexState(None, None)
    begun = await index.begin(FIELDS)
    assert begun.number == 2
    await until_only(index, [begun.number])


async def test_one_of_a_newer_format_is_left_alone(index: DynamoIndex) -> None:
    await filled(index, [document()])
    await index._open_table.change(lambda state: replace(state, format=FORMAT + 1), Patience(PATIENCE_S))
    with pytest.raises(IndexUnavailable, match=f"of format {FORMAT + 1}, this Indelible knows up to {FORMAT}"):
        await index.state()


async def test_removing_goes_on_where_it_was_interrupted(
    index: DynamoIndex, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(index, [document(tags=["t"]) for _ in range(20)])
    await index.drop()
    await index.close()
    assert len([one for one in await _items_of_other(url) if one != STATE_KEY.partition]) > 100
    monkeypatch.setattr(removing, "DYNAMODB_REMOVE_AFTER_S", 0.0)
    monkeypatch.setattr(removing, "DYNAMODB_ENTRIES_PER_PAGE_MAX", 3)
    for _ in range(3):
        async with contextlib.AsyncExitStack() as stack:
            other = DynamoIndex.of(url)
            await other.open()
            stack.push_async_callback(other.close)
            # Whoever writes next goes on with it.
            await other.begin({})
            before = len(await items_of(other))

            async def is_less(other: DynamoIndex = other, before: int = before) -> bool:
                # It may be done with all of it before it was looked at.
                return len(await items_of(other)) < before or not (await other._state()).removing

            await until(is_less)
    await index.open()
    begun = await index.begin({})
    await until_only(index, [begun.number])


async def _items_of_other(url: str) -> list[bytes]:
    other = DynamoIndex.of(url)
    await other.open()
    try:
        return await items_of(other)
    finally:
        await other.close()


# --- Steps -----------------------------------------------------------------------------------------------------------


def test_steps_that_were_given_up_never_count() -> None:
    state = swapped(begun(State(format=FORMAT), FIELDS), 1)
    for _ in range(3):
        state = claimed(state, 1, START)
    with pytest.raises(IndexMoved):
        committed(state, 1, 2, cursor=cursor_at(1), added=1, now_s=0)
    state = committed(state, 1, 3, cursor=cursor_at(5), added=5, now_s=0)
    assert committed(state, 1, 3, cursor=cursor_at(5), added=5, now_s=0) == state, "its answer was lost"
    with pytest.raises(IndexMoved):
        claimed(state, 1, START)
    held = state.generations[1]
    assert [held.counts(step) for step in range(1, 5)] == [False, False, True, False]
    assert decode_state(encode_state(state)) == state
    state = claimed(state, 1, cursor_at(5))
    state = committed(state, 1, 4, cursor=cursor_at(6), added=1, now_s=3_599)
    assert len(state.generations[1].void) == 1
    state = committed(claimed(state, 1, cursor_at(6)), 1, 5, cursor=cursor_at(7), added=1, now_s=3_600)
    assert state.generations[1] == GenerationState(dict(FIELDS), "7", 7, 5, 5, ())


async def test_the_journal_goes_with_its_step(index: DynamoIndex) -> None:
    first = await filled(index, [document()])
    await more(index, [document()])
    assert list_partition(first.number, JOURNALS) not in await items_of(index)
