"""indelible read"""

from typing import Annotated

import typer

from indelible.cli.events_output import print_events
from indelible.cli.options import AggregateId, AggregateType, Backward, ConfigFile, Json, Limit, Store, Url
from indelible.cli.running import run
from indelible.cli.target import Target, open_store
from indelible.client.iterators import iterate_aggregate
from indelible.limits import PAGE_EVENTS_MAX
from indelible.queries import Direction

FromVersion = Annotated[int | None, typer.Option(metavar="VERSION", help="The first one; with --backward the last.")]
ToVersion = Annotated[int | None, typer.Option(metavar="VERSION", help="The last one; with --backward the first.")]


def read(
    aggregate_type: AggregateType,
    aggregate_id: AggregateId,
    *,
    from_version: FromVersion = None,
    to_version: ToVersion = None,
    backward: Backward = False,
    limit: Limit = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
    json: Json = False,
) -> None:
    """Print the events of one aggregate.

    One a line: position, time, stream, version, event type, data, tags. --json prints all there is.

    \b
    indelible read order 1
    indelible read order 1 --backward --limit 1 --json
    """
    target = Target.chosen(url, store, config)
    direction: Direction = "backward" if backward else "forward"
    run(
        _read(
            target, aggregate_type, aggregate_id,
            from_version=from_version, to_version=to_version, direction=direction, limit=limit, json=json,
        )
    )  # fmt: skip


async def _read(
    target: Target,
    aggregate_type: str,
    aggregate_id: str,
    *,
    from_version: int | None,
    to_version: int | None,
    direction: Direction,
    limit: int | None,
    json: bool,
) -> None:
    async with open_store(target, read_only=True) as store:
        pages = iterate_aggregate(
            store, aggregate_type, aggregate_id,
            from_version=from_version, to_version=to_version, direction=direction,
            page_size=min(limit or PAGE_EVENTS_MAX, PAGE_EVENTS_MAX),
        )  # fmt: skip
        await print_events(pages.next_page, limit=limit, json=json)
