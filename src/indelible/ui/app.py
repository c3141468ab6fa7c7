"""The terminal screen: five panes, a line on top that says how the store does, and keys at the bottom."""

import asyncio
from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.widgets import Footer, TabbedContent

from indelible.limits import UI_REFRESH_S
from indelible.ui.dialogs import Help
from indelible.ui.feed import Feed, Tail
from indelible.ui.groups import Groups
from indelible.ui.overview import Overview
from indelible.ui.pane import Pane
from indelible.ui.session import Session, ShowAggregate
from indelible.ui.timeline import Timeline
from indelible.ui.top import NothingRaw, Top

_PANES: Final = ("overview", "feed", "tail", "aggregate", "groups")


class LookAround(App[None]):
    """Shows a store that is open, until somebody leaves. Never waits for the store itself: who does is a pane."""

    CSS_PATH = "look.tcss"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - Textual has it so
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(i), f"show_pane('{name}')", name, show=False) for i, name in enumerate(_PANES, 1)),
        Binding("escape", "leave_field", "Back", show=False),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.title = "Indelible"
        self._session: Final = session
        self._nothing_raw: Final = NothingRaw()
        self._wanted_pane: str | None = None
        """Whose key was pressed, until it is there."""

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._nothing_raw]

    def compose(self) -> ComposeResult:
        self._overview = Overview(self._session)
        self._timeline = Timeline(self._session)
        self._tabs = TabbedContent(initial=_PANES[0])
        yield Top(self._session)
        with self._tabs:
            yield self._overview
            yield Feed(self._session)
            yield Tail(self._session)
            yield self._timeline
            yield Groups(self._session)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.run_worker(self._look_at_head(), group="head")

    async def _look_at_head(self) -> None:
        while True:
            await self._session.look_at_head()
            self._overview.show_head()
            await asyncio.sleep(UI_REFRESH_S)

    # --- Where one is ------------------------------------------------------------------------------------------------

    @property
    def pane(self) -> Pane:
        """The one that is seen."""
        found = self._tabs.active_pane
        assert isinstance(found, Pane), "there are no others"
        return found

    def action_show_pane(self, name: str) -> None:
        """From wherever one is; questions that wait for an answer keep their keys."""
        while len(self.screen_stack) > 1:
            self.pop_screen()
        if self._tabs.active != name:
            self._wanted_pane = name
            self._tabs.active = name
            # Keys may come before the tab says that it is active.
            self.pane.focus_first()

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        if self._wanted_pane is not None and event.pane.id != self._wanted_pane:
            # The first pane, which is activated a moment after it is drawn: a key was faster.
            self._tabs.active = self._wanted_pane
            return
        if event.pane.id != self._tabs.active:
            # Overtaken. To focus what is in it would bring it back, and so on for ever.
            return
        self._wanted_pane = None
        # It may come when all is being put away.
        if isinstance(event.pane, Pane) and event.pane.is_attached:
            event.pane.focus_first()
            event.pane.wake()

    def on_show_aggregate(self, event: ShowAggregate) -> None:
        self._timeline.show_aggregate(event.aggregate_type, event.aggregate_id)
        self.action_show_pane("aggregate")

    def action_leave_field(self) -> None:
        """To the table below it."""
        self.pane.focus_first()

    def action_help(self) -> None:
        self.push_screen(Help())
