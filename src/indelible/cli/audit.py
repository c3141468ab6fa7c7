"""indelible audit: the audit log"""

from typing import Annotated

import typer

from indelible.audit_events import AUDIT_QUERY
from indelible.cli.command import Json, Pretty, Target, on_store, open_store
from indelible.cli.output import print_events
from indelible.cursors import Cursor
from indelible.eventstore import FeedPage
from indelible.limits import PAGE_EVENTS_MAX


@on_store
async def audit(
    target: Target,
    *,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    pretty: Pretty = False,
    json: Json = False,
) -> None:
    """Show the audit log, the newest entry first.

    Calls whose credentials were refused, changes of keys, groups, relays and the query index, and streams of the whole
    log, each with who asked. A server writes it where access control is on; reading it takes the grant admin:*.

    \b
    indelible audit --limit 20
    """
    cursor: Cursor | None = None
    at_end = False
    async with open_store(target, read_only=True) as store:

        async def next_page() -> FeedPage | None:
            nonlocal cursor, at_end
            if at_end:
                return None
            size = min(limit or PAGE_EVENTS_MAX, PAGE_EVENTS_MAX)
            page = await store.read_feed(AUDIT_QUERY, after=cursor, direction="backward", limit=size)
            cursor, at_end = page.cursor, page.at_end
            return page

        await print_events(next_page, limit=limit, json=json, pretty=pretty)
