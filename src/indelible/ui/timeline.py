"""The pane of one aggregate: its events with the time between them, newest first, as they are and as they come."""

from collections.abc import Iterable
from functools import partial
from typing import Final

from indelible.errors import InvalidRequest
from indelible.events import AggregateKey
from indelible.eventstore import AggregatePage
from indelible.limits import UI_PAGE_EVENTS
from indelible.ui.event_list import EventList
from indelible.ui.event_text import TIMELINE_COLUMNS, timeline_rows
from indelible.ui.grid import Row
from indelible.ui.reach import REFUSALS
from indelible.ui.session import Session
from indelible.visible_text import counted

_FIELDS: Final = (("aggregate-type", "aggregate type"), ("aggregate-id", "aggregate id"))


class Timeline(EventList):
    COLUMNS = TIMELINE_COLUMNS
    FIELDS = _FIELDS

    def __init__(self, session: Session) -> None:
        super().__init__(session, "4 Aggregate", "aggregate")
        self._key: AggregateKey | None = None
        self._is_loading = False

    def rows(self) -> Iterable[Row]:
        return timeline_rows(self.events)

    def focus_first(self) -> None:
        if self._key is None:
            self.action_ask()
        else:
            super().focus_first()

    def show_aggregate(self, aggregate_type: str, aggregate_id: str) -> None:
        self.fill_field("aggregate-type", aggregate_type)
        self.fill_field("aggregate-id", aggregate_id)
        self.begin()

    def begin(self) -> None:
        try:
            self._key = AggregateKey.checked(self.field("aggregate-type"), self.field("aggregate-id"))
        except InvalidRequest as error:
            self._key = None
            self.keep((), newest=True)
            self.say(f"{error.pointer.strip('/')}: {error.message}", "yellow")
            return
        self.keep((), newest=True)
        self._load(self._key, None)

    def reach_end(self) -> None:
        if self._key is not None and not self._is_loading and self.events[-1].version > 1:
            self._load(self._key, self.events[-1].version - 1)

    def _load(self, key: AggregateKey, to_version: int | None) -> None:
        self._is_loading = True
        self.run_worker(self._load_older(key, to_version), group="load", exclusive=True)

    async def _load_older(self, key: AggregateKey, to_version: int | None) -> None:
        self.say("Reads …")
        try:
            page = await self.session.reach.ask(
                partial(
                    self.session.store.read_aggregate,
                    key.aggregate_type,
                    key.aggregate_id,
                    to_version=to_version,
                    direction="backward",
                    limit=UI_PAGE_EVENTS,
                )
            )
        except REFUSALS as error:
            self._key = None
            self.say_refusal(error)
            return
        finally:
            self._is_loading = False
        self.keep([*self.events, *page.events], newest=False)
        self._tell(page.version)

    async def look(self) -> None:
        """What has been appended since."""
        key = self._key
        if key is None and not self.field("aggregate-type"):
            self.say("Type an aggregate type and an id, or press t on an event elsewhere.")
        if key is None or self._is_loading or not self.events:
            return
        page = await self.session.reach.ask(lambda: self._read_newer(key))
        # While it was asked, another aggregate may have been chosen.
        if page.count and key == self._key and page.events[0].version == self.events[0].version + 1:
            self.keep([*reversed(page.events), *self.events], newest=True)
            self._tell(page.version)

    async def _read_newer(self, key: AggregateKey) -> AggregatePage:
        return await self.session.store.read_aggregate(
            key.aggregate_type, key.aggregate_id, from_version=self.events[0].version + 1, limit=UI_PAGE_EVENTS
        )

    def _tell(self, version: int) -> None:
        last = self.events[-1].version if self.events else 0
        parts = [f"version {counted(version)}", f"{counted(len(self.events))} events shown"]
        parts.append("back to the first" if last <= 1 else "End reads further back")
        self.say(" · ".join(parts))
