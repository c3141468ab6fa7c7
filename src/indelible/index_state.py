"""The state of a store's query index, and what may be done about it."""

from typing import Annotated, Protocol

from msgspec import Struct

from indelible import words
from indelible.cursors import Cursor
from indelible.errors import SearchUnavailable
from indelible.search import FieldType


class IndexField(Struct, frozen=True):
    """A declared field."""

    field: Annotated[str, words.meta("The path to its values.", example="event_data.total")]
    type: Annotated[FieldType, words.STRING, words.meta("What values are found by it.", example="number")]


class GenerationInfo(Struct, frozen=True):
    """One whole index, and how far it has come."""

    number: Annotated[int, words.meta("1, 2, 3 …, in the order in which they were begun.", words.VERSION, example=1)]
    fields: Annotated[tuple[IndexField, ...], words.meta("The fields that it was made with, by path.")]
    cursor: Annotated[
        Cursor, words.meta("Every event up to here is found in it. Opaque.", {"type": "string"}, example="3")
    ]
    documents: Annotated[int, words.meta("About how many events it holds.", words.COUNT, example=3)]
    lag: Annotated[int, words.meta("Positions from there to the head.", words.COUNT, example=0)]
    lag_s: Annotated[float, words.meta("Age of the oldest event that is not indexed.", words.COUNT, example=0.0)]


class RejectedEvent(Struct, frozen=True):
    """An event that the index refused. It is not found until it is tried again, and taken."""

    event_id: words.EventId
    position: words.Position
    reason: Annotated[str, words.meta("Why.", example="the backend takes no document of this size")]


class IndexInfo(Struct, frozen=True):
    """The query index of a store."""

    serving: Annotated[
        GenerationInfo | None,
        words.meta(
            "What is searched; null before the first is complete.",
            example={
                "number": 1, "fields": [{"field": "event_data.total", "type": "number"}], "cursor": "3",
                "documents": 3, "lag": 0, "lag_s": 0.0,
            },
        ),
    ] = None  # fmt: skip
    building: Annotated[
        GenerationInfo | None,
        words.meta(
            "What is being made from the first event on, to take the other's place at the head; or null.", example=None
        ),
    ] = None
    finds_text: Annotated[bool, words.meta("Whether `query` may be used.", example=True)] = False
    is_indexing: Annotated[
        bool, words.meta("Whether the process that answers is the one that keeps it up to date.", example=True)
    ] = False
    problem: Annotated[
        str | None,
        words.meta("Why it does not go on; null when it does. As far as the process knows.", example=None),
    ] = None
    rejected_count: Annotated[int, words.meta("How many events the index refused.", words.COUNT, example=0)] = 0
    rejected: Annotated[tuple[RejectedEvent, ...], words.meta("The last of them.", example=[])] = ()


class SearchIndex(Protocol):
    """The query index of a store. Methods raise ``SearchUnavailable`` where there is none, and ``Unavailable`` while it
    is out of reach."""

    async def status(self) -> IndexInfo: ...

    async def rebuild(self) -> IndexInfo:
        """Make it anew from the log, beside the one that is searched, which it replaces when it has come to the head.
        One that is being made already goes on."""
        ...

    async def retry(self) -> IndexInfo:
        """Try again the events that it refused: those that it takes now are found. Where there were so many that it did
        not go on, it does."""
        ...

    async def drop(self) -> None:
        """Forget all of it. Searches are refused until it is made anew, which begins at once."""
        ...


def no_index() -> SearchUnavailable:
    return SearchUnavailable(
        "this store has no query index; a server has one when its configuration has a table [index]"
    )


class NoIndex:
    """Of a store that has none."""

    async def status(self) -> IndexInfo:
        raise no_index()

    async def rebuild(self) -> IndexInfo:
        raise no_index()

    async def retry(self) -> IndexInfo:
        raise no_index()

    async def drop(self) -> None:
        raise no_index()
