"""Lists of what a principal may read: their pages and cursors tell of nothing else."""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import asdict, replace

from indelible.access import RESERVED_PREFIX, Reach
from indelible.errors import InvalidRequest
from indelible.eventstore import AggregateInfo, AggregateList, EventStore
from indelible.limits import QUERY_NAMES_MAX
from indelible.operations.search import check_search
from indelible.queries import QueryItem, check_list_cursor, check_page, check_prefix
from indelible.search import ReadableQuery, SearchQuery

_NOTHING_YET: Final = ""
"""The cursor of a list that holds nothing yet; every store takes it."""


async def _readable_types(store: EventStore, reach: Reach) -> list[str]:
    """Those that there are, in the order of lists."""
    if not (reach.prefixes or reach.with_own):
        return sorted(reach.names, key=str.encode)
    found = {one.aggregate_type for one in await store.event_types()}
    return sorted(filter(reach.covers, found), key=str.encode)


async def list_readable_aggregates(
    store: EventStore, reach: Reach, *, prefix: str, after: str | None, limit: int
) -> AggregateList:
    """As ``EventStore.list_aggregates``, of all types that may be read. One type after the other: the cursor of a page
    names the last aggregate that the page was made of, and so it is one that may be read."""
    check_prefix(prefix)
    check_page(limit)
    check_list_cursor(after)
    found: list[AggregateInfo] = []
    cursor = after
    for aggregate_type in await _readable_types(store, reach):
        left = limit - len(found)
        page = await store.list_aggregates(
            aggregate_type=aggregate_type, prefix=prefix, after=cursor, limit=max(left, 1)
        )
        if not left and page.aggregates:
            return AggregateList(tuple(found), cursor or _NOTHING_YET, at_end=False)
        if page.aggregates:
            found += page.aggregates
            cursor = page.cursor
        if not page.at_end:
            return AggregateList(tuple(found), cursor or _NOTHING_YET, at_end=False)
    return AggregateList(tuple(found), cursor or _NOTHING_YET, at_end=True)


async def searched_types(store: EventStore, reach: Reach, query: SearchQuery) -> SearchQuery:
    """The query, of nothing but what may be read. It says so to the index, so that neither counts nor cursors tell of
    anything else. Raises ``Forbidden`` when it names what may not be read."""
    named = QueryItem.checked(check_search(query).event_types, query.aggregate_types, query.tags).aggregate_types
    for aggregate_type in named:
        reach.check(aggregate_type)
    if named or reach.covers_all:
        # The store's own events are in no index.
        return query
    types = await _readable_types(store, reach) or [_none_of(reach.prefixes)]
    if len(types) > QUERY_NAMES_MAX:
        raise InvalidRequest(
            f"name some: there are {len(types)} that you may read, and {QUERY_NAMES_MAX} at most are searched at once",
            pointer="/aggregate_types",
        )
    granted = (*sorted(reach.names), *sorted(f"{prefix}*" for prefix in reach.prefixes))
    return ReadableQuery(**asdict(replace(query, aggregate_types=tuple(types))), reach=granted)


def _none_of(prefixes: Iterable[str]) -> str:
    """A name that may be read, and that no event has."""
    return next(iter(prefixes), RESERVED_PREFIX)
