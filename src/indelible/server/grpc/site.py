"""What the connections of one server share: room for one more, and turns for those that have much to take."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from indelible.limits import CONNECTIONS_MAX, GRPC_TURN_S, SHUTDOWN_STALLED_S
from indelible.server.accepting import make_room
from indelible.server.grpc import frames as h2
from indelible.server.grpc.exchange import Exchange

if TYPE_CHECKING:
    from indelible.server.grpc.connection import Connection

_POLL_S: Final = 0.05

Begin = Callable[[Exchange], None]


class Site:
    """What the connections of one server share."""

    def __init__(self, begin: Begin) -> None:
        self.begin: Final = begin
        self.connections: Final[set[Connection]] = set()
        self.is_stopping = False
        self._turns: Final[deque[Connection]] = deque()

    @property
    def is_busy(self) -> bool:
        """Whether a connection has more to take than fits into a turn. Others queue up behind it then: however many
        there are, what is not gRPC gets its turn after each of them."""
        return bool(self._turns)

    def take_later(self, connection: "Connection") -> None:
        if not self._turns:
            connection.loop.call_soon(self._take_turns)
        self._turns.append(connection)

    def _take_turns(self) -> None:
        turn_ends = monotonic() + GRPC_TURN_S
        try:
            while self._turns and monotonic() < turn_ends:
                self._take_first()
        finally:
            if self._turns:
                self._turns[0].loop.call_soon(self._take_turns)

    def _take_first(self) -> None:
        try:
            # It stays the first meanwhile: if it has still more to take, it is appended.
            self._turns[0].take_on()
        finally:
            self._turns.popleft()

    def make_room(self, opening: int = 0) -> bool:
        """See :class:`indelible.server.accepting.Crowd`."""
        return make_room(self.connections, CONNECTIONS_MAX, opening)

    def look(self, now: float) -> None:
        """Once in a while: ends connections that are dead, and asks silent ones whether they are."""
        for connection in tuple(self.connections):
            connection.look(now)

    def stop(self) -> None:
        """Nothing new is begun."""
        self.is_stopping = True
        for connection in tuple(self.connections):
            connection.go_away(h2.NO_ERROR, "the server stops")

    def cancel_calls(self) -> None:
        for connection in tuple(self.connections):
            connection.cancel_calls()

    async def close(self) -> None:
        for connection in tuple(self.connections):
            connection.close()
        waited_s = 0.0
        while self.connections and waited_s < SHUTDOWN_STALLED_S:
            await asyncio.sleep(_POLL_S)
            waited_s += _POLL_S
        for connection in tuple(self.connections):
            connection.abort()
