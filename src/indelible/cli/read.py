"""indelible read, feed and tail: printing what a store holds"""

import asyncio
import sys
from contextlib import aclosing
from typing import Annotated

import typer

from indelible.cli.command import (
    INTERRUPTED,
    AggregateId,
    AggregateType,
    AggregateTypes,
    EventTypes,
    Json,
    Limit,
    Tags,
    Target,
    on_store,
    open_store,
    parse_time,
)
from indelible.cli.output import print_events
from indelible.client.iterators import iterate_aggregate, iterate_feed
from indelible.cursors import START, Cursor
from indelible.errors import InvalidRequest
from indelible.eventstore import FeedPage
from indelible.limits import CLIENT_RETRY_TOTAL_MAX_S, PAGE_EVENTS_MAX
from indelible.queries import EventQuery

Backward = Annotated[bool, typer.Option("--backward", help="Newest first.")]
FromVersion = Annotated[int | None, typer.Option(metavar="VERSION", help="The first one; with --backward the last.")]
ToVersion = Annotated[int | None, typer.Option(metavar="VERSION", help="The last one; with --backward the first.")]


@on_store
async def read(
    target: Target,
    aggregate_type: AggregateType,
    aggregate_id: AggregateId,
    *,
    from_version: FromVersion = None,
    to_version: ToVersion = None,
    backward: Backward = False,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Print the events of one aggregate.

    One a line: position, time, stream, version, event type, data, tags. --json prints all there is.

    \b
    indelible read order 1
    indelible read order 1 --backward --limit 1 --json
    """
    async with open_store(target, read_only=True) as store:
        pages = iterate_aggregate(
            store, aggregate_type, aggregate_id,
            from_version=from_version, to_version=to_version, direction="backward" if backward else "forward",
            page_size=min(limit or PAGE_EVENTS_MAX, PAGE_EVENTS_MAX),
        )  # fmt: skip
        await print_events(pages.next_page, limit=limit, json=json)


@on_store
async def feed(
    target: Target,
    *,
    after: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Start after this cursor; a position is one.")
    ] = None,
    event_type: EventTypes = None,
    aggregate_type: AggregateTypes = None,
    tag: Tags = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only from then on; RFC 3339.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only before then; RFC 3339.")] = None,
    backward: Backward = False,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Print events of the whole log, in order.

    One a line: position, time, stream, version, event type, data, tags. --json prints all there is.

    \b
    indelible feed --after 1000 --limit 20
    indelible feed --event-type OrderPlaced --tag customer:ada --since 2026-01-31T00:00:00Z --json
    """
    query = EventQuery.of(
        event_types=event_type or (), aggregate_types=aggregate_type or (), tags=tag or (),
        since=parse_time(since, "/since"), until=parse_time(until, "/until"),
    )  # fmt: skip
    cursor = None if after is None else Cursor.parse(after)
    async with open_store(target, read_only=True) as store:
        pages = iterate_feed(
            store, query, after=cursor, direction="backward" if backward else "forward",
            page_size=min(limit or PAGE_EVENTS_MAX, PAGE_EVENTS_MAX),
        )  # fmt: skip
        await print_events(pages.next_page, limit=limit, json=json)


@on_store
async def tail(
    target: Target,
    *,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Start after this, not at the end.")] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Start with the first event.")] = False,
    event_type: EventTypes = None,
    aggregate_type: AggregateTypes = None,
    tag: Tags = None,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Print events as they come, until Ctrl-C.

    A server that restarts is waited for, and nothing is missed meanwhile. Lines are as those of "indelible feed".

    \b
    indelible tail --url http://127.0.0.1:8080
    indelible tail --tag customer:ada --json --after 1000
    """
    if after is not None and from_start:
        raise InvalidRequest("give --after or --from-start, not both", pointer="/after")
    query = EventQuery.of(event_types=event_type or (), aggregate_types=aggregate_type or (), tags=tag or ())
    start = START if from_start else None if after is None else Cursor.parse(after)
    try:
        await _tail(target, query, start, limit=limit, json=json)
    except asyncio.CancelledError:
        raise typer.Exit(INTERRUPTED) from None


async def _tail(target: Target, query: EventQuery, start: Cursor | None, *, limit: int | None, json: bool) -> None:
    async with open_store(target, read_only=True, retry_total_s=CLIENT_RETRY_TOTAL_MAX_S) as store:
        after = (await store.head()).cursor if start is None else start
        async with aclosing(store.follow(query, after=after)) as pages:

            async def next_page() -> FeedPage:
                # What was printed must be seen before the wait for more.
                sys.stdout.flush()
                return await anext(pages)

            await print_events(next_page, limit=limit, json=json)
