"""What a reader asks for: which events, and how many at once."""

import sys
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Literal

import msgspec

from indelible import words
from indelible.access import is_own
from indelible.errors import InvalidRequest
from indelible.events import check_name, plain
from indelible.limits import (
    CONDITION_ITEMS_MAX,
    PAGE_EVENTS_MAX,
    QUERY_NAMES_MAX,
    SUBSCRIPTION_GATHER_MAX_S,
    TAG_LENGTH_MAX,
)

Direction = Literal["forward", "backward"]
_TEXT: Final = frozenset((str,))


class QueryItem(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One alternative of a query: any of the event types, any of the aggregate types, and all of the tags.

    An empty part does not restrict.
    """

    event_types: words.EventTypes = ()
    aggregate_types: words.AggregateTypes = ()
    tags: words.AllOfTags = ()

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            names = getattr(self, field)
            if type(names) is tuple and _TEXT.issuperset(map(type, names)):
                continue
            # Anything that could be read only once would be empty when it is asked again.
            if isinstance(names, Iterable) and not isinstance(names, (str, bytes)):
                msgspec.structs.force_setattr(self, field, tuple(map(plain, names)))

    @classmethod
    def checked(
        cls,
        event_types: Iterable[str] = (),
        aggregate_types: Iterable[str] = (),
        tags: Iterable[str] = (),
        pointer: str = "",
    ) -> "QueryItem":
        return cls(
            _check_names(event_types, pointer, "event_types"),
            _check_names(aggregate_types, pointer, "aggregate_types"),
            _check_names(tags, pointer, "tags", TAG_LENGTH_MAX),
        )

    @property
    def is_unrestricted(self) -> bool:
        return not (self.event_types or self.aggregate_types or self.tags)

    @property
    def is_lone_tag(self) -> bool:
        return len(self.tags) == 1 and not (self.event_types or self.aggregate_types)

    @property
    def name_count(self) -> int:
        return len(self.event_types) + len(self.aggregate_types) + len(self.tags)

    def matches(self, event_type: str, aggregate_type: str, tags: Collection[str]) -> bool:
        return (
            (not self.event_types or event_type in self.event_types)
            and (not self.aggregate_types or aggregate_type in self.aggregate_types)
            and all(tag in tags for tag in self.tags)
        )


def _check_names(names: Iterable[str], pointer: str, field: str, *limits: int) -> tuple[str, ...]:
    if names == ():
        return ()
    pointer = f"{pointer}/{field}"
    if isinstance(names, str):
        raise InvalidRequest("must be a list of strings, not one string", pointer=pointer)
    if not isinstance(names, Iterable):
        raise InvalidRequest(f"must be a list of strings, not {type(names).__name__}", pointer=pointer)
    # Millions may be given: no more are looked at than there may be, repeats counted.
    given = list(islice(names, QUERY_NAMES_MAX + 1))
    if len(given) > QUERY_NAMES_MAX:
        raise InvalidRequest(f"at most {QUERY_NAMES_MAX} names", pointer=pointer)
    return tuple(dict.fromkeys([check_name(name, f"{pointer}/{i}", *limits) for i, name in enumerate(given)]))


class EventQuery(msgspec.Struct, frozen=True):
    """Which events of the log: those that match any item (all, when there is none), within a time window."""

    items: tuple[QueryItem, ...] = ()
    since: datetime | None = None
    """Only events with this timestamp or a later one."""
    until: datetime | None = None
    """Only events with an earlier timestamp than this."""

    @classmethod
    def of(
        cls,
        *,
        event_types: Iterable[str] = (),
        aggregate_types: Iterable[str] = (),
        tags: Iterable[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> "EventQuery":
        """A query with one item, checked. ``since`` and ``until`` need a time zone."""
        item = QueryItem.checked(event_types, aggregate_types, tags)
        items = () if item.is_unrestricted else (item,)
        return cls(items, check_time(since, "/since"), check_time(until, "/until"))

    @property
    def is_unrestricted(self) -> bool:
        """Whether every event matches, the time window aside."""
        return not self.items or any(item.is_unrestricted for item in self.items)

    def matches(self, event_type: str, aggregate_type: str, tags: Collection[str]) -> bool:
        """Whether an event matches, the time window aside."""
        return not self.items or any(item.matches(event_type, aggregate_type, tags) for item in self.items)

    def names(self, aggregate_type: str) -> bool:
        """Whether an item asks for this aggregate type by name."""
        return any(aggregate_type in item.aggregate_types for item in self.items)

    def is_given(self, event_type: str, aggregate_type: str, tags: Collection[str]) -> bool:
        """Whether whoever consumes by this query is given an event that matches: of the store's own types only where an
        item asks for the type by name."""
        if not is_own(aggregate_type):
            return self.matches(event_type, aggregate_type, tags)
        asked = [item for item in self.items if aggregate_type in item.aggregate_types]
        return any(item.matches(event_type, aggregate_type, tags) for item in asked)

    def checked(self) -> "EventQuery":
        return EventQuery(
            check_items(self.items, "/items"), check_time(self.since, "/since"), check_time(self.until, "/until")
        )


def check_query(query: object) -> EventQuery:
    if not isinstance(query, EventQuery):
        raise InvalidRequest(f"must be an EventQuery, not {type(query).__name__}", pointer="/query")
    return query.checked()


def check_items(items: Iterable[QueryItem], pointer: str) -> tuple[QueryItem, ...]:
    if not isinstance(items, Iterable):
        raise InvalidRequest(f"must be a list of QueryItem, not {type(items).__name__}", pointer=pointer)
    given = list(islice(items, CONDITION_ITEMS_MAX + 1))
    if len(given) > CONDITION_ITEMS_MAX:
        raise InvalidRequest(f"at most {CONDITION_ITEMS_MAX} items", pointer=pointer)
    return tuple(_check_item(item, f"{pointer}/{i}") for i, item in enumerate(given))


def _check_item(item: QueryItem, pointer: str) -> QueryItem:
    if not isinstance(item, QueryItem):
        raise InvalidRequest(f"must be a QueryItem, not {type(item).__name__}", pointer=pointer)
    return QueryItem.checked(item.event_types, item.aggregate_types, item.tags, pointer)


def check_time(value: datetime | None, pointer: str) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise InvalidRequest("must be a time with a time zone, such as 2026-01-31T12:00:00Z", pointer=pointer)
    try:
        return value.astimezone(UTC)
    except (OverflowError, ValueError):
        raise InvalidRequest("is out of range", pointer=pointer) from None


def check_page(limit: int, direction: str = "forward") -> None:
    """Refuse what no page can be asked for with."""
    if direction not in ("forward", "backward"):
        raise InvalidRequest('must be "forward" or "backward"', pointer="/direction")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= PAGE_EVENTS_MAX:
        raise InvalidRequest(f"must be an integer from 1 to {PAGE_EVENTS_MAX}", pointer="/limit")


def check_prefix(prefix: object) -> str:
    """Refuse what no name can begin with. An empty one restricts nothing."""
    return "" if prefix == "" else check_name(prefix, "/prefix")


def behind_prefix(prefix: str) -> str | None:
    """The first string that is behind all that begin so; None where there is none. Strings are in the order of their
    code points, as their UTF-8 is."""
    for end in range(len(prefix), 0, -1):
        code = ord(prefix[end - 1]) + 1
        if code <= sys.maxunicode:
            # Surrogates are no characters.
            return prefix[: end - 1] + chr(0xE000 if code == 0xD800 else code)
    return None


def check_list_cursor(after: str | None) -> str | None:
    """Refuse what cannot be a cursor of a list; the rest only the store can tell."""
    if after is not None and not (isinstance(after, str) and after.isascii()):
        raise InvalidRequest("is not a cursor of this store", pointer="/after")
    return after


EVERYTHING: Final = EventQuery()


def check_gather(gather_s: object) -> float:
    """How long a subscription gathers what comes, in seconds."""
    return check_seconds(gather_s, "/gather_s", 0.0, SUBSCRIPTION_GATHER_MAX_S)


def check_seconds(value: object, pointer: str, least: float, most: float) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidRequest(f"must be a number of seconds, not {type(value).__name__}", pointer=pointer)
    if not least <= value <= most:
        raise InvalidRequest(f"must be from {least:g} to {most:g} seconds", pointer=pointer)
    return float(value)
