"""Appends as every form of request has them: how many events there may be, and where something is wrong."""

from collections.abc import Callable, Collection, Iterator, Sequence, Sized
from typing import Protocol, TypeVar

from indelible.conditions import AppendCondition
from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InvalidRequest, PayloadTooLarge
from indelible.events import NewEvent
from indelible.eventstore import AggregateAppend, AppendRequest
from indelible.limits import REQUEST_EVENTS_MAX, REQUEST_TAGS_MAX, TAGS_PER_EVENT_MAX
from indelible.queries import QueryItem


class _Event(Protocol):
    """As it came."""

    @property
    def tags(self) -> Sized: ...


class _Append(Protocol):
    """As it came."""

    @property
    def events(self) -> Collection[_Event]: ...


T = TypeVar("T")
A = TypeVar("A", bound=_Append)


def check_event_count(count: int, pointer: str) -> None:
    if count > REQUEST_EVENTS_MAX:
        message = f"holds {count} events, more than {REQUEST_EVENTS_MAX}"
        raise PayloadTooLarge(message, pointer=pointer, events_max=REQUEST_EVENTS_MAX)


def check_counts(given: Sequence[Collection[_Event]], pointer: str) -> None:
    """Of the events of all appends of a request, before any is made: that takes time."""
    count = sum(map(len, given))
    check_event_count(count, pointer)
    # Fewer events cannot have too many: each has a bound of its own.
    if count * TAGS_PER_EVENT_MAX > REQUEST_TAGS_MAX:
        tags = sum(len(event.tags) for events in given for event in events)
        if tags > REQUEST_TAGS_MAX:
            message = f"holds {tags} tags, more than {REQUEST_TAGS_MAX}"
            raise PayloadTooLarge(message, pointer=pointer, tags_max=REQUEST_TAGS_MAX)


def make_events(given: Sequence[T], make: Callable[[T], NewEvent], pointer: str) -> tuple[NewEvent, ...]:
    """The events that stand at ``pointer``."""
    check_event_count(len(given), pointer)
    events: list[NewEvent] = []
    try:
        for one in given:
            events.append(make(one))  # noqa: PERF401 - the error handler needs to know how far it came
    except InvalidRequest as error:
        raise error.under(f"{pointer}/{len(events)}") from None
    return tuple(events)


def make_request(
    given: Sequence[A],
    make: Callable[[A, str], AggregateAppend],
    fail_if: tuple[QueryItem, ...] | None,
    after: str,
) -> AppendRequest:
    """An atomic append. ``make`` gets what stands for one append, and the pointer to it; ``fail_if`` is None without a
    condition."""
    check_counts([one.events for one in given], "/appends")
    appends = tuple(make(one, f"/appends/{i}") for i, one in enumerate(given))
    if fail_if is None:
        return AppendRequest(appends)
    return AppendRequest(appends, AppendCondition(fail_if, Cursor.parse(after, "/condition/after")))


def make_batch(
    given: Sequence[A], make: Callable[[A, str], AggregateAppend]
) -> Iterator[AggregateAppend | IndelibleError]:
    """Each append of a batch, or what is wrong with it, its pointer counted from the append; made as they are taken.

    Raises at once for a batch that is wrong as a whole.
    """
    if not given:
        raise InvalidRequest("must hold at least one append", pointer="/appends")
    check_counts([one.events for one in given], "/appends")

    def append_or_error(one: A) -> AggregateAppend | IndelibleError:
        try:
            return make(one, "")
        except InvalidRequest as error:
            return error

    return map(append_or_error, given)
