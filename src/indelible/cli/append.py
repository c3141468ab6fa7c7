"""indelible append"""

from collections.abc import Coroutine
from typing import Annotated, Any

import msgspec
import typer

from indelible.cli.command import AggregateId, AggregateType, Json, Target, argument_bytes, on_store, open_store
from indelible.cli.output import print_result
from indelible.conditions import ExpectedVersion, check_expected_version
from indelible.errors import IndelibleError, OutcomeUnknown
from indelible.events import JSON_CONTENT_TYPE, NewEvent, is_json
from indelible.eventstore import AggregateAppend, AppendResult


@on_store
def append(
    target: Target,
    aggregate_type: AggregateType,
    aggregate_id: AggregateId,
    event_type: Annotated[str, typer.Argument(help='What happened, such as "OrderPlaced".')],
    event_data: Annotated[str, typer.Argument(help='JSON; "-" reads it from stdin. null when not given.')] = "null",
    *,
    expected_version: Annotated[
        str, typer.Option(metavar="VERSION", help='The version to be at: a number, "any", "exists" or "none".')
    ] = "any",
    event_id: Annotated[
        str | None, typer.Option(metavar="UUID", help="Repeating an append with the same id stores it once.")
    ] = None,
    metadata: Annotated[str | None, typer.Option(metavar="JSON", help="A JSON object.")] = None,
    tag: Annotated[list[str] | None, typer.Option(metavar="TAG", help="May be given many times.")] = None,
    content_type: Annotated[
        str, typer.Option(metavar="TYPE", help="Of EVENT_DATA; when it is not JSON, the bytes are kept as they are.")
    ] = JSON_CONTENT_TYPE,
    json: Json = False,
) -> Coroutine[Any, Any, None]:
    """Append one event. Answers when it is on stable storage.

    \b
    indelible append order 1 OrderPlaced '{"total": 12.50}' --expected-version none
    cat photo.jpg | indelible append order 1 PhotoAdded - --content-type image/jpeg
    """
    expected = _expected_version(expected_version)
    data = argument_bytes(event_data, "/event_data")
    event = NewEvent(
        event_type,
        msgspec.Raw(data) if is_json(content_type) else data,
        event_id=event_id,
        metadata=None if metadata is None else msgspec.Raw(argument_bytes(metadata, "/metadata")),
        tags=tag or (),
        content_type=content_type,
    )
    return _append(target, AggregateAppend.of(aggregate_type, aggregate_id, [event], expected_version=expected), json)


async def _append(target: Target, append: AggregateAppend, json: bool) -> None:
    key, (event,) = append.key, append.events
    try:
        async with open_store(target, read_only=False) as store:
            result = await store.append(
                key.aggregate_type, key.aggregate_id, [event], expected_version=append.expected_version
            )
    except OutcomeUnknown as error:
        raise _with_event_id(error, event) from None
    print_result(result, _sentence(result), json=json)


def _sentence(result: AppendResult) -> str:
    (event,) = result.events
    stored = "was stored before" if result.replayed else "is stored"
    return (
        f"{result.aggregate_type}-{result.aggregate_id} version {event.version} {stored}: "
        f"position {event.position}, event {event.event_id}"
    )


def _with_event_id(error: IndelibleError, event: NewEvent) -> IndelibleError:
    """Without the id that was made here, nobody could repeat the append safely."""
    hint = f"{error.message}; to find out, repeat it with --event-id {event.event_id}"
    return type(error)(hint, **{**error.fields, "event_id": str(event.event_id)})


def _expected_version(text: str) -> ExpectedVersion:
    value = int(text) if text.isascii() and text.removeprefix("-").isdigit() else text
    return check_expected_version(value)
