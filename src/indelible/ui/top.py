"""The line on top of every screen: how the store does, how far its log has come, and which store it is."""

from collections.abc import Iterable
from typing import Final

from rich.segment import Segment
from rich.text import Text
from textual.color import Color
from textual.filter import LineFilter
from textual.widgets import Static

from indelible.limits import UI_REFRESH_S
from indelible.ui.session import Session
from indelible.visible_text import CONTROLS_ESCAPED, counted, duration, visible

SLOW_S: Final = 2.0
"""Beyond this a person wonders whether anything happens, and is told what is waited for."""


class Top(Static):
    """Looks by itself."""

    def __init__(self, session: Session) -> None:
        super().__init__(classes="top")
        self._session: Final = session

    def on_mount(self) -> None:
        self._show()
        self.set_interval(UI_REFRESH_S / 2, self._show)

    def _show(self) -> None:
        reach = self._session.reach
        text = Text(no_wrap=True, overflow="ellipsis")
        # What matters most comes first: a narrow window cuts the rest.
        if reach.trouble is not None:
            text.append(f"✖ no answer for {duration(reach.trouble_s)}: {visible(reach.trouble, 300)}", "bold")
        elif reach.waiting_s > SLOW_S:
            text.append(f"… waits for the store, {duration(reach.waiting_s)}", "bold")
        else:
            text.append(self._how_far(), "bold")
        self.update(text.append(f"   {visible(self._session.place)}"))
        self.set_class(reach.trouble is not None, "-trouble")

    def _how_far(self) -> str:
        head, per_s = self._session.head, self._session.rate.per_s
        if head is None:
            return self._session.refusal or "… asks the store"
        return f"● {counted(head.position)} events" + ("" if per_s is None else f" · {counted(per_s)}/s")


class NothingRaw(LineFilter):
    """The last thing before the terminal: whatever a widget draws, no character of it steers. Widgets take such
    characters out where they know of them; a field that somebody types into does not."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - of its protocol
        return list(self._cleaned(segments))

    @staticmethod
    def _cleaned(segments: Iterable[Segment]) -> Iterable[Segment]:
        for one in segments:
            yield one if one.text.isprintable() else Segment(one.text.translate(_DROPPED), one.style, one.control)


_DROPPED: Final = dict.fromkeys((*CONTROLS_ESCAPED, 0x09, 0x0A))
