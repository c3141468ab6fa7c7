"""indelible ui: a screen to look around in a store"""

import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from indelible.cli.command import Target, on_store, open_store
from indelible.errors import InvalidRequest
from indelible.eventstore import EventStore
from indelible.server.config import shown_url
from indelible.store_urls import scheme_of
from indelible.tasks import on_signals


@on_store
async def ui(target: Target) -> None:
    """Look around in a store: its events, aggregates and consumer groups, on the whole terminal.

    Shows how far the log has come and how fast it grows, what it holds, the feed back to its beginning, what comes, one
    aggregate's events, and what is parked in consumer groups, which can be delivered again or skipped. "?" shows the
    keys, "q" ends. A server that goes away is waited for. Needs the extra "ui".

    \b
    indelible ui --url http://127.0.0.1:8080
    indelible ui --store sqlite:data/indelible.db
    """
    try:
        from indelible.ui.app import LookAround
        from indelible.ui.session import Session
    except ImportError as error:
        raise InvalidRequest.of_extra("ui", error, pointer="") from None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InvalidRequest("needs a terminal to draw on; other commands print what it shows", pointer="")
    async with open_store(target, read_only=True) as store:

        @asynccontextmanager
        async def for_writing() -> AsyncIterator[EventStore]:
            """A local store is held for writing for a moment only: a server may want it."""
            if target.is_server or scheme_of(target.url) == "memory":
                yield store
                return
            async with open_store(target, read_only=False) as writable:
                yield writable

        app = LookAround(Session(store, shown_url(target.url), for_writing))
        # The terminal is given back as it was, whoever ends it. Ctrl-C comes as a key.
        with on_signals(lambda _: app.exit(), signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            await app.run_async()
