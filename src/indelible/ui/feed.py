"""The panes of the feed: what is stored, newest first and back to the beginning, and what comes."""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import aclosing
from functools import partial
from typing import ClassVar, Final

from textual.binding import Binding, BindingType

from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InvalidRequest
from indelible.events import RecordedEvent
from indelible.limits import (
    UI_GATHER_S,
    UI_OUTAGE_WAIT_MAX_S,
    UI_PAGE_EVENTS,
    UI_REFRESH_S,
    UI_ROWS_MAX,
    UI_SCANNED_PAGES_MAX,
)
from indelible.queries import EventQuery
from indelible.ui.event_list import QUERY_FIELDS, EventList
from indelible.ui.event_text import FEED_COLUMNS, feed_row
from indelible.ui.grid import Row
from indelible.ui.reach import REFUSALS
from indelible.ui.session import Session
from indelible.visible_text import counted


class QueriedEvents(EventList):
    """Events of the feed, as the fields restrict it."""

    COLUMNS = FEED_COLUMNS
    FIELDS = QUERY_FIELDS

    def rows(self) -> Iterable[Row]:
        return map(feed_row, self.events)

    def query_typed(self) -> EventQuery | None:
        """None, and a word about it, where it is none."""
        given = {name: [text] if (text := self.field(name)) else [] for name, _ in QUERY_FIELDS}
        try:
            return EventQuery.of(
                event_types=given["event-type"], aggregate_types=given["aggregate-type"], tags=given["tag"]
            )
        except InvalidRequest as error:
            self.say(f"{error.pointer.strip('/').split('/')[0]}: {error.message}", "yellow")
            return None

    async def look(self) -> None:
        """The first time that it is seen."""
        if not self._has_begun:
            self._has_begun = True
            self.begin()

    _has_begun = False


class Feed(QueriedEvents):
    """What is stored."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("n", "newest", "Newest")]

    def __init__(self, session: Session) -> None:
        super().__init__(session, "2 Feed", "feed")
        self._older: Cursor | None = None
        """Where the next page begins; None for one that begins at the head."""
        self._is_at_beginning = False
        self._is_loading = False
        self._query = EventQuery.of()

    async def look(self) -> None:
        await super().look()
        if not self._is_loading:
            self._tell()

    def begin(self) -> None:
        query = self.query_typed()
        if query is not None:
            self._query, self._older, self._is_at_beginning = query, None, False
            self.keep((), newest=True)
            self._load()

    def action_newest(self) -> None:
        self.begin()
        self.grid.action_first_row()

    def reach_end(self) -> None:
        if not self._is_loading and not self._is_at_beginning:
            self._load()

    def _load(self) -> None:
        self._is_loading = True
        self.run_worker(self._load_older(), group="load", exclusive=True)

    async def _load_older(self) -> None:
        """One more page of what is asked for; a page of a filtered feed may hold little, or nothing."""
        store, reach, found = self.session.store, self.session.reach, 0
        try:
            for _ in range(UI_SCANNED_PAGES_MAX):
                self.say(f"Looks further back … {counted(found)} found" if found else "Looks back …")
                page = await reach.ask(
                    partial(store.read_feed, self._query, after=self._older, direction="backward", limit=UI_PAGE_EVENTS)
                )
                self._older, self._is_at_beginning = page.cursor, page.at_end
                found += page.count
                self.keep([*self.events, *page.events], newest=False)
                if page.at_end or found >= UI_PAGE_EVENTS:
                    break
        except REFUSALS as error:
            self._is_at_beginning = True
            self.say_refusal(error)
            return
        finally:
            self._is_loading = False
        self._tell()

    def _tell(self) -> None:
        shown, head = len(self.events), self.session.head
        if not shown:
            self.say("Nothing like it is stored." if self._is_at_beginning else "Nothing like it lately. End looks on.")
            return
        parts = [f"{counted(shown)} events"]
        parts.append("back to the first" if self._is_at_beginning else "End looks further back")
        newer = 0 if head is None or self.session.has_partitions else head.position - self.events[0].position
        if newer > 0 and self._query.is_unrestricted:
            parts.append(f"{counted(newer)} newer: n")
        self.say(" · ".join(parts))


class Tail(QueriedEvents):
    """What comes, from the moment on at which somebody first looks."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "pause", "Pause")]

    def __init__(self, session: Session) -> None:
        super().__init__(session, "3 Tail", "tail")
        self._newest: Final[deque[RecordedEvent]] = deque(maxlen=UI_ROWS_MAX)
        self._count = 0
        self._is_paused = False
        self._is_new = False

    def on_mount(self) -> None:
        # Textual calls the base class's by itself.
        self.set_interval(UI_GATHER_S, self._show_new)

    def begin(self) -> None:
        query = self.query_typed()
        if query is not None:
            self._newest.clear()
            self._count = 0
            self._is_new = True
            self.run_worker(self._follow(query), group="load", exclusive=True)

    def action_pause(self) -> None:
        self._is_paused = not self._is_paused
        self._is_new = True

    async def _follow(self, query: EventQuery) -> None:
        """A store that goes away is followed again from where it was: nothing is missed."""
        store, reach = self.session.store, self.session.reach
        try:
            after = (await reach.ask(store.head)).cursor
            wait_s = UI_REFRESH_S
            while True:
                try:
                    async with aclosing(store.follow(query, after=after, gather_s=UI_GATHER_S)) as pages:
                        async for page in pages:
                            reach.answered()
                            after, wait_s = page.cursor, UI_REFRESH_S
                            self._take(page.events)
                            # Who is late gets page after page: the screen has its turn between them.
                            await asyncio.sleep(0)
                except REFUSALS:
                    raise
                except IndelibleError as error:
                    reach.lost(error.message)
                    await asyncio.sleep(wait_s)
                    wait_s = min(2 * wait_s, UI_OUTAGE_WAIT_MAX_S)
        except REFUSALS as error:
            self.say_refusal(error)

    def _take(self, events: Iterable[RecordedEvent]) -> None:
        for event in events:
            self._newest.appendleft(event)
            self._count += 1
            self._is_new = True

    def _show_new(self) -> None:
        """A few times a second at most, whatever comes."""
        if not self._is_new or not self.is_seen:
            return
        self._is_new = False
        if self._is_paused:
            self.say(f"Paused · {counted(self._count)} came so far · space goes on", "yellow")
            return
        self.keep(self._newest, newest=True)
        kept = f", the last {UI_ROWS_MAX} are shown" if self._count > UI_ROWS_MAX else ""
        self.say(f"Live · {counted(self._count)} came{kept}" if self._count else "Live · waits for events")
