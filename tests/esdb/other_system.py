"""A log such as a server of KurrentDB or EventStoreDB has after some years, in place of its client: with streams that
were truncated, ids that stand in two streams, transactions of old clients, and events of the system's own.

No such server can be started here, and an Indelible has none of that.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from kurrentdbclient import RecordedEvent
from kurrentdbclient.exceptions import ServiceUnavailableError

BEGIN = datetime(2019, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)


class OtherSystem:
    """Has what is read of a client. ``events`` may be changed; they are in order."""

    def __init__(self) -> None:
        self.events: list[RecordedEvent] = []
        self.outages = 0
        """How often a subscription is refused before one is given."""

    def add(
        self,
        stream: str,
        revision: int,
        data: bytes = b"{}",
        *,
        event_id: UUID | None = None,
        event_type: str = "Happened",
        **other: Any,
    ) -> RecordedEvent:
        number = len(self.events) + 1
        # Positions there are offsets in a file.
        position = other.pop("commit_position", number * 100)
        event = RecordedEvent(
            type=event_type, data=data, metadata=other.pop("metadata", b""), id=event_id or uuid4(),
            content_type=other.pop("content_type", "application/json"), stream_name=stream, stream_position=revision,
            commit_position=position, prepare_position=other.pop("prepare_position", position),
            recorded_at=BEGIN + timedelta(seconds=number), **other,
        )  # fmt: skip
        self.events.append(event)
        return event

    def get_commit_position(self, *, filter_exclude: Sequence[str]) -> int:
        return self.events[-1].commit_position if self.events else 0

    def read_all(
        self,
        *,
        commit_position: int | None = None,
        backwards: bool = False,
        filter_exclude: Sequence[str] = (),
        filter_include: Sequence[str] = (".*",),
        filter_by_stream_name: bool = False,
        limit: int | None = None,
    ) -> "Response":
        after = (commit_position or 0, commit_position or 0)
        found = [one for one in self.events if (one.commit_position, one.prepare_position) >= after]
        found = [one for one in found if re.fullmatch(filter_include[0], one.stream_name)]
        return Response((found[::-1] if backwards else found)[:limit])

    def subscribe_to_all(self, *, commit_position: int | None, **options: Any) -> "Response":
        """Ends as a server does that stops."""
        if self.outages:
            self.outages -= 1
            raise ServiceUnavailableError("no connection")
        return self.read_all(commit_position=commit_position, **options)


class Response:
    def __init__(self, events: Sequence[RecordedEvent]) -> None:
        self._events = events

    def __iter__(self) -> Iterator[RecordedEvent]:
        yield from self._events

    def stop(self) -> None:
        pass
