"""What is parked in a consumer group: why, and what is to become of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from indelible.errors import IndelibleError
from indelible.groups import ConsumerGroups, ParkedEvent
from indelible.limits import UI_PAGE_EVENTS, UI_REFRESH_S, UI_ROWS_MAX
from indelible.ui.columns import Column
from indelible.ui.dialogs import Confirm, Question, Whole
from indelible.ui.event_text import describe
from indelible.ui.grid import Grid, Row
from indelible.ui.pane import say
from indelible.ui.reach import REFUSALS, NoAnswer
from indelible.ui.session import Session
from indelible.ui.top import Top
from indelible.visible_text import counted, visible

_COLUMNS: Final = (
    Column("position", 4, 0, is_number=True),
    Column("aggregate", 18, 1),
    Column("version", 2, 5, is_number=True),
    Column("attempts", 2, 4, is_number=True),
    Column("following", 2, 3, is_number=True),
    Column("parked at", 19, 6, is_cropped=True),
    Column("reason", 28, 2),
)
_ITS_STATE_S: Final = 2 * UI_REFRESH_S


class Parked(Screen[None]):
    """Of one group. What is done here is done once: where the answer is lost, the table shows what became of it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "redrive", "Replay"),
        Binding("R", "redrive_all", "Replay all"),
        Binding("s", "skip", "Skip"),
        Binding("escape", "leave", "Back"),
    ]

    def __init__(self, session: Session, group: str) -> None:
        super().__init__()
        self._session: Final = session
        self._group: Final = group
        self._parked: list[ParkedEvent] = []
        self._is_doing = False
        self._wanted: Final = asyncio.Event()
        self._note: Final = Static("Asks the store …", classes="note")
        self.grid: Final = Grid(_COLUMNS, id="parked")
        self._done: Final = Static(classes="done")

    def compose(self) -> ComposeResult:
        yield Top(self._session)
        yield Static(Text(f"Parked in {visible(self._group, 60)}", "bold"), classes="title")
        yield self._note
        yield self.grid
        yield self._done
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.screen.set_focus(self.grid)
        self.run_worker(self._look_again_and_again(), group="look")

    def action_leave(self) -> None:
        self.dismiss()

    # --- What is parked ----------------------------------------------------------------------------------------------

    async def _look_again_and_again(self) -> None:
        while True:
            try:
                await self._look()
            except REFUSALS as error:
                self._say(error.message, "yellow")
            with suppress(TimeoutError):
                async with asyncio.timeout(_ITS_STATE_S):
                    await self._wanted.wait()
            self._wanted.clear()

    async def _look(self) -> None:
        reach, groups = self._session.reach, self._session.store.groups
        found: list[ParkedEvent] = []
        after, at_end = None, False
        while not at_end and len(found) < UI_ROWS_MAX:
            page = await reach.ask(partial(groups.list_parked, self._group, after=after, limit=UI_PAGE_EVENTS))
            found += page.parked
            after, at_end = page.cursor, page.at_end
        info = await reach.ask(partial(groups.get, self._group))
        self._parked = found
        self.grid.show_rows([_row(one) for one in found])
        stalled = " · nothing more is delivered until some go on" if info.is_stalled else ""
        beyond = "" if at_end else f", the first {UI_ROWS_MAX} are shown"
        self._say(
            f"{counted(info.parked)} events in {counted(info.parked_aggregates)} aggregates{beyond}{stalled}"
            if found
            else "Nothing is parked."
        )

    def _say(self, text: str, style: str = "") -> None:
        say(self._note, text, style)

    @property
    def chosen(self) -> ParkedEvent | None:
        at = self.grid.chosen
        return None if at is None or at >= len(self._parked) else self._parked[at]

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        event.stop()
        if (chosen := self.chosen) is not None:
            self.run_worker(self._show(chosen), group="show", exclusive=True)

    async def _show(self, parked: ParkedEvent) -> None:
        if not parked.aggregate_type:
            self.app.push_screen(Whole(Text(visible(parked.reason))))
            return
        read = partial(
            self._session.store.read_aggregate, parked.aggregate_type, parked.aggregate_id,
            from_version=parked.version, to_version=parked.version,
        )  # fmt: skip
        try:
            page = await self._session.reach.ask(read)
        except REFUSALS as error:
            self._tell(error.message, "yellow")
            return
        for found in page.events:
            text = Text().append("parked    ", "yellow").append(f"{visible(parked.reason)}\n\n").append(describe(found))
            self.app.push_screen(Whole(text))

    # --- What becomes of it ------------------------------------------------------------------------------------------

    def action_redrive(self) -> None:
        if (chosen := self.chosen) is not None:
            self._do(
                lambda groups: groups.redrive_parked(self._group, [chosen.position], partition=self._partition(chosen)),
                f"position {chosen.position} is delivered again, and then what follows it",
            )

    def action_redrive_all(self) -> None:
        if self._parked:
            question = f"Deliver all that is parked in {self._group} again?"
            self.app.push_screen(Confirm(question), self._redrive_all)

    def _redrive_all(self, is_wanted: object) -> None:
        if is_wanted is True:
            self._do(lambda groups: groups.redrive_parked(self._group), "all are delivered again")

    def action_skip(self) -> None:
        if (chosen := self.chosen) is not None:
            question = f"Skip position {chosen.position}: the group never gets this event. Why?"
            self.app.push_screen(Question(question, "the reason, which is recorded"), partial(self._skip, chosen))

    def _skip(self, chosen: ParkedEvent, reason: object) -> None:
        if isinstance(reason, str):
            self._do(
                lambda groups: groups.skip_parked(
                    self._group, [chosen.position], reason=reason, partition=self._partition(chosen)
                ),
                f"position {chosen.position} is skipped",
            )

    def _partition(self, one: ParkedEvent) -> int | None:
        return one.partition if self._session.has_partitions else None

    def _do(self, change: Callable[[ConsumerGroups], Awaitable[int]], done: str) -> None:
        """One thing after the other: a key that is held down does nothing twice."""
        if not self._is_doing:
            self._is_doing = True
            self._tell("…")
            self.run_worker(self._change(change, done), group="do")

    async def _change(self, change: Callable[[ConsumerGroups], Awaitable[int]], done: str) -> None:
        async def ask() -> None:
            async with self._session.for_writing() as store:
                await change(store.groups)

        try:
            await self._session.reach.ask_once(ask)
        except NoAnswer as error:
            self._tell(f"Nobody knows whether it was done: {error}", "red")
        except IndelibleError as error:
            self._tell(f"Nothing was done: {error.message}", "yellow")
        else:
            self._tell(f"Done: {done}", "green")
        finally:
            self._is_doing = False
            self._wanted.set()

    def _tell(self, text: str, style: str = "") -> None:
        say(self._done, text, style)


def _row(one: ParkedEvent) -> Row:
    aggregate = f"{one.aggregate_type}-{one.aggregate_id}" if one.aggregate_type else "(not known)"
    cells = (
        str(one.position), aggregate, str(one.version), str(one.attempts),
        str(one.following), f"{one.parked_at:%Y-%m-%d %H:%M:%S}", one.reason,
    )  # fmt: skip
    return Row(f"{one.partition}-{one.position}", cells)
