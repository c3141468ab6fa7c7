"""Events in a table, newest first, beside the chosen one whole. What they are and where they come from is a subclass's
affair."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import DataTable, Input, Static

from indelible.events import RecordedEvent
from indelible.limits import UI_ROWS_MAX
from indelible.ui.columns import Column
from indelible.ui.dialogs import Whole
from indelible.ui.event_text import describe
from indelible.ui.grid import Grid, Row
from indelible.ui.pane import Pane
from indelible.ui.session import Session, ShowAggregate


class EventList(Pane):
    """A bounded list: of more events than ``UI_ROWS_MAX``, those at the end that is not looked at go."""

    COLUMNS: ClassVar[Sequence[Column]]
    FIELDS: ClassVar[Sequence[tuple[str, str]]]
    """The id of each field above the table, and what is to be typed there."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "ask", "Filter", key_display="/"),
        Binding("t", "timeline", "Timeline"),
    ]

    def __init__(self, session: Session, title: str, name: str) -> None:
        super().__init__(session, title, id=name)
        self.events: list[RecordedEvent] = []
        self.grid: Final = Grid(self.COLUMNS, classes="events")
        self._whole: Final = Static(classes="whole")
        self._detail: Final = VerticalScroll(self._whole, classes="detail")
        self._fields: Final = {
            name: Input(placeholder=what, id=f"{self.id}-{name}", compact=True) for name, what in self.FIELDS
        }
        self._described: RecordedEvent | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(classes="fields"):
            yield from self._fields.values()
        yield self.note
        with Container(classes="body"):
            yield self.grid
            yield self._detail

    # --- What a subclass does ----------------------------------------------------------------------------------------

    def rows(self) -> Iterable[Row]:
        """Of the events, in their order."""
        raise NotImplementedError

    def begin(self) -> None:
        """The fields say something new."""
        raise NotImplementedError

    def reach_end(self) -> None:
        """The cursor came to the last row."""

    # --- Fields ------------------------------------------------------------------------------------------------------

    def field(self, name: str) -> str:
        return self._fields[name].value.strip()

    def fill_field(self, name: str, value: str) -> None:
        self._fields[name].value = value

    def action_ask(self) -> None:
        self.screen.set_focus(next(iter(self._fields.values())))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.screen.set_focus(self.grid)
        self.begin()

    def focus_first(self) -> None:
        self.screen.set_focus(self.grid)

    # --- Events ------------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> RecordedEvent | None:
        at = self.grid.chosen
        return None if at is None or at >= len(self.events) else self.events[at]

    def keep(self, events: Iterable[RecordedEvent], *, newest: bool) -> None:
        """The first ones; or, unless those at the ``newest`` end are wanted, the last ones."""
        every = list(events)
        self.events = every[:UI_ROWS_MAX] if newest else every[-UI_ROWS_MAX:]
        self.show_events()

    def show_events(self) -> None:
        self.grid.show_rows(list(self.rows()))
        self._show_chosen()

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self._show_chosen()
        if self.events and event.cursor_row == len(self.events) - 1:
            self.reach_end()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if (chosen := self.chosen) is not None:
            self.app.push_screen(Whole(describe(chosen)))

    def _show_chosen(self) -> None:
        chosen = self.chosen
        if chosen is not self._described:
            self._described = chosen
            self._whole.update("" if chosen is None else describe(chosen))
            self._detail.scroll_home(animate=False)

    def action_timeline(self) -> None:
        if (chosen := self.chosen) is not None:
            self.post_message(ShowAggregate(chosen.aggregate_type, chosen.aggregate_id))


QUERY_FIELDS: Final = (("event-type", "event type"), ("aggregate-type", "aggregate type"), ("tag", "tag"))
