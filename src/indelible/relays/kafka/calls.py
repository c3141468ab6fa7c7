"""Calls of librdkafka that end in time: whatever it waits for, it is asked again and again, a short time each."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event
from typing import Any, Final, TypeVar

from confluent_kafka import KafkaError, KafkaException

from indelible.relays.sink import SinkUnavailable

T = TypeVar("T")

_SLICE_S: Final = 0.2
"""How long the sink hears nothing of being closed."""
_PASSING: Final = (
    KafkaError._TIMED_OUT,
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.CONCURRENT_TRANSACTIONS,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.OFFSET_NOT_AVAILABLE,
)


class Problems:
    """What a client says of its connections, beside its answers. Stands in its settings, and never for the client:
    what refers to itself ends late."""

    def __init__(self) -> None:
        self._text = ""
        self._is_hopeless = False

    def note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:
            self._text = error.str()
            self._is_hopeless |= error.code() == KafkaError._AUTHENTICATION
        elif self._text:
            # Said as well while none was asked yet; and why the last one is down says more.
            self._is_hopeless = True

    def check(self) -> None:
        """Raises ``SinkUnavailable`` where waiting helps nobody."""
        if self._is_hopeless:
            raise SinkUnavailable(f"Kafka cannot be reached: {self._text}")


class Patience:
    """For ``limit_s`` from now on, and until ``is_given_up`` is set."""

    def __init__(self, limit_s: float, is_given_up: Event) -> None:
        self._limit_s: Final = limit_s
        self._ends_at: Final = time.monotonic() + limit_s
        self._is_given_up: Final = is_given_up

    def left_s(self) -> float:
        """Raises ``SinkUnavailable`` when nothing is left."""
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise SinkUnavailable(f"Kafka does not answer within {self._limit_s:g} s")
        if self._is_given_up.is_set():
            raise SinkUnavailable("the sink was closed meanwhile")
        return left_s

    def until_done(self, call: Callable[[float], T], between: Callable[[], object] = lambda: None) -> T:
        """``call`` is asked again as long as it only waits. Raises ``SinkUnavailable``, and its other errors."""
        while True:
            slice_s = min(_SLICE_S, self.left_s())
            called_at = time.monotonic()
            try:
                return call(slice_s)
            except KafkaException as error:
                if error.args[0].code() not in _PASSING or error.args[0].txn_requires_abort() or _is_fatal(error):
                    raise
            between()
            # Some fail at once while there is no connection.
            self._is_given_up.wait(max(0.0, called_at + slice_s / 4 - time.monotonic()))

    def result(self, future: "Future[Any]", between: Callable[[], object]) -> Any:
        """Of a call of the administration's."""
        while True:
            slice_s = min(_SLICE_S, self.left_s())
            try:
                return future.result(slice_s / 4)
            except TimeoutError:
                between()


def _is_fatal(error: KafkaException) -> bool:
    return bool(error.args[0].fatal())
