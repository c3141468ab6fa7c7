"""The first pane: how far the log has come, how fast it grows, and what is in it."""

import heapq
from collections.abc import Sequence
from operator import attrgetter
from typing import Final, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.widgets import Sparkline, Static

from indelible.eventstore import AggregateTypeInfo, EventTypeInfo
from indelible.limits import UI_ROWS_MAX
from indelible.ui.columns import Column
from indelible.ui.grid import Grid, Row
from indelible.ui.pane import Pane
from indelible.ui.session import Session
from indelible.visible_text import counted

T = TypeVar("T", EventTypeInfo, AggregateTypeInfo)

_EVENT_TYPES: Final = (
    Column("event type", 20, 0),
    Column("of", 8, 2),
    Column("events", 6, 1, is_number=True),
)
_AGGREGATE_TYPES: Final = (
    Column("aggregate type", 12, 0),
    Column("aggregates", 6, 2, is_number=True),
    Column("events", 6, 1, is_number=True),
)


class Overview(Pane):
    EVERY_S = 5.0
    """Catalogues are added up by the store at every look."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "1 Overview", id="overview")
        self._figures: Final = Static()
        self._history: Final = Sparkline()
        self._event_types: Final = Grid(_EVENT_TYPES)
        self._aggregate_types: Final = Grid(_AGGREGATE_TYPES)

    def compose(self) -> ComposeResult:
        with Vertical(classes="figures"):
            yield self._figures
            yield self._history
        with Container(classes="tables"):
            yield self._event_types
            yield self._aggregate_types
        yield self.note

    def focus_first(self) -> None:
        self.screen.set_focus(self._event_types)

    async def look(self) -> None:
        store, reach = self.session.store, self.session.reach
        event_types = await reach.ask(store.event_types)
        aggregate_types = await reach.ask(store.aggregate_types)
        self._event_types.show_rows([_event_type(one) for one in _most_frequent(event_types)])
        self._aggregate_types.show_rows([_aggregate_type(one) for one in _most_frequent(aggregate_types)])
        aggregates = sum(one.aggregates for one in aggregate_types)
        self.say(
            f"{_number(len(event_types), 'event type')}, {_number(len(aggregate_types), 'aggregate type')}, "
            f"{_number(aggregates, 'aggregate')}" + _beyond(max(len(event_types), len(aggregate_types)))
        )

    def show_head(self) -> None:
        """Once a second; the head is asked for by the app, whatever pane is seen."""
        head, rate = self.session.head, self.session.rate
        if head is None:
            return
        text = Text().append(counted(head.position), "bold").append(" events")
        if rate.per_s is not None:
            text.append("   ").append(counted(rate.per_s), "bold").append(" a second")
        if head.partitions > 1:
            text.append(f"   in {head.partitions} partitions")
        self._figures.update(text)
        history = rate.history
        # All of one height would be drawn as high as can be.
        self._history.data = history if any(history) else None


def _most_frequent(rows: Sequence[T]) -> list[T]:
    return heapq.nlargest(UI_ROWS_MAX, rows, key=attrgetter("events"))


def _beyond(count: int) -> str:
    return f"; the {UI_ROWS_MAX} most frequent are shown" if count > UI_ROWS_MAX else ""


def _number(count: int, what: str) -> str:
    return f"{counted(count)} {what}{'' if count == 1 else 's'}"


def _event_type(one: EventTypeInfo) -> Row:
    return Row(f"{one.event_type}\0{one.aggregate_type}", (one.event_type, one.aggregate_type, counted(one.events)))


def _aggregate_type(one: AggregateTypeInfo) -> Row:
    return Row(one.aggregate_type, (one.aggregate_type, counted(one.aggregates), counted(one.events)))
