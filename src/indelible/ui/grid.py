"""A table that keeps its place and its shape: rows that come and go leave the cursor on its row, and columns follow the
width of the window."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from indelible.ui.columns import Column, Placed, fit
from indelible.visible_text import visible

_CELL_LENGTH_MAX: Final = 300
"""Characters of a cell: more than the widest terminal shows."""


class Row(NamedTuple):
    """Texts, as they are stored; what must not reach a terminal is taken out here."""

    key: str
    cells: tuple[str, ...]
    style: str = ""


class Grid(DataTable[Text]):
    """Rows of text, one of which is chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home,g", "first_row", "First", show=False),
        Binding("end,G", "last_row", "Last", show=False),
    ]

    def __init__(self, columns: Sequence[Column], **options: Any) -> None:
        super().__init__(cursor_type="row", **options)
        self._wanted_columns: Final = tuple(columns)
        self._rows_shown: tuple[Row, ...] = ()
        self._placed: tuple[Placed, ...] = ()

    @property
    def chosen(self) -> int | None:
        """The index of the row with the cursor; None where there is no row."""
        return self.cursor_row if self._rows_shown else None

    def show_rows(self, rows: Sequence[Row]) -> None:
        """In place of those before. The cursor stays on its row while that is there, and on the first one always."""
        shown = tuple(rows)
        if shown != self._rows_shown:
            before = self._rows_shown
            self._rows_shown = shown
            self._lay_out(before)

    def action_first_row(self) -> None:
        self.move_cursor(row=0)

    def action_last_row(self) -> None:
        self.move_cursor(row=max(len(self._rows_shown) - 1, 0))

    def on_resize(self, _: events.Resize) -> None:
        if self._rows_shown or not self._placed:
            self._lay_out(self._rows_shown)

    def _lay_out(self, before: Sequence[Row]) -> None:
        cells = [[visible(cell, _CELL_LENGTH_MAX) for cell in row.cells] for row in self._rows_shown]
        wanted = [max(map(cell_len, column), default=0) for column in zip(*cells, strict=True)]
        width = self.scrollable_content_region.width or self.size.width
        placed = fit(self._wanted_columns, wanted or [0] * len(self._wanted_columns), width)
        row_index = self._row_after(before)
        self._place(placed)
        for row, texts in zip(self._rows_shown, cells, strict=True):
            self.add_row(*(self._cell(one, texts[one.column], row.style) for one in placed), key=row.key)
        self.move_cursor(row=row_index, animate=False)

    def _row_after(self, before: Sequence[Row]) -> int:
        """Where the row is now that had the cursor."""
        at = self.cursor_row
        if at == 0 or at >= len(before):
            return 0
        key = before[at].key
        return next((i for i, row in enumerate(self._rows_shown) if row.key == key), min(at, len(self._rows_shown) - 1))

    def _place(self, placed: tuple[Placed, ...]) -> None:
        if placed == self._placed:
            self.clear()
            return
        self.clear(columns=True)
        self._placed = placed
        for one in placed:
            column = self._wanted_columns[one.column]
            justify = "right" if column.is_number else "left"
            self.add_column(Text(column.heading, justify=justify), width=one.width)  # type: ignore[arg-type]  # both are

    def _cell(self, placed: Placed, text: str, style: str) -> Text:
        column = self._wanted_columns[placed.column]
        return Text(
            text, style=style, no_wrap=True, justify="right" if column.is_number else "left",
            overflow="crop" if column.is_cropped else "ellipsis",
        )  # fmt: skip
