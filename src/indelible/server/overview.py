"""What a caller sees of a store at a glance: how much it holds, who reads it, and how far behind they are.

Each question is asked once at a time, and waited for no longer than a probe waits: a store that hangs, or one with a
huge catalogue, is not asked more for being asked often.
"""

import asyncio
import heapq
import weakref
from collections.abc import Awaitable, Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, Final, Generic, Self, TypeVar

import msgspec

from indelible.errors import Forbidden, IndelibleError
from indelible.eventstore import AggregateTypeInfo, EventStore, EventTypeInfo, Head
from indelible.limits import OVERVIEW_ROWS_MAX
from indelible.server.services import StoreQuestion

T = TypeVar("T")


class Top(msgspec.Struct, Generic[T], frozen=True):
    """The rows that say most, and how many there are in all."""

    total: int
    first: tuple[T, ...]

    @classmethod
    def of(cls, rows: Iterable[T], *by: str) -> Self:
        """Those that are largest by these fields."""
        every = tuple(rows)
        return cls(len(every), tuple(heapq.nlargest(OVERVIEW_ROWS_MAX, every, key=attrgetter(*by))))


class GroupRow(msgspec.Struct, frozen=True):
    """A consumer group, in short."""

    group: str
    position: int
    lag: int
    in_flight: int
    parked: int
    is_stalled: bool


class RelayRow(msgspec.Struct, frozen=True):
    """A relay, in short."""

    relay: str
    state: str
    position: int
    lag: int
    lag_s: float
    set_aside: int
    problem: str | None


class StoreView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What there is. A part that the caller may not see is missing, and so is one that did not answer."""

    head: Head | None = None
    aggregate_types: Top[AggregateTypeInfo] | None = None
    event_types: Top[EventTypeInfo] | None = None
    groups: Top[GroupRow] | None = None
    relays: Top[RelayRow] | None = None
    problems: Mapping[str, str] = {}
    """Why a part did not answer, by its name."""


async def _aggregate_types(store: EventStore) -> Top[AggregateTypeInfo]:
    return Top.of(await store.aggregate_types(), "events", "aggregate_type")


async def _event_types(store: EventStore) -> Top[EventTypeInfo]:
    return Top.of(await store.event_types(), "events", "event_type")


async def _groups(store: EventStore) -> Top[GroupRow]:
    found = await store.groups.list()
    return Top.of((_in_short(one, GroupRow) for one in found), "is_stalled", "lag", "parked", "group")


async def _relays(store: EventStore) -> Top[RelayRow]:
    return Top.of((_in_short(one, RelayRow) for one in await store.relays.list()), "lag", "relay")


def _in_short(whole: object, kind: type[T]) -> T:
    return msgspec.convert(whole, kind, from_attributes=True)


_PARTS: Final[Mapping[str, Callable[[EventStore], Awaitable[Any]]]] = {
    "head": lambda store: store.head(),
    "aggregate_types": _aggregate_types,
    "event_types": _event_types,
    "groups": _groups,
    "relays": _relays,
}

_Questions = Mapping[str, StoreQuestion[Any]]


class StoreViews:
    """Views of stores. Callers who may do the same have the same store, and share the answer that is under way."""

    def __init__(self) -> None:
        self._questions: Final[weakref.WeakKeyDictionary[EventStore, _Questions]] = weakref.WeakKeyDictionary()

    async def of(self, store: EventStore) -> StoreView:
        questions = self._questions.get(store)
        if questions is None:
            questions = self._questions[store] = {name: _question(store, ask) for name, ask in _PARTS.items()}
        answers = await asyncio.gather(*(one.ask() for one in questions.values()), return_exceptions=True)
        parts: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for name, answer in zip(questions, answers, strict=True):
            if not isinstance(answer, BaseException):
                parts[name] = answer
            elif not isinstance(answer, IndelibleError):
                raise answer
            elif not isinstance(answer, Forbidden):
                problems[name] = answer.message
        return StoreView(**parts, problems=problems)


def _question(store: EventStore, ask: Callable[[EventStore], Awaitable[T]]) -> StoreQuestion[T]:
    """Which does not keep the store: whoever asks has it."""
    found = weakref.ref(store)

    async def ask_it() -> T:
        seen = found()
        assert seen is not None, "whoever asks has it"
        return await ask(seen)

    return StoreQuestion(ask_it)
