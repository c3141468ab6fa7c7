"""Appends of one call of BatchAppend that come in several messages, until their last: told apart by correlation ids,
and bounded in number, events, bytes and time."""

import time
from typing import Final
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from indelible.errors import IndelibleError, InvalidRequest, Overloaded
from indelible.limits import (
    ESDB_APPEND_S,
    ESDB_APPENDS_OPEN_MAX,
    ESDB_DEADLINE_S_MAX,
    NAME_LENGTH_MAX,
    RETRY_AFTER_S,
)
from indelible.server.esdb.gathering import Gathering
from indelible.server.services import BodyMemory
from indelible.wire.esdb.messages import id_of
from indelible.wire.esdb.pb import streams_pb2 as pb

_NAME_SIZE_BYTES_MAX: Final = 4 * NAME_LENGTH_MAX
"""More is no name, and is not kept for an answer."""


class ComingAppend:
    """An append as it comes. What it holds counts until :meth:`let_go`."""

    __slots__ = ("_gathering", "deadline", "error", "request", "whole_by")

    def __init__(self, request: pb.BatchAppendReq, now: float, bodies: BodyMemory) -> None:
        self.request: Final = request
        """All that has come of it. Refused, it is empty but for what tells which it is."""
        self.deadline: Final = deadline_of(request.options, now)
        """When its caller waits no longer, on the event loop's clock; None: never."""
        self.whole_by: Final = min(now + ESDB_APPEND_S, self.deadline or now + ESDB_APPEND_S)
        self.error: IndelibleError | TimeoutError | None = None
        """Why it is refused."""
        self._gathering: Final = Gathering(bodies)

    def take(self, request: pb.BatchAppendReq, size_bytes: int) -> None:
        """A message of it, the first included."""
        if self.error is not None:
            return
        try:
            self._gathering.add(size_bytes, len(request.proposed_messages))
            if not self.request.HasField("options"):
                raise InvalidRequest("must be in the first message", pointer="/options")
        except IndelibleError as error:
            self.refuse(error)
            return
        if request is not self.request:
            self.request.proposed_messages.extend(request.proposed_messages)

    def refuse(self, error: IndelibleError | TimeoutError) -> None:
        self.error = error
        self.request.ClearField("proposed_messages")
        if len(self.request.options.stream_identifier.stream_name) > _NAME_SIZE_BYTES_MAX:
            self.request.ClearField("options")
        self.let_go()

    def let_go(self) -> None:
        """It is answered, or its caller is gone. May be called again."""
        self._gathering.let_go()


class OpenAppends:
    """Those that are not whole. One that is refused is given out at once; what still comes of it is passed over."""

    def __init__(self, bodies: BodyMemory) -> None:
        self._bodies: Final = bodies
        self._open: Final[dict[UUID, ComingAppend]] = {}

    def add(self, request: pb.BatchAppendReq, size_bytes: int, now: float) -> ComingAppend | None:
        """The append, once it is whole or refused. Raises ``InvalidRequest`` when nobody can tell which it is, and
        ``Overloaded`` when too many are open."""
        name = id_of(request.correlation_id, "/correlation_id")
        coming = self._open.get(name)
        is_first = coming is None
        if coming is None:
            coming = ComingAppend(request, now, self._bodies)
        was_refused = coming.error is not None
        coming.take(request, size_bytes)
        if request.is_final:
            self._open.pop(name, None)
        elif is_first:
            self._check_count()
            self._open[name] = coming
        return coming if not was_refused and (request.is_final or coming.error is not None) else None

    def _check_count(self) -> None:
        if len(self._open) >= ESDB_APPENDS_OPEN_MAX:
            raise Overloaded("too many appends have begun to come that are not whole", retry_after_s=RETRY_AFTER_S)

    @property
    def first_end(self) -> float | None:
        """When the first of them is given up, unless it becomes whole; None: never."""
        ends = [coming.whole_by for coming in self._open.values() if coming.error is None]
        return min(ends, default=None)

    def late(self, now: float) -> list[ComingAppend]:
        """Those that did not come whole in time. They are refused now."""
        late = [coming for coming in self._open.values() if coming.error is None and coming.whole_by <= now]
        for coming in late:
            coming.refuse(TimeoutError("the append did not come whole in time; nothing was stored"))
        return late

    def let_go(self) -> None:
        """No more come."""
        for coming in self._open.values():
            coming.let_go()
        self._open.clear()


def deadline_of(options: pb.BatchAppendReq.Options, now: float) -> float | None:
    """On the clock that says ``now``; None where the caller waits as long as it takes."""
    which = options.WhichOneof("deadline_option")
    if which is None:
        return None
    left_s = _seconds(getattr(options, which))
    if which == "deadline_21_10_0":  # a time of day
        left_s -= time.time()
    return None if left_s > ESDB_DEADLINE_S_MAX else now + left_s


def _seconds(message: Duration | Timestamp) -> float:
    """Of a duration, or of a time since 1970."""
    return message.seconds + message.nanos / 1e9
