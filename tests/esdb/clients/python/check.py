"""What kurrentdbclient does, checked: ``check.py HOST:PORT``. See ``run.py`` for what it prints."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from uuid import uuid4

from kurrentdbclient import KurrentDBClient, NewEvent, NewEvents, RecordedEvent, StreamState
from kurrentdbclient.exceptions import KurrentDBClientError, NotFoundError, WrongCurrentVersionError

RETRY_S = 0.1
EVENTS = 20
RESTART_AT = 7


def event(data: bytes = b"{}") -> NewEvent:
    return NewEvent(type="Placed", data=data, metadata=b'{"by": "python"}')


def name() -> str:
    return f"order-{uuid4()}"


def same(found: object, expected: object) -> None:
    if found != expected:
        raise AssertionError(f"{found!r} instead of {expected!r}")


def refused(error: type[Exception], call: Callable[..., object], *arguments: object, **named: object) -> None:
    try:
        answer = call(*arguments, **named)
    except error:
        return
    raise AssertionError(f"{answer!r} instead of {error.__name__}")


def read(events: Iterable[RecordedEvent]) -> list[tuple[int, bytes]]:
    return [(found.stream_position, found.data) for found in events]


class Checks:
    def __init__(self, address: str) -> None:
        self.address = address
        self.client = KurrentDBClient(f"kurrentdb://{address}?tls=false")

    def append(self, stream: str, expected: int | StreamState, *events: NewEvent) -> int:
        return self.client.append_to_stream(stream, current_version=expected, events=events)

    def discovery(self) -> None:
        client = KurrentDBClient(f"kurrentdb+discover://{self.address}?tls=false")
        client.append_to_stream(name(), current_version=StreamState.NO_STREAM, events=[event()])
        client.close()

    def expected_revisions(self) -> None:
        stream = name()
        self.append(stream, StreamState.NO_STREAM, event(), event())
        self.append(stream, 1, event())
        self.append(stream, StreamState.EXISTS, event())
        self.append(stream, StreamState.ANY, event())
        for expected in (StreamState.NO_STREAM, 3, 5):
            refused(WrongCurrentVersionError, self.append, stream, expected, event())
        for expected in (StreamState.EXISTS, 0):
            refused(WrongCurrentVersionError, self.append, name(), expected, event())

    def the_same_append_again(self) -> None:
        stream, events = name(), (event(), event())
        first = self.append(stream, StreamState.NO_STREAM, *events)
        self.append(stream, 1, event())
        same(self.append(stream, StreamState.NO_STREAM, *events), first)
        same(len(self.client.get_stream(stream)), 3)

    def reading_a_stream(self) -> None:
        stream = name()
        self.append(stream, StreamState.NO_STREAM, *(event(b"%d" % number) for number in range(5)))
        five = [(number, b"%d" % number) for number in range(5)]
        same(read(self.client.get_stream(stream)), five)
        same(read(self.client.get_stream(stream, backwards=True)), five[::-1])
        same(read(self.client.get_stream(stream, stream_position=1, limit=2)), five[1:3])
        same(read(self.client.get_stream(stream, stream_position=3, backwards=True, limit=2)), five[3:1:-1])
        same([found.metadata for found in self.client.get_stream(stream, limit=1)], [b'{"by": "python"}'])
        refused(NotFoundError, self.client.get_stream, name())

    def reading_all(self) -> None:
        stream = name()
        self.append(stream, StreamState.NO_STREAM, *(event(b"%d" % number) for number in range(3)))
        ours = [found for found in self.client.read_all() if found.stream_name == stream]
        same(read(ours), [(number, b"%d" % number) for number in range(3)])
        same(read(self.client.read_all(backwards=True, limit=2)), read(ours[:0:-1]))
        one = self.client.read_all(filter_include=[stream], filter_by_stream_name=True, filter_by_prefix=True)
        same(read(one), read(ours))
        after = self.client.read_all(commit_position=ours[1].commit_position, limit=2)
        same(read(after), read(ours[1:]))

    def stream_metadata(self) -> None:
        stream = name()
        self.append(stream, StreamState.NO_STREAM, event(), event(), event())
        same(self.client.get_stream_metadata(stream), ({}, StreamState.NO_STREAM))
        kept = {"$maxCount": 2, "kept": "for the audit"}
        self.client.set_stream_metadata(stream, metadata=kept, current_version=StreamState.NO_STREAM)
        same(self.client.get_stream_metadata(stream), (kept, 0))
        same([position for position, _ in read(self.client.get_stream(stream))], [1, 2])

    def deletion(self) -> None:
        stream = name()
        self.append(stream, StreamState.NO_STREAM, event(), event())
        refused(WrongCurrentVersionError, self.client.delete_stream, stream, current_version=5)
        self.client.delete_stream(stream, current_version=1)
        refused(NotFoundError, self.client.get_stream, stream)
        self.append(stream, StreamState.NO_STREAM, event())
        same([position for position, _ in read(self.client.get_stream(stream))], [2])

    def appends_to_several_streams(self) -> None:
        one, other = name(), name()
        appended = [NewEvents(stream, [event(), event()], StreamState.NO_STREAM) for stream in (one, other)]
        self.client.multi_append_to_stream(appended)
        same([len(self.client.get_stream(stream)) for stream in (one, other)], [2, 2])
        half_wrong = [NewEvents(one, [event()], 1), NewEvents(other, [event()], 7)]
        refused(WrongCurrentVersionError, self.client.multi_append_to_stream, half_wrong)
        same(len(self.client.get_stream(one)), 2)

    def a_subscription_through_a_restart(self) -> None:
        stream = name()
        writer = threading.Thread(target=self._write, args=[stream])
        writer.start()
        numbers = []
        for found in self._followed(stream):
            numbers.append(found.stream_position)
            if len(numbers) == RESTART_AT:
                print("RESTART", flush=True)
            if len(numbers) == EVENTS:
                break
        sys.stdin.readline()
        writer.join()
        same(numbers, list(range(EVENTS)))

    def _write(self, stream: str) -> None:
        """One by one, and again what may not have been stored."""
        client = KurrentDBClient(f"kurrentdb://{self.address}?tls=false")
        for number in range(EVENTS):
            new = event(b"%d" % number)
            expected = number - 1 if number else StreamState.NO_STREAM
            while True:
                try:
                    client.append_to_stream(stream, current_version=expected, events=[new])
                    break
                except WrongCurrentVersionError:
                    raise
                except KurrentDBClientError:
                    time.sleep(RETRY_S)
        client.close()

    def _followed(self, stream: str) -> Iterator[RecordedEvent]:
        """By a subscription to all, which is made again from the last event when it breaks."""
        position = 0
        filters = {"filter_include": [stream], "filter_by_stream_name": True, "filter_by_prefix": True}
        while True:
            try:
                for found in self.client.subscribe_to_all(commit_position=position, **filters):
                    yield found
                    position = found.commit_position
            except KurrentDBClientError:
                time.sleep(RETRY_S)

    def a_persistent_subscription(self) -> None:
        stream, group = name(), "billing"
        self.append(stream, StreamState.NO_STREAM, event(), event(), event())
        self.client.create_subscription_to_stream(group, stream)
        numbers = []
        with self.client.read_subscription_to_stream(group, stream) as events:
            for found in events:
                numbers.append(found.stream_position)
                if numbers == [0, 1]:
                    events.nack(found, "park")  # which holds up its stream
                    self._replay_parked(group, stream)
                else:
                    events.ack(found)
                if len(numbers) == 4:
                    break
        same(numbers, [0, 1, 1, 2])
        self.client.delete_subscription(group, stream)
        refused(NotFoundError, self.client.get_subscription_info, group, stream)

    def _replay_parked(self, group: str, stream: str) -> None:
        """Once it is parked, as the client may be late to say so."""
        while not self.client.get_subscription_info(group, stream).parked_message_count:
            time.sleep(RETRY_S)
        self.client.replay_parked_events(group, stream)


def main() -> None:
    checks = Checks(sys.argv[1])
    for says, check in (
        ("discovery", checks.discovery),
        ("expected revisions", checks.expected_revisions),
        ("the same append again", checks.the_same_append_again),
        ("reading a stream", checks.reading_a_stream),
        ("reading $all", checks.reading_all),
        ("stream metadata", checks.stream_metadata),
        ("deletion", checks.deletion),
        ("appends to several streams", checks.appends_to_several_streams),
        ("a subscription through a restart", checks.a_subscription_through_a_restart),
        ("a persistent subscription", checks.a_persistent_subscription),
    ):
        check()
        print(says, flush=True)
    checks.client.close()


if __name__ == "__main__":
    main()
