"""What the commands of ``indelible group`` share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from indelible.cli.output import print_fields, print_json
from indelible.cli.target import Target, open_store
from indelible.cursors import Cursor
from indelible.errors import GroupExists, GroupNotFound, ParkedEventNotFound
from indelible.events import format_timestamp, timestamp_to_us
from indelible.eventstore import EventStore
from indelible.groups import GroupInfo
from indelible.queries import QueryItem

Group = Annotated[str, typer.Argument(help="The group's name.")]


@asynccontextmanager
async def open_groups(target: Target, *, read_only: bool, retry_total_s: float = 2.0) -> AsyncIterator[EventStore]:
    """As :func:`open_store`; errors about groups say which command helps."""
    try:
        async with open_store(target, read_only=read_only, retry_total_s=retry_total_s) as store:
            yield store
    except GroupNotFound as error:
        raise _with_hint(error, "list those there are: indelible group list") from None
    except GroupExists as error:
        raise _with_hint(error, "look at it: indelible group show; take another name, or change it") from None
    except ParkedEventNotFound as error:
        raise _with_hint(error, "list them: indelible group parked; nothing was done") from None


def _with_hint(error: Any, hint: str) -> Any:
    return type(error)(f"{error.message}; {hint}", **error.fields)


def cursor_of(after: str | None) -> Cursor | None:
    return None if after is None else Cursor.parse(after)


def shown_time(value: datetime) -> str:
    return format_timestamp(timestamp_to_us(value))


def print_group(info: GroupInfo, *, json: bool) -> None:
    """All there is to say of a group."""
    if json:
        print_json(info)
        return
    stalled = " (stalled: nothing more is delivered until some are replayed or skipped)" if info.is_stalled else ""
    unreadable = f", {info.unreadable} of them unreadable" if info.unreadable else ""
    print_fields(
        [
            ("group", info.group),
            ("events", " or ".join(map(_item, info.items)) or "all"),
            ("position", info.position),
            ("lag", info.lag),
            ("in flight", f"{info.in_flight} of at most {info.max_in_flight}"),
            ("waiting", f"{info.waiting} aggregates"),
            ("parked", f"{info.parked} events in {info.parked_aggregates} aggregates{unreadable}{stalled}"),
            ("ack timeout", f"{info.ack_timeout_s:g} s"),
            ("max attempts", info.max_attempts),
            ("created", shown_time(info.created)),
        ]
    )


def _item(item: QueryItem) -> str:
    names = ((name, getattr(item, name)) for name in msgspec.structs.asdict(item))
    return ", ".join(f"{name} {' '.join(values)}" for name, values in names if values) or "all"
