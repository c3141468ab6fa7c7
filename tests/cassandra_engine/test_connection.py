"""No request gets the answer of another: with the driver's own connection, and frames as nodes send them."""

from collections.abc import Callable
from typing import Any

import pytest
from cassandra.cluster import DefaultConnection
from cassandra.connection import Connection, ConnectionShutdown, _Frame
from cassandra.protocol import OptionsMessage, OverloadedErrorMessage

from indelible.engines.cassandra.address import parse_address
from indelible.engines.cassandra.answers import OneAnswerConnection
from indelible.engines.cassandra.session import CassandraSession

_OVERLOADED = OverloadedErrorMessage(0x1001, "Query timed out before it could start", None)


class _Wire:
    """A connection of a class of the driver's without its socket, and what comes of it."""

    def __init__(self, kind: type[Any]) -> None:
        self.connection = kind.__new__(kind)
        Connection.__init__(self.connection, "127.0.0.1", 9042, protocol_version=5)
        self.connection.push = lambda _: None
        self.connection.close = lambda: None
        self.heard: dict[str, Any] = {}

    def ask(self, name: str) -> int:
        """The stream id that the request gets."""
        with self.connection.lock:
            self.connection.in_flight += 1
            stream = self.connection.get_request_id()
        self.connection.send_msg(OptionsMessage(), stream, self._heard(name), decoder=_as_it_is)
        return int(stream)

    def _heard(self, name: str) -> Callable[[Any], None]:
        def heard(answer: Any) -> None:
            self.heard[name] = answer

        return heard

    def answer(self, stream: int, answer: Any) -> None:
        self.connection.process_msg(_Frame(5, 0, stream, 8, 0, 0), answer)

    def time_out(self, stream: int) -> None:
        """As the driver does it."""
        self.connection._requests.pop(stream)
        self.connection.orphaned_request_ids.add(stream)


def _as_it_is(*arguments: Any) -> Any:
    return arguments[5]


@pytest.mark.parametrize(("kind", "is_whole"), [(DefaultConnection, False), (OneAnswerConnection, True)])
def test_refusals_under_load(kind: type[Any], is_whole: bool):
    """That the driver alone mixes answers up is why there is a class of our own; once it does not, that may go."""
    wire = _Wire(kind)
    for _ in range(3):
        wire.answer(0, _OVERLOADED)
    streams = [wire.ask(str(number)) for number in range(302)]
    assert (len(set(streams)) == len(streams)) == is_whole
    for number, stream in enumerate(streams):
        if stream in wire.connection._requests:
            wire.answer(stream, f"answer to {number}")
    assert (wire.heard == {str(number): f"answer to {number}" for number in range(302)}) == is_whole
    assert not wire.connection.is_defunct


@pytest.mark.parametrize(("kind", "is_whole"), [(DefaultConnection, False), (OneAnswerConnection, True)])
def test_a_refusal_of_another_request_ends_none(kind: type[Any], is_whole: bool):
    """Not on the first stream either, whose request would end before its own answer has come."""
    wire = _Wire(kind)
    for number in range(301):
        wire.ask(str(number))
    wire.answer(0, _OVERLOADED)
    assert (wire.heard == {}) == is_whole


def test_a_late_answer_frees_its_id_once():
    wire = _Wire(OneAnswerConnection)
    stream = wire.ask("late")
    wire.time_out(stream)
    assert stream not in wire.connection.request_ids
    wire.answer(stream, "at last")
    assert wire.heard == {}
    assert wire.connection.request_ids.count(stream) == 1
    assert wire.connection.in_flight == 0
    assert not wire.connection.is_defunct


def test_an_answer_that_nobody_asked_for_ends_the_connection():
    """Whoever was told it before may have been told it wrongly."""
    wire = _Wire(OneAnswerConnection)
    stream = wire.ask("first")
    wire.ask("other")
    wire.answer(stream, "once")
    wire.answer(stream, "twice")
    assert wire.connection.is_defunct
    assert wire.heard["first"] == "once"
    assert isinstance(wire.heard["other"], ConnectionShutdown)
    assert wire.connection.request_ids.count(stream) == 1


def test_sessions_connect_with_it():
    session = CassandraSession(parse_address("cassandra://127.0.0.1/keyspace"))
    assert session._cluster.connection_class is OneAnswerConnection
    session.shut_down()
