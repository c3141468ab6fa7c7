"""indelible tail"""

import sys
from contextlib import aclosing
from typing import Annotated

import typer

from indelible.cli.commands.feed import Names
from indelible.cli.events_output import print_events
from indelible.cli.exit_codes import INTERRUPTED
from indelible.cli.options import ConfigFile, Json, Limit, Store, Url
from indelible.cli.running import run
from indelible.cli.target import Target, open_store
from indelible.cursors import START, Cursor
from indelible.errors import InvalidRequest
from indelible.eventstore import FeedPage
from indelible.limits import CLIENT_RETRY_TOTAL_MAX_S
from indelible.queries import EventQuery


def tail(
    *,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Start after this, not at the end.")] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Start with the first event.")] = False,
    event_type: Annotated[Names, typer.Option(metavar="TYPE", help="Only this type; of many given, any.")] = None,
    aggregate_type: Annotated[Names, typer.Option(metavar="TYPE", help="Only this type; of many given, any.")] = None,
    tag: Annotated[Names, typer.Option(metavar="TAG", help="Only with this tag; of many given, all.")] = None,
    limit: Limit = None,
    url: Url = None,
    store: Store = None,
    config: ConfigFile = None,
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
    target = Target.chosen(url, store, config)
    query = EventQuery.of(event_types=event_type or (), aggregate_types=aggregate_type or (), tags=tag or ())
    start = START if from_start else None if after is None else Cursor.parse(after)
    try:
        run(_tail(target, query, start, limit=limit, json=json))
    except KeyboardInterrupt:
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
