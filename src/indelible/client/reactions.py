"""What follows from an event: events that a handler returns, appended once to the aggregate that it happened to."""

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeAlias
from uuid import UUID, uuid5

from indelible.errors import EventIdConflict
from indelible.event_registry import E, EventRegistry, F, TypedEvents
from indelible.events import NewEvent
from indelible.eventstore import EventStore
from indelible.typed_events import TypedEvent

Reacting: TypeAlias = Callable[[TypedEvent[F]], Awaitable[TypedEvents[E] | None]]
"""Returns what is to be appended: an object, several, or nothing."""


def reaction(
    store: EventStore, registry: EventRegistry[E], group: str, handler: Reacting[F, E]
) -> Callable[[TypedEvent[Any]], Coroutine[Any, Any, None]]:
    """A handler of the group's events, which calls the one that is given."""

    async def react(event: TypedEvent[Any]) -> None:
        returned = await handler(event)
        made = registry.new_events([] if returned is None else returned)
        if not made:
            return
        following = [_with_id(one, uuid5(event.event_id, f"{group}/{n}")) for n, one in enumerate(made)]
        # Then an earlier call, whose end the group never heard of, has returned something else. That is what happened.
        with suppress(EventIdConflict):
            await store.append(event.aggregate_type, event.aggregate_id, following)

    return react


def _with_id(event: NewEvent, event_id: UUID) -> NewEvent:
    """The same event with another id. Its data was checked when it was made: what is registered is JSON."""
    return NewEvent.from_strict_json(
        event.event_type, event.event_data_raw, event_id=event_id, metadata=event.metadata_raw, tags=event.tags,
        content_type=event.content_type,
    )  # fmt: skip
