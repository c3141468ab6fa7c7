"""What the panes have in common: each looks at the store again and again while it is on the screen, and never twice at
once."""

import asyncio
from contextlib import suppress
from typing import Any, ClassVar, Final

from rich.text import Text
from textual.widgets import Static, TabPane

from indelible.errors import IndelibleError
from indelible.limits import UI_REFRESH_S
from indelible.ui.reach import REFUSALS
from indelible.ui.session import Session
from indelible.visible_text import visible


class Pane(TabPane):
    """Has its widgets from the start: what a store answers late finds them, whether they are still drawn or not."""

    EVERY_S: ClassVar[float] = UI_REFRESH_S

    def __init__(self, session: Session, title: str, **options: Any) -> None:
        super().__init__(title, **options)
        self.session: Final = session
        self.note: Final = Static(classes="note")
        """Says what is shown, or why nothing is."""
        self._wanted: Final = asyncio.Event()

    async def look(self) -> None:
        """Ask, and show the answer. Raises what :meth:`Reach.ask` raises."""

    @property
    def is_seen(self) -> bool:
        return self.display and self.app.screen is self.screen

    def on_mount(self) -> None:
        self.run_worker(self._look_again_and_again(), group="look")

    def wake(self) -> None:
        """Look now."""
        self._wanted.set()

    def focus_first(self) -> None:
        """Take the keyboard to where it is of most use."""

    async def _look_again_and_again(self) -> None:
        while True:
            if self.is_seen:
                try:
                    await self.look()
                except REFUSALS as error:
                    self.say_refusal(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.EVERY_S):
                    await self._wanted.wait()
            self._wanted.clear()

    def say(self, text: str, style: str = "") -> None:
        say(self.note, text, style)

    def say_refusal(self, error: IndelibleError) -> None:
        self.say(error.message, "yellow")


def say(note: Static, text: str, style: str = "") -> None:
    """On one line. The text may be somebody else's."""
    note.update(Text(visible(text, 500), style=style, no_wrap=True, overflow="ellipsis"))
