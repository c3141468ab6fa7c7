"""indelible aggregates"""

from typing import Annotated

import typer

from indelible.cli.options import ConfigFile, Json, Limit, Store, Url
from indelible.cli.output import print_json, print_table
from indelible.cli.running import run
from indelible.cli.target import Target, open_store
from indelible.events import format_timestamp, timestamp_to_us
from indelible.eventstore import AggregateInfo
from indelible.limits import PAGE_EVENTS_MAX

COLUMNS = ("aggregate_type", "aggregate_id", "version", "last_timestamp")


def aggregates(
    *,
    aggregate_type: Annotated[str | None, typer.Option(metavar="TYPE", help="Only aggregates of this type.")] = None,
    limit: Limit = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """List the aggregates, ordered by type and id.

    \b
    indelible aggregates --aggregate-type order --limit 10
    """
    target = Target.chosen(url, store, config)
    run(_aggregates(target, aggregate_type, limit, json))


async def _aggregates(target: Target, aggregate_type: str | None, limit: int | None, json: bool) -> None:
    async with open_store(target, read_only=True) as store:
        after, left, at_end, is_first = None, limit, False, True
        while not at_end and left != 0:
            size = PAGE_EVENTS_MAX if left is None else min(left, PAGE_EVENTS_MAX)
            page = await store.list_aggregates(aggregate_type=aggregate_type, after=after, limit=size)
            _print(page.aggregates, json=json, with_heading=is_first)
            after, at_end, is_first = page.cursor, page.at_end, False
            left = None if left is None else left - len(page.aggregates)


def _print(found: tuple[AggregateInfo, ...], *, json: bool, with_heading: bool) -> None:
    if json:
        for info in found:
            print_json(info)
        return
    rows = [
        (info.aggregate_type, info.aggregate_id, info.version, format_timestamp(timestamp_to_us(info.last_timestamp)))
        for info in found
    ]
    print_table(COLUMNS, rows, numbers=("version",), with_heading=with_heading)
