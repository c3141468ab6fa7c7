"""indelible append: one event from the command line, or several from a file"""

import re
from collections.abc import Coroutine, Iterator
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import typer

from indelible.cli.command import (
    AggregateId,
    AggregateType,
    Json,
    Target,
    argument_bytes,
    file_bytes,
    on_store,
    open_store,
)
from indelible.cli.completion import complete_event_types
from indelible.cli.output import print_result
from indelible.conditions import ExpectedVersion, check_expected_version
from indelible.errors import IndelibleError, InvalidRequest, OutcomeUnknown
from indelible.events import JSON_CONTENT_TYPE, NewEvent, is_json
from indelible.eventstore import AggregateAppend, AppendResult
from indelible.json_text import malformed
from indelible.wire.appends import check_event_count


@on_store
def append(
    target: Target,
    aggregate_type: AggregateType,
    aggregate_id: AggregateId,
    event_type: Annotated[
        str | None,
        typer.Argument(help='What happened, such as "OrderPlaced".', autocompletion=complete_event_types),
    ] = None,
    event_data: Annotated[
        str | None, typer.Argument(help='JSON; "-" reads it from stdin. null when not given.')
    ] = None,
    *,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help='Append all events of a file, in place of one; "-" is stdin.'),
    ] = None,
    expected_version: Annotated[
        str, typer.Option(metavar="VERSION", help='The version to be at: a number, "any", "exists" or "none".')
    ] = "any",
    event_id: Annotated[
        str | None, typer.Option(metavar="UUID", help="Repeating an append with the same id stores it once.")
    ] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="A JSON object.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="May be given many times.")] = None,
    content_type: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help=f"Of EVENT_DATA; when it is not JSON, the bytes are kept as they are. [{JSON_CONTENT_TYPE}]",
        ),
    ] = None,
    json: Json = False,
) -> Coroutine[Any, Any, None]:
    """Append one event, or all of a file. Answers when they are on stable storage.

    A file has one event a line (NDJSON), or is one JSON array of them. Each is an object with event_type and
    event_data, and if need be event_id, metadata, tags and content_type; event_data_base64 in place of event_data is
    for bytes that are not JSON. All are stored, in their order, or none is: an error names the line that is wrong.

    \b
    indelible append order 1 OrderPlaced '{"total": 12.50}' --expected-version none
    cat photo.jpg | indelible append order 1 PhotoAdded - --content-type image/jpeg
    indelible append order 1 --file events.ndjson --expected-version 2
    echo '{"event_type": "OrderPaid", "event_data": {"by": "card"}}' | indelible append order 1 --file -
    """
    expected = _expected_version(expected_version)
    given = _Given(event_type, event_data, event_id, metadata, tuple(tag or ()), content_type)
    events, places = _events_of(file, given) if file is not None else ([given.event()], [])
    asked = AggregateAppend.of(aggregate_type, aggregate_id, events, expected_version=expected)
    return _append(target, asked, places, json)


async def _append(target: Target, append: AggregateAppend, places: list[str], json: bool) -> None:
    """``places`` is where each event stands in its file; empty without one."""
    key = append.key
    try:
        async with open_store(target, read_only=False) as store:
            result = await store.append(
                key.aggregate_type, key.aggregate_id, append.events, expected_version=append.expected_version
            )
    except OutcomeUnknown as error:
        raise _with_event_id(error, append.events) from None
    except InvalidRequest as error:
        at = _OF_EVENT.fullmatch(error.pointer) if places else None
        raise error if at is None else _at(places[int(at[1])], error, at[2]) from None
    print_result(result, _sentence(result), json=json)


def _sentence(result: AppendResult) -> str:
    first, last = result.events[0], result.events[-1]
    stream = f"{result.aggregate_type}-{result.aggregate_id}"
    if first is last:
        stored = "was stored before" if result.replayed else "is stored"
        return f"{stream} version {last.version} {stored}: position {last.position}, event {last.event_id}"
    stored = "were stored before" if result.replayed else "are stored"
    versions, positions = f"{first.version} to {last.version}", f"{first.position} to {last.position}"
    return f"{stream} versions {versions} {stored}: positions {positions}"


def _with_event_id(error: IndelibleError, events: tuple[NewEvent, ...]) -> IndelibleError:
    """Without the id that was made here, nobody could find out, or repeat the append of one event safely."""
    first = str(events[0].event_id)
    how = f"repeat it with --event-id {first}" if len(events) == 1 else f"look for its first: indelible event {first}"
    return type(error)(f"{error.message}; to find out, {how}", **{**error.fields, "event_id": first})


def _expected_version(text: str) -> ExpectedVersion:
    value = int(text) if text.isascii() and text.removeprefix("-").isdigit() else text
    return check_expected_version(value)


# --- One event -------------------------------------------------------------------------------------------------------


class _Given(NamedTuple):
    """What the command line says of one event."""

    event_type: str | None
    event_data: str | None
    event_id: str | None
    metadata: str | None
    tag: tuple[str, ...]
    content_type: str | None

    def event(self) -> NewEvent:
        if self.event_type is None:
            message = "is missing; give what happened, such as OrderPlaced, or --file"
            raise InvalidRequest(message, pointer="/event_type")
        content_type = JSON_CONTENT_TYPE if self.content_type is None else self.content_type
        data = argument_bytes("null" if self.event_data is None else self.event_data, "/event_data")
        return NewEvent(
            self.event_type,
            msgspec.Raw(data) if is_json(content_type) else data,
            event_id=self.event_id,
            metadata=None if self.metadata is None else msgspec.Raw(argument_bytes(self.metadata, "/metadata")),
            tags=self.tag,
            content_type=content_type,
        )


# --- Several, from a file --------------------------------------------------------------------------------------------

_OF_EVENT: Final = re.compile(r"/events/([0-9]+)(.*)")


def _events_of(file: str, beside: _Given) -> tuple[list[NewEvent], list[str]]:
    """All events of a file, and the place of each. Raises ``InvalidRequest`` that names the place, or what is given
    ``beside`` a file."""
    from indelible.wire.json_events import decode_new_event

    for name, value in beside._asdict().items():
        if value not in (None, ()):
            raise InvalidRequest("must not stand next to --file, whose lines say it", pointer=f"/{name}")
    events: list[NewEvent] = []
    places: list[str] = []
    for place, text in _texts_of(file_bytes(file, "/file")):
        try:
            events.append(decode_new_event(text))
        except InvalidRequest as error:
            raise _at(place, error, error.pointer) from None
        places.append(place)
        check_event_count(len(events), "/file")
    if not events:
        raise InvalidRequest(f"{file} holds no event", pointer="/file")
    return events, places


def _at(place: str, error: InvalidRequest, pointer: str) -> InvalidRequest:
    """The error of an event, ``pointer`` being within it, as one of its place in the file."""
    field = pointer.strip("/")
    message = f"{place}: {field}: {error.message}" if field else f"{place}: {error.message}"
    return InvalidRequest(message, **{**error.fields, "pointer": "/file"})


def _texts_of(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Each event's text, and how to name it to someone who looks at the file."""
    if content.lstrip().startswith(b"["):
        try:
            array = msgspec.json.decode(content, type=list[msgspec.Raw])
        except msgspec.DecodeError as error:
            raise malformed(error, content).under("/file") from None
        yield from ((f"event {number}", bytes(one)) for number, one in enumerate(array, 1))
        return
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            yield f"line {number}", line
