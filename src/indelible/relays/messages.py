"""What a broker is given for an event, the same for every sink but for how its protocol writes headers.

In CloudEvents' binary mode the attributes are headers and the body is the event's data; in the structured mode the body
is one JSON object that has both. Beside them each message has headers of the relay's own: see the constants here.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from urllib.parse import quote
from uuid import UUID

import msgspec

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.events import RecordedEvent
from indelible.eventstore import FeedPage
from indelible.relay_state import RelayLease
from indelible.relays.sink import Replay
from indelible.wire.cloudevents import CLOUDEVENT_CONTENT_TYPE, context_of, encode_cloud_event, encode_headers

RELAY: Final = "indelible-relay"
"""Its name."""
EPOCH: Final = "indelible-epoch"
"""Its owner's."""
CURSOR: Final = "indelible-cursor"
"""How far the relay has come with it, in the order of the log."""
REPLAY: Final = "indelible-replay"
"""What the event is published by beside the order of the log; only where it is."""

Mode = Literal["binary", "structured"]


class Binding(NamedTuple):
    """How a protocol writes CloudEvents' attributes as headers."""

    prefix: str
    is_quoted: bool
    """Whether values are percent-encoded where they are not visible ASCII, as over HTTP."""


class Message(NamedTuple):
    event: RecordedEvent
    cursor: Cursor
    """That of its headers."""
    headers: dict[str, str]
    """All but the content type, which protocols have a place of their own for."""
    content_type: str
    data: bytes

    @property
    def key(self) -> str:
        """What brokers keep the order of: the aggregate."""
        return self.event.key.stream


def parse_mode(mode: str) -> Mode:
    """Raises ``InvalidRequest``."""
    if mode == "binary":
        return "binary"
    if mode == "structured":
        return "structured"
    raise InvalidRequest("must have binary or structured for mode", pointer="/to")


def messages_of(
    page: FeedPage, lease: RelayLease, binding: Binding, mode: Mode, replay: Replay | None
) -> Iterator[Message]:
    """Of all events of the page, in their order, each made when it is asked for."""
    message_of = message_maker(lease, binding, mode, replay)
    for event, cursor in page.events_with_cursors():
        yield message_of(event, cursor)


def message_maker(
    lease: RelayLease, binding: Binding, mode: Mode, replay: Replay | None
) -> Callable[[RecordedEvent, Cursor], Message]:
    """Of an event, and the cursor behind it: for who makes one only when it is about to be sent."""
    own = {RELAY: word(lease.relay), EPOCH: str(lease.epoch)}
    if replay is not None:
        own[REPLAY] = replay.name

    def message_of(event: RecordedEvent, cursor: Cursor) -> Message:
        return _message(event, cursor if replay is None else replay.reached, binding, mode, own)

    return message_of


def _message(event: RecordedEvent, cursor: Cursor, binding: Binding, mode: Mode, own: dict[str, str]) -> Message:
    attributes = context_of(event, is_text_only=True)
    headers = {**own, CURSOR: cursor}
    if "traceparent" in attributes:
        headers |= encode_headers({"traceparent": attributes["traceparent"]})
    if mode == "structured":
        return Message(event, cursor, headers, CLOUDEVENT_CONTENT_TYPE, encode_cloud_event(event))
    del attributes["datacontenttype"]
    if binding.is_quoted:
        attributes = encode_headers(attributes)
    for name, value in attributes.items():
        headers[binding.prefix + name] = value
    return Message(event, cursor, headers, event.content_type, event.event_data_bytes)


class _Said(msgspec.Struct):
    """What of a CloudEvent names an event of a log."""

    eventid: UUID
    hash: str


_decode_said: Final = msgspec.json.Decoder(_Said).decode


def event_said(headers: Mapping[str, str], data: bytes, binding: Binding) -> tuple[UUID | None, str | None]:
    """The event's id and its hash, as a message of either mode says them; None where it is no such message."""
    with suppress(ValueError, KeyError):
        if f"{binding.prefix}hash" in headers:
            return UUID(headers[f"{binding.prefix}eventid"]), headers[f"{binding.prefix}hash"]
        said = _decode_said(data)
        return said.eventid, said.hash
    return None, None


@lru_cache(maxsize=256)
def word(name: str) -> str:
    """As one word of a topic or a header: percent-encoded, dots too."""
    return quote(name, safe="").replace(".", "%2E")
