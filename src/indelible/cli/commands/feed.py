"""indelible feed"""

from datetime import datetime
from typing import Annotated

import msgspec
import typer

from indelible.cli.events_output import print_events
from indelible.cli.options import Backward, ConfigFile, Json, Limit, Store, Url
from indelible.cli.running import run
from indelible.cli.target import Target, open_store
from indelible.client.iterators import iterate_feed
from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import Direction, EventQuery

Names = list[str] | None


def feed(
    *,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Start after this cursor; a position is one.")
    ] = None,
    event_type: Annotated[Names, typer.Option(metavar="TYPE", help="Only this type; of many given, any.")] = None,
    aggregate_type: Annotated[Names, typer.Option(metavar="TYPE", help="Only this type; of many given, any.")] = None,
    tag: Annotated[Names, typer.Option(metavar="TAG", help="Only with this tag; of many given, all.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only from then on; RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only before then; RFC 3339.")] = None,
    backward: Backward = False,
    limit: Limit = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Print events of the whole log, in order.

    One a line: position, time, stream, version, event type, data, tags. --json prints all there is.

    \b
    indelible feed --after 1000 --limit 20
    indelible feed --event-type OrderPlaced --tag customer:ada --since 2026-01-31T00:00:00Z --json
    """
    target = Target.chosen(url, store, config)
    query = EventQuery.of(
        event_types=event_type or (), aggregate_types=aggregate_type or (), tags=tag or (),
        since=parse_time(since, "/since"), until=parse_time(until, "/until"),
    )  # fmt: skip
    cursor = None if after is None else Cursor.parse(after)
    run(_feed(target, query, cursor, "backward" if backward else "forward", limit=limit, json=json))


async def _feed(
    target: Target, query: EventQuery, after: Cursor | None, direction: Direction, *, limit: int | None, json: bool
) -> None:
    async with open_store(target, read_only=True) as store:
        page_size = min(limit or PAGE_EVENTS_MAX, PAGE_EVENTS_MAX)
        pages = iterate_feed(store, query, after=after, direction=direction, page_size=page_size)
        await print_events(pages.next_page, limit=limit, json=json)


def parse_time(text: str | None, pointer: str) -> datetime | None:
    if text is None:
        return None
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise InvalidRequest(
            f"must be a time with a time zone, such as 2026-01-31T12:00:00Z, not {text!r}", pointer=pointer
        ) from None
