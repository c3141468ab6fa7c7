"""indelible aggregates, aggregate-types and event-types: what a store has, by name"""

from functools import partial
from typing import Annotated

import typer

from indelible.cli.command import Json, Limit, Target, on_store, open_store
from indelible.cli.output import print_pages, print_rows

Prefix = Annotated[str, typer.Option(metavar="TEXT", help="Only those that begin with this.")]
IdPrefix = Annotated[str, typer.Option(metavar="TEXT", help="Only aggregates whose id begins with this.")]


@on_store
async def aggregates(
    target: Target,
    *,
    aggregate_type: Annotated[str | None, typer.Option(metavar="TYPE", help="Only aggregates of this type.")] = None,
    prefix: IdPrefix = "",
    limit: Limit = None,
    json: Json = False,
) -> None:
    """List the aggregates, ordered by type and id.

    \b
    indelible aggregates --aggregate-type order --prefix o-1 --limit 10
    """
    async with open_store(target, read_only=True) as store:
        next_page = partial(store.list_aggregates, aggregate_type=aggregate_type, prefix=prefix)
        columns = ("aggregate_type", "aggregate_id", "version", "last_timestamp")
        await print_pages(columns, next_page, "aggregates", limit=limit, json=json, numbers=("version",))


@on_store
async def aggregate_types(target: Target, *, prefix: Prefix = "", json: Json = False) -> None:
    """List the aggregate types, with the numbers of aggregates and events.

    \b
    indelible aggregate-types --prefix order
    """
    async with open_store(target, read_only=True) as store:
        found = await store.aggregate_types(prefix=prefix)
    columns = ("aggregate_type", "aggregates", "events")
    print_rows(columns, found, json=json, numbers=("aggregates", "events"))


@on_store
async def event_types(target: Target, *, prefix: Prefix = "", json: Json = False) -> None:
    """List the event types, each with the aggregate types that have it, and the number of events.

    \b
    indelible event-types --prefix Order
    """
    async with open_store(target, read_only=True) as store:
        found = await store.event_types(prefix=prefix)
    print_rows(("event_type", "aggregate_type", "events"), found, json=json, numbers=("events",))
