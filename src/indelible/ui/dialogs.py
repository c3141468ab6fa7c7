"""What lies over the screen for a moment: one event whole, help, and questions."""

from typing import Any, ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Footer, Input, Static

from indelible.limits import GROUP_REASON_LENGTH_MAX
from indelible.visible_text import visible

_HELP: Final = (
    ("1 2 3 4 5", "the five panes"),
    ("↑ ↓ PgUp PgDn", "move; Home, End: first, last row"),
    ("Enter", "show it whole, or what is parked"),
    ("/", "filter: Enter looks, Esc leaves"),
    ("Tab", "the next field, table or text"),
    ("t", "the chosen event's aggregate"),
    ("n", "feed: the newest again"),
    ("Space", "tail: pause, go on"),
    ("r  R", "parked: deliver again, one or all"),
    ("s", "parked: skip, and say why"),
    ("Esc", "go back"),
    ("q  Ctrl-C", "end"),
)
"""Lines that fit into a window of 60 columns."""


class Over(ModalScreen[Any]):
    """Goes away by Esc."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Back")]

    def action_leave(self) -> None:
        self.dismiss(None)


class Whole(Over):
    """A text that is as long as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q", "leave", "Back", show=False)]

    def __init__(self, text: Text) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box", can_focus=True):
            yield Static(self._text, classes="whole")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()


class Help(Whole):
    """Every key."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "leave", "Back", show=False)]

    def __init__(self) -> None:
        text = Text().append("Keys\n\n", "bold")
        for keys, what in _HELP:
            text.append(f"{keys:<14}", "cyan").append(f" {what}\n")
        super().__init__(text)


class Question(Over):
    """Gives what was typed, and None to whoever goes back. Nothing typed is no answer."""

    def __init__(self, question: str, what: str) -> None:
        super().__init__()
        self._question = question
        self._what = what

    def compose(self) -> ComposeResult:
        with Vertical(classes="box question"):
            yield Static(Text(visible(self._question)))
            yield Input(placeholder=self._what, max_length=GROUP_REASON_LENGTH_MAX, compact=True)
            yield Static("Enter does it, Esc does not.", classes="quiet")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if text := event.value.strip():
            self.dismiss(text)


class Confirm(Over):
    """Gives True to whoever says yes."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "agree", "Yes"), Binding("n", "leave", "No")]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="box question"):
            yield Static(Text(visible(self._question)))
            yield Static("y does it, n or Esc does not.", classes="quiet")

    def action_agree(self) -> None:
        self.dismiss(True)
