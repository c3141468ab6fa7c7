"""indelible read, feed, tail and event: printing what a store holds"""

import asyncio
import sys
from contextlib import aclosing
from typing import Annotated, Any

import typer

from indelible.cli.command import (
    INTERRUPTED,
    AggregateId,
    AggregateType,
    AggregateTypes,
    EventTypes,
    Json,
    Limit,
    OnlySince,
    OnlyUntil,
    Pretty,
    Tags,
    Target,
    on_store,
    open_store,
)
from indelible.cli.output import print_bytes, print_event, print_events
from indelible.cli.times import TIME_HELP, parse_time
from indelible.client.iterators import iterate_aggregate, iterate_feed
from indelible.cursors import START, Cursor
from indelible.errors import InvalidRequest
from indelible.events import check_event_id, recorded_line
from indelible.eventstore import FeedPage
from indelible.limits import PAGE_EVENTS_MAX
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
    pretty: Pretty = False,
    json: Json = False,
) -> None:
    """Print the events of one aggregate.

    One a line: position, time, stream, version, event type, data, tags. --pretty takes several lines for each, --json
    prints all there is for programs.

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
        await print_events(pages.next_page, limit=limit, json=json, pretty=pretty)


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
    since: OnlySince = None,
    until: OnlyUntil = None,
    backward: Backward = False,
    limit: Limit = None,
    pretty: Pretty = False,
    json: Json = False,
) -> None:
    """Print events of the whole log, in order.

    One a line: position, time, stream, version, event type, data, tags. --pretty takes several lines for each, --json
    prints all there is for programs.

    \b
    indelible feed --after 1000 --limit 20
    indelible feed --event-type OrderPlaced --since 2h --pretty
    indelible feed --tag customer:ada --since yesterday --until 2026-01-31T12:00:00Z --json
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
        await print_events(pages.next_page, limit=limit, json=json, pretty=pretty)


@on_store
async def tail(
    target: Target,
    *,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Start after this, not at the end.")] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Start with the first event.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Start with the first event from then on: {TIME_HELP}.")
    ] = None,
    event_type: EventTypes = None,
    aggregate_type: AggregateTypes = None,
    tag: Tags = None,
    limit: Limit = None,
    pretty: Pretty = False,
    json: Json = False,
) -> None:
    """Print events as they come, until Ctrl-C.

    A server that is out of reach is waited for, and nothing is missed meanwhile. Lines are as those of "indelible
    feed".

    \b
    indelible tail --url http://127.0.0.1:8080
    indelible tail --tag customer:ada --since 10m --pretty
    indelible tail --json --after 1000
    """
    if (after is not None) + from_start + (since is not None) > 1:
        raise InvalidRequest("give one of --after, --from-start and --since, not both", pointer="/after")
    query = EventQuery.of(
        event_types=event_type or (), aggregate_types=aggregate_type or (), tags=tag or (),
        since=parse_time(since, "/since"),
    )  # fmt: skip
    start = None if after is None else Cursor.parse(after)
    try:
        # The log finds the first event of a time by itself.
        await _tail(target, query, START if from_start or since else start, limit=limit, json=json, pretty=pretty)
    except asyncio.CancelledError:
        raise typer.Exit(INTERRUPTED) from None


async def _tail(target: Target, query: EventQuery, start: Cursor | None, **options: Any) -> None:
    async with open_store(target, read_only=True, retry_total_s=None) as store:
        after = (await store.head()).cursor if start is None else start
        async with aclosing(store.follow(query, after=after)) as pages:

            async def next_page() -> FeedPage:
                # What was printed must be seen before the wait for more.
                sys.stdout.flush()
                return await anext(pages)

            await print_events(next_page, **options)


@on_store
async def event(
    target: Target,
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="A UUID, as every event has one.")],
    *,
    json: Json = False,
) -> None:
    """Print one event, all there is of it.

    \b
    indelible event 01890a5d-ac96-774b-bcce-b302099a8057
    indelible event 01890a5d-ac96-774b-bcce-b302099a8057 --json
    """
    wanted = check_event_id(event_id)
    async with open_store(target, read_only=True) as store:
        found = await store.get_event(wanted)
    if json:
        print_bytes(recorded_line(found))
    else:
        print_event(found)
