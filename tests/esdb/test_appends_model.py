"""Random appends and deletions of one stream through the wire, against the few rules that its clients know."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient.events import NewEvents
from kurrentdbclient.exceptions import NotFoundError, StreamIsDeletedError, WrongCurrentVersionError

Expected = int | StreamState


class Append(NamedTuple):
    events: int
    expected: Expected
    by: str
    is_repeat: bool


class Delete(NamedTuple):
    expected: Expected


EXPECTED = st.sampled_from([*StreamState, 0, 1, 2, 3])
STEPS = st.lists(
    st.builds(Append, st.integers(1, 2), EXPECTED, st.sampled_from(["append", "batch", "session"]), st.booleans())
    | st.builds(Delete, EXPECTED),
    max_size=7,
)


class Model:
    """``shown_from``: the first revision that no deletion hides."""

    def __init__(self) -> None:
        self.count = self.shown_from = 0

    @property
    def is_there(self) -> bool:
        return self.count > self.shown_from

    def takes(self, expected: Expected) -> bool:
        if isinstance(expected, int):
            return self.count == expected + 1
        return expected is StreamState.ANY or self.is_there == (expected is StreamState.EXISTS)

    def append(self, events: int, expected: Expected) -> type[Exception] | None:
        if not self.takes(expected):
            return WrongCurrentVersionError
        self.count += events
        return None

    def delete(self, expected: Expected) -> type[Exception] | None:
        if not self.count:
            return NotFoundError
        if expected is StreamState.NO_STREAM or (isinstance(expected, int) and self.count != expected + 1):
            return WrongCurrentVersionError
        if expected is StreamState.EXISTS and not self.is_there:
            return StreamIsDeletedError
        self.shown_from = self.count
        return None


def append(client: KurrentDBClient, stream: str, by: str, events: list[NewEvent], expected: Expected) -> None:
    if by == "session":
        client.multi_append_to_stream([NewEvents(stream, events, expected)])
    elif by == "append" and len(events) == 1:
        client.append_to_stream(stream, current_version=expected, events=events[0])
    else:
        client.append_to_stream(stream, current_version=expected, events=events)


def outcome(done: Callable[[], object]) -> type[Exception] | None:
    try:
        done()
    except (WrongCurrentVersionError, NotFoundError, StreamIsDeletedError) as error:
        return type(error)
    return None


@settings(max_examples=25)
@given(STEPS)
def test_a_stream_is_as_its_clients_think(client: KurrentDBClient, steps: list[Append | Delete]):
    stream, model = f"order-{uuid4()}", Model()
    last: tuple[list[NewEvent], Expected] | None = None
    for step in steps:
        if isinstance(step, Delete):
            found = outcome(lambda expected=step.expected: client.delete_stream(stream, current_version=expected))
            assert found == model.delete(step.expected)
            continue
        if step.is_repeat and last is not None:  # whatever has happened since
            append(client, stream, step.by, *last)
            continue
        events = [NewEvent(type="Placed", data=b"{}") for _ in range(step.events)]
        found = outcome(lambda s=step, e=events: append(client, stream, s.by, e, s.expected))
        assert found == model.append(step.events, step.expected)
        last = (events, step.expected) if found is None else last
    assert shown(client, stream) == list(range(model.shown_from, model.count))


def shown(client: KurrentDBClient, stream: str) -> list[int]:
    try:
        return [event.stream_position for event in client.get_stream(stream)]
    except NotFoundError:
        return []
