"""Random documents and queries, by which any query index is compared with the model. In a test module::

    @given(scenarios())
    def test_as_the_model(scenario):
        asyncio.run(compare(MyIndex(...), scenario))

Needs hypothesis.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, NamedTuple
from uuid import UUID

from hypothesis import strategies as st
from msgspec.structs import replace

from indelible.cursors import START, cursor_at
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey
from indelible.indexes.index import Document, Place, QueryIndex
from indelible.indexes.memory import MemoryIndex
from indelible.search import OWN_FIELDS, CheckedQuery, FieldType, Order, SearchQuery, Value, Where, kept_value
from indelible.testing.conformance.index_helpers import as_able

FIELDS: Final[Mapping[str, FieldType]] = {
    "event_data.s": "string", "event_data.n": "number", "event_data.b": "boolean", "event_data.t": "time",
}  # fmt: skip

_LAST_US: Final = 253_402_300_799_999_990
_times_us: Final = st.builds(
    int.__add__, st.sampled_from([-1_000_000, 0, 1_000, 1_767_225_600_000_000, _LAST_US]), st.integers(0, 9)
)
_names: Final = st.sampled_from(["a", "ab", "b", "é", "\U0001f600", "a%"])
_strings: Final = st.one_of(st.sampled_from(["", "a", "a\x00", "ab", "A", "\ud7ff", "\ue000"]), st.text(max_size=3))
_numbers: Final = st.one_of(
    st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, 2.0**63, 2.0**53]),
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False),
)  # fmt: skip
_texts: Final = st.lists(
    st.sampled_from(["a", "b", "Crème", "creme", "AND", "x-y", '"', "*", "東京", "(", "Ω"]), max_size=6
).map(" ".join)
_ids: Final = st.builds(lambda high, low: UUID(int=high << 124 | low), st.integers(0, 15), st.integers(0, 3))


class Scenario(NamedTuple):
    batches: Sequence[Sequence[Document]]
    swapped_at: int
    """After so many batches."""
    queries: Sequence[SearchQuery]
    limit: int


def _kept(kind: FieldType, value: Any) -> Value:
    kept = kept_value(value, kind)
    assert kept is not None, (kind, value)
    return kept


def _values(path: str) -> st.SearchStrategy[tuple[Value, ...]]:
    kind = FIELDS[path]
    values: Mapping[FieldType, st.SearchStrategy[Any]] = {
        "string": _strings, "number": _numbers.map(lambda one: _kept("number", one)), "boolean": st.booleans(),
        "time": _times_us,
    }  # fmt: skip
    return st.lists(values[kind], min_size=1, max_size=2, unique=True).map(tuple)


def _documents(places: Sequence[Place]) -> st.SearchStrategy[Document]:
    return st.builds(
        Document,
        st.sampled_from(places),
        _names,
        st.builds(AggregateKey, _names, _names),
        st.integers(1, 4),
        st.lists(_names, max_size=2, unique=True).map(sorted).map(tuple),
        st.fixed_dictionaries({}, optional={path: _values(path) for path in FIELDS}),
        _texts,
    )


def _moment(time_us: int, hours: int) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    return moment.astimezone(timezone(timedelta(hours=hours))) if abs(time_us) < _LAST_US else moment


_moments: Final = st.builds(_moment, _times_us, st.integers(-12, 14))


def _asked(field: str) -> st.SearchStrategy[Any]:
    kind = {**OWN_FIELDS, **FIELDS}[field]
    if field == "event_id":
        return st.one_of(_ids.map(str), st.sampled_from(["", "3", "A", "f", "g"]))
    if kind == "string":
        return st.one_of(_names, _strings)
    return {"number": _numbers, "boolean": st.booleans(), "time": _moments}[kind]


@st.composite
def _conditions(draw: st.DrawFn) -> Where:
    field = draw(st.sampled_from([*OWN_FIELDS, *FIELDS]))
    operator = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "in", "exists", "prefix"]))
    if operator == "exists":
        return Where(field, "exists", draw(st.booleans()))
    if operator == "in":
        return Where(field, "in", draw(st.lists(_asked(field), min_size=1, max_size=20)))
    return Where(field, operator, draw(_asked(field)))


def _some_names() -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(_names, max_size=2).map(tuple)


def _queries() -> st.SearchStrategy[SearchQuery]:
    return st.builds(
        SearchQuery,
        query=st.one_of(st.just(""), _texts, _texts.map(lambda text: f'"{text}"')),
        where=st.lists(_conditions(), max_size=2).map(tuple),
        event_types=st.one_of(st.just(()), _some_names()),
        aggregate_types=st.one_of(st.just(()), _some_names()),
        tags=st.one_of(st.just(()), _some_names()),
        since=st.none() | _moments,
        until=st.none() | _moments,
    )


_places: Final = st.lists(st.builds(Place, _times_us, st.integers(1, 9), _ids), min_size=1, max_size=20, unique=True)
"""Of few, so that events come again."""


def scenarios() -> st.SearchStrategy[Scenario]:
    return st.builds(
        Scenario,
        _places.flatmap(lambda places: st.lists(st.lists(_documents(places), max_size=8), min_size=1, max_size=4)),
        st.integers(0, 4),
        st.lists(_queries(), min_size=3, max_size=12),
        st.integers(1, 5),
    )


async def compare(index: QueryIndex, scenario: Scenario) -> None:
    """The index, which is open, must find what the model finds. All that is in it is dropped."""
    model = MemoryIndex()
    await index.drop()
    numbers = [(await one.begin(FIELDS)).number for one in (model, index)]
    cursor = START
    for count, batch in enumerate(scenario.batches):
        if count == scenario.swapped_at:
            await model.swap(numbers[0])
            await index.swap(numbers[1])
        after, cursor = cursor, cursor_at(count + 1)
        await model.apply(numbers[0], batch, after=after, cursor=cursor)
        assert not await index.apply(numbers[1], batch, after=after, cursor=cursor)
    await model.swap(numbers[0])
    await index.swap(numbers[1])
    for query in scenario.queries:
        asked = query if index.capabilities.text else replace(query, query="")
        try:
            checked = as_able(index, asked, FIELDS).checked(FIELDS)
        except InvalidRequest:
            continue
        for order in ("newest", "oldest"):
            await _compare_events(index, model, checked, order, scenario.limit)
        await _compare_aggregates(index, model, checked, scenario.limit)


async def _compare_events(index: QueryIndex, model: MemoryIndex, query: CheckedQuery, order: Order, limit: int) -> None:
    behind: Place | None = None
    while True:
        expected, state = await model.search(query, order=order, limit=limit, behind=behind)
        hits, generation = await index.search(query, order=order, limit=limit, behind=behind)
        assert list(hits.places) == list(expected.places), (query, order, behind)
        assert hits.is_last == expected.is_last, (query, order, behind)
        assert (generation.cursor, generation.documents) == (state.cursor, state.documents)
        if hits.is_last:
            return
        behind = hits.places[-1]


async def _compare_aggregates(index: QueryIndex, model: MemoryIndex, query: CheckedQuery, limit: int) -> None:
    behind: AggregateKey | None = None
    while True:
        expected, _ = await model.search_aggregates(query, limit=limit, behind=behind)
        hits, _ = await index.search_aggregates(query, limit=limit, behind=behind)
        assert list(hits.aggregates) == list(expected.aggregates), (query, behind)
        assert hits.is_last == expected.is_last, (query, behind)
        if hits.is_last:
            return
        behind = hits.aggregates[-1]
