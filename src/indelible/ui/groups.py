"""The pane of consumer groups: how far each is behind, and what is parked in it."""

from typing import Final

from textual.app import ComposeResult
from textual.widgets import DataTable

from indelible.groups import GroupInfo
from indelible.ui.columns import Column
from indelible.ui.grid import Grid, Row
from indelible.ui.pane import Pane
from indelible.ui.parked import Parked
from indelible.ui.session import Session
from indelible.visible_text import counted

_COLUMNS: Final = (
    Column("group", 20, 0),
    Column("lag", 3, 1, is_number=True),
    Column("in flight", 3, 3, is_number=True),
    Column("waiting", 3, 5, is_number=True),
    Column("parked", 3, 2, is_number=True),
    Column("position", 4, 6, is_number=True),
    Column("state", 7, 4),
    Column("for", 8, 7),
)


class Groups(Pane):
    EVERY_S = 2.0

    def __init__(self, session: Session) -> None:
        super().__init__(session, "5 Groups", id="groups")
        self._groups: tuple[GroupInfo, ...] = ()
        self.grid: Final = Grid(_COLUMNS, id="group-list")

    def compose(self) -> ComposeResult:
        yield self.note
        yield self.grid

    def focus_first(self) -> None:
        self.screen.set_focus(self.grid)

    async def look(self) -> None:
        found = await self.session.reach.ask(self.session.store.groups.list)
        # Those that need somebody come first.
        self._groups = tuple(sorted(found, key=lambda one: (not one.is_stalled, not one.parked, -one.lag, one.group)))
        self.grid.show_rows([_row(one) for one in self._groups])
        held = sum(one.parked for one in found)
        note = "There are no consumer groups." if not found else f"{counted(len(found))} groups"
        self.say(note + (f" · {counted(held)} events are parked: Enter shows them" if held else ""))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        at = self.grid.chosen
        if at is not None and at < len(self._groups):
            self.app.push_screen(Parked(self.session, self._groups[at].group))


def _row(one: GroupInfo) -> Row:
    state, style = "", ""
    if one.is_stalled:
        state, style = "stalled", "bold red"
    elif one.parked:
        state, style = "parked", "yellow"
    elif not one.lag:
        state, style = "at head", "green"
    items = " or ".join(" ".join((*item.event_types, *item.aggregate_types, *item.tags)) for item in one.items)
    cells = (
        one.group, counted(one.lag), counted(one.in_flight), counted(one.waiting), counted(one.parked),
        counted(one.position), state, items or "all events",
    )  # fmt: skip
    return Row(one.group, cells, style)
