"""The model of a query index: every document is looked at. What any other backend finds, this one finds."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from indelible.cursors import START, Cursor
from indelible.events import AggregateKey, timestamp_to_us
from indelible.indexes.index import (
    Capabilities,
    Document,
    Generation,
    Hits,
    IndexMoved,
    IndexState,
    Place,
    Rejected,
    by_position,
)
from indelible.search import CheckedQuery, FieldType, Order, Value, Where, phrases_of, words_of

_Documents = dict[Place, Document]


class MemoryIndex:
    """Implements :class:`indelible.indexes.index.QueryIndex`, for as long as it is there."""

    capabilities: Final = Capabilities(text=True)

    def __init__(self) -> None:
        self._generations: dict[int, Generation] = {}
        self._documents: dict[int, _Documents] = {}
        self._rejected: dict[int, dict[Place, Rejected]] = {}
        self._serving: int | None = None
        self._building: int | None = None
        self._last_number = 0

    async def open(self) -> IndexState:
        return await self.state()

    async def state(self) -> IndexState:
        return IndexState(self._generation(self._serving), self._generation(self._building))

    def _generation(self, number: int | None) -> Generation | None:
        if number is None:
            return None
        return replace(self._generations[number], documents=len(self._documents[number]))

    async def begin(self, fields: Mapping[str, FieldType]) -> Generation:
        building = self._generation(self._building)
        if building is not None and building.fields == fields:
            return building
        self._forget(self._building)
        self._last_number += 1
        self._building = number = self._last_number
        self._generations[number] = Generation(number, dict(fields), START, 0)
        self._documents[number], self._rejected[number] = {}, {}
        return self._generations[number]

    async def apply(
        self, generation: int, documents: Sequence[Document], *, after: Cursor, cursor: Cursor, log_hash: str = ""
    ) -> Sequence[Rejected]:
        found = self._generation(self._known(generation))
        if found is None or found.cursor != after:
            raise IndexMoved(f"generation {generation} is not at cursor {after}")
        rejected = self._rejected[generation]
        refused: list[Rejected] = []
        for document in documents:
            reason = self.why_refused(document)
            if reason is None:
                self._documents[generation][document.place] = document
                rejected.pop(document.place, None)
            else:
                rejected[document.place] = Rejected(document.place, reason)
                refused.append(rejected[document.place])
        self._generations[generation] = replace(found, cursor=cursor, log_hash=log_hash)
        return refused

    def why_refused(self, document: Document) -> str | None:  # noqa: ARG002 - whoever refuses looks at it
        """None of those that are taken, as all are here. A subclass may refuse some."""
        return None

    async def rejected(self, generation: int) -> Sequence[Rejected]:
        if self._known(generation) is None:
            raise IndexMoved(f"generation {generation} is gone")
        return sorted(self._rejected[generation].values(), key=by_position)

    async def swap(self, generation: int) -> None:
        if generation == self._serving:
            return
        if generation != self._building:
            raise IndexMoved(f"generation {generation} is gone")
        self._forget(self._serving)
        self._serving, self._building = generation, None

    async def drop(self) -> None:
        self._forget(self._serving)
        self._forget(self._building)
        self._serving = self._building = None

    def _known(self, generation: int) -> int | None:
        return generation if generation in (self._serving, self._building) else None

    def _forget(self, number: int | None) -> None:
        if number is not None:
            del self._generations[number], self._documents[number], self._rejected[number]

    async def search(
        self, query: CheckedQuery, *, order: Order, limit: int, behind: Place | None
    ) -> tuple[Hits, Generation]:
        serving, documents = self._searched()
        places = [one.place for one in documents if fits(one, query)]
        places.sort(reverse=order == "newest")
        if behind is not None:
            places = [one for one in places if (one < behind if order == "newest" else one > behind)]
        return Hits(places[:limit], (), len(places) <= limit), serving

    async def search_aggregates(
        self, query: CheckedQuery, *, limit: int, behind: AggregateKey | None
    ) -> tuple[Hits, Generation]:
        serving, documents = self._searched()
        keys = {_as_bytes(one.aggregate): one.aggregate for one in documents if fits(one, query)}
        found = [keys[one] for one in sorted(keys) if behind is None or one > _as_bytes(behind)]
        return Hits((), found[:limit], len(found) <= limit), serving

    def _searched(self) -> tuple[Generation, list[Document]]:
        serving = self._generation(self._serving)
        if serving is None:
            raise IndexMoved("no generation is complete")
        return serving, list(self._documents[serving.number].values())

    async def close(self) -> None:
        pass


def _as_bytes(key: AggregateKey) -> tuple[bytes, bytes]:
    return key.aggregate_type.encode(), key.aggregate_id.encode()


# --- What fits -------------------------------------------------------------------------------------------------------


def fits(document: Document, query: CheckedQuery) -> bool:
    time_us = document.place.timestamp_us
    return (
        (not query.event_types or document.event_type in query.event_types)
        and (not query.aggregate_types or document.aggregate.aggregate_type in query.aggregate_types)
        and all(tag in document.tags for tag in query.tags)
        and (query.since is None or time_us >= timestamp_to_us(query.since))
        and (query.until is None or time_us < timestamp_to_us(query.until))
        and all(_condition_fits(_values(document, one.field), one) for one in query.where)
        and _text_fits(document.text, query.query)
    )


def _values(document: Document, field: str) -> tuple[Value, ...]:
    own: dict[str, Value] = {
        "event_id": str(document.place.event_id),
        "event_type": document.event_type,
        "aggregate_type": document.aggregate.aggregate_type,
        "aggregate_id": document.aggregate.aggregate_id,
        "version": document.version,
        "timestamp": document.place.timestamp_us,
    }
    return (own[field],) if field in own else document.values.get(field, ())


def _condition_fits(values: tuple[Value, ...], where: Where) -> bool:
    if where.operator == "exists":
        return bool(values) is where.value
    if where.operator == "!=":
        return all(one != where.value for one in values)
    return any(_COMPARISONS[where.operator](one, where.value) for one in values)


_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda value, asked: value in asked,
    "prefix": str.startswith,
}


def _text_fits(text: str, query: str) -> bool:
    words = words_of(text)
    return all(_occurs(words_of(phrase), words) for phrase in phrases_of(query))


def _occurs(phrase: list[str], words: list[str]) -> bool:
    return any(words[start : start + len(phrase)] == phrase for start in range(len(words) - len(phrase) + 1))
