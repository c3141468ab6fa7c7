"""The operations on the query index: the search, and what looks after the index."""

from typing import Annotated, Any, Final

import msgspec

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey
from indelible.index_state import IndexInfo
from indelible.limits import (
    CURSOR_LENGTH_MAX,
    PAGE_EVENTS_DEFAULT,
    SEARCH_CONDITIONS_MAX,
    SEARCH_REQUEST_SIZE_BYTES_MAX,
    SEARCH_TEXT_LENGTH_MAX,
    SEARCH_WAIT_MAX_S,
    SEARCH_WAIT_S,
)
from indelible.operations.operation import Nothing, Operation, Parameters
from indelible.queries import QueryItem, check_page, check_time
from indelible.search import (
    Order,
    SearchPage,
    SearchQuery,
    Where,
    check_flag,
    check_order,
    check_shape,
    check_text,
    check_wait,
)

# --- What they are asked with ----------------------------------------------------------------------------------------


class Search(Parameters, frozen=True, kw_only=True):
    """Which events: those that fit all parts. An empty part does not restrict."""

    query: Annotated[
        str,
        words.meta(
            "Text in the events' data: all of these words occur; words in quotation marks follow one another.",
            {"maxLength": SEARCH_TEXT_LENGTH_MAX},
        ),
    ] = ""
    where: Annotated[
        tuple[Where, ...],
        words.meta(
            "Conditions on fields. All must hold.",
            {"maxItems": SEARCH_CONDITIONS_MAX},
            example=[{"field": "event_data.customer.id", "operator": "=", "value": "c-1"}],
        ),
    ] = ()
    event_types: words.EventTypes = ()
    aggregate_types: words.AggregateTypes = ()
    tags: words.AllOfTags = ()
    since: Annotated[words.Time, words.meta("Only events of this time or a later one.")] | None = None
    until: Annotated[words.Time, words.meta("Only events of an earlier time.")] | None = None
    order: Annotated[Order, words.STRING, words.meta("Which come first. Aggregates come by type and id.")] = "newest"
    limit: words.PageLimit = PAGE_EVENTS_DEFAULT
    cursor: (
        Annotated[str, words.meta("The cursor of an earlier page of the same search. Opaque: take it as it is.")] | None
    ) = None
    aggregates: Annotated[
        bool, words.meta("Find the distinct aggregates of the events, not the events.", example=False)
    ] = False
    wait_for: (
        Annotated[
            Cursor,
            words.meta(
                "Answer when the index has come here: a cursor of the log, such as that of its head.",
                {"type": "string", "maxLength": CURSOR_LENGTH_MAX},
            ),
        ]
        | None
    ) = None
    wait_s: Annotated[
        float,
        words.meta("How long to wait for that, in seconds.", {"minimum": 0, "maximum": SEARCH_WAIT_MAX_S}, example=5.0),
    ] = SEARCH_WAIT_S
    allow_stale: Annotated[
        bool, words.meta("When the index has not come there in time, answer all the same.", example=False)
    ] = False

    @classmethod
    def of(cls, query: SearchQuery, **more: Any) -> "Search":
        return cls(**msgspec.structs.asdict(check_search(query)), **more)

    @property
    def search_query(self) -> SearchQuery:
        return SearchQuery(**{name: getattr(self, name) for name in SearchQuery.__struct_fields__})

    def check(self) -> None:
        """What can be told without the index."""
        check_page(self.limit)
        check_order(self.order)
        check_wait(self.wait_s)
        if self.wait_for is not None:
            Cursor.parse(self.wait_for, "/wait_for")
        if self.cursor is not None and not (isinstance(self.cursor, str) and self.cursor.isascii()):
            raise InvalidRequest("is not the cursor of a page of this search", pointer="/cursor")
        for name in ("aggregates", "allow_stale"):
            check_flag(getattr(self, name), f"/{name}")
        check_shape(self.where)
        QueryItem.checked(self.event_types, self.aggregate_types, self.tags)
        check_text(self.query)
        check_time(self.since, "/since")
        check_time(self.until, "/until")


def check_search(query: object) -> SearchQuery:
    if not isinstance(query, SearchQuery):
        raise InvalidRequest(f"must be a SearchQuery, not {type(query).__name__}", pointer="/query")
    return query


# --- What they answer ------------------------------------------------------------------------------------------------


class FoundAggregate(msgspec.Struct, frozen=True):
    """An aggregate that has an event that fits."""

    aggregate_type: words.AggregateType
    aggregate_id: words.AggregateId


class SearchPageBody(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the events that were found, or of their aggregates."""

    events: Annotated[
        tuple[words.EventLine, ...],
        words.meta("In the order asked for, as the log has them; none where aggregates were asked for."),
    ]
    aggregates: Annotated[
        tuple[FoundAggregate, ...], words.meta("By type and id; none where events were asked for.", example=[])
    ]
    cursor: Annotated[str | None, words.meta("Where the next page begins; null after the last.", example=None)] = None
    indexed_cursor: Annotated[
        Cursor, words.meta("Every event up to here was looked at. Opaque.", {"type": "string"}, example="3")
    ]
    lag: Annotated[int, words.meta("Positions from there to the head.", words.COUNT, example=0)]
    lag_s: Annotated[float, words.meta("Age of the oldest event that is not indexed.", words.COUNT, example=0.0)]
    is_stale: Annotated[bool, words.meta("Whether the index had not come to wait_for.", example=False)]

    @classmethod
    def of(cls, page: SearchPage) -> "SearchPageBody":
        lines = tuple(map(msgspec.Raw, page.lines.split(b"\n"))) if page.lines else ()
        found = tuple(FoundAggregate(one.aggregate_type, one.aggregate_id) for one in page.aggregates)
        return cls(
            events=lines, aggregates=found, cursor=page.cursor, indexed_cursor=page.indexed_cursor,
            lag=page.lag, lag_s=page.lag_s, is_stale=page.is_stale,
        )  # fmt: skip

    def page(self) -> SearchPage:
        return SearchPage(
            lines=b"\n".join(map(bytes, self.events)),
            count=len(self.events) + len(self.aggregates),
            aggregates=tuple(AggregateKey(one.aggregate_type, one.aggregate_id) for one in self.aggregates),
            cursor=self.cursor,
            indexed_cursor=self.indexed_cursor,
            lag=self.lag,
            lag_s=self.lag_s,
            is_stale=self.is_stale,
        )


# --- The rows --------------------------------------------------------------------------------------------------------


async def _search(store: Any, asked: Search) -> SearchPage:
    page: SearchPage = await store.search(
        asked.search_query, order=asked.order, limit=asked.limit, cursor=asked.cursor, aggregates=asked.aggregates,
        wait_for=asked.wait_for, wait_s=asked.wait_s, allow_stale=asked.allow_stale,
    )  # fmt: skip
    return page


_INDEX_ERRORS: Final = ("search_unavailable", "shutting_down")

SEARCH: Final = Operation[Search, SearchPage](
    name="search", section="Search", summary="Search for events",
    description="In the query index, which follows the log: the answer says how far it had come. What is found is read "
    "from the log. With `wait_for` the answer comes when the index has come there: give the head's cursor to find what "
    "was appended before. A page may be short without being the last; go on until `cursor` is null.",
    parameters=Search, answer=SearchPageBody, to_answer=SearchPageBody.of, from_answer=SearchPageBody.page,
    answers="A page of what was found.",
    http="POST /v1/search", grpc="Search.Search", request_size_bytes_max=SEARCH_REQUEST_SIZE_BYTES_MAX,
    retry="poll", permission="read", call=_search,
    errors=("search_too_costly", *_INDEX_ERRORS, "index_behind", "index_building", "index_mismatch"),
)  # fmt: skip
GET_INDEX: Final = Operation[Nothing, IndexInfo](
    name="get_index", store_method="index.status", section="Search", summary="Get the state of the query index",
    description="What is searched, what is being built, how far each has come, and why it does not go on, if it does "
    "not.",
    parameters=Nothing, answer=IndexInfo, answers="The index.",
    http="GET /v1/index", grpc="Search.GetIndex",
    retry="read", permission="read", errors=_INDEX_ERRORS,
)  # fmt: skip
REBUILD_INDEX: Final = Operation[Nothing, IndexInfo](
    name="rebuild_index", store_method="index.rebuild", section="Search", summary="Build the query index anew",
    description="From the log, beside the one that is searched, which it replaces when it has come to the head. One "
    "that is being built already goes on.",
    parameters=Nothing, answer=IndexInfo, answers="The index as it is now.",
    http="POST /v1/index/rebuild", grpc="Search.RebuildIndex",
    retry="idempotent", permission="admin", errors=_INDEX_ERRORS,
)  # fmt: skip
RETRY_INDEX: Final = Operation[Nothing, IndexInfo](
    name="retry_index", store_method="index.retry", section="Search", summary="Try again what the query index refused",
    description="The events that it refused are read from the log once more. Those that it takes now are found, and "
    "leave the list; the others stay, with the new reason. An index that did not go on because the list was full does.",
    parameters=Nothing, answer=IndexInfo, answers="The index as it is now.",
    http="POST /v1/index/retry", grpc="Search.RetryIndex",
    retry="idempotent", permission="admin", errors=(*_INDEX_ERRORS, "index_mismatch"),
)  # fmt: skip
DROP_INDEX: Final = Operation[Nothing, None](
    name="drop_index", store_method="index.drop", section="Search", summary="Forget the query index",
    description="All of it. Searches are refused until it is built anew, which begins at once. No event is deleted.",
    parameters=Nothing, answer=None, answers="It is gone.",
    http="DELETE /v1/index", grpc="Search.DropIndex",
    retry="once", permission="admin", errors=_INDEX_ERRORS,
)  # fmt: skip

SEARCH_OPERATIONS: Final[tuple[Operation[Any, Any], ...]] = (SEARCH, GET_INDEX, REBUILD_INDEX, RETRY_INDEX, DROP_INDEX)
