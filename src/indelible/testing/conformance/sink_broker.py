"""What the suite of sinks needs of a broker, and what it sees of it: messages, as a consumer gets them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Final, Literal, NamedTuple, Self
from urllib.parse import unquote

import msgspec

from indelible.events import NewEvent
from indelible.relays.messages import CURSOR, EPOCH, RELAY, REPLAY
from indelible.relays.sink import Sink
from indelible.testing.conformance.helpers import unique

_SPEC_VERSION: Final = "specversion"
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Received(NamedTuple):
    """One message, as a consumer with the broker's own client got it."""

    headers: dict[str, str]
    """All of them as text; also the content type, as ``content-type``, where the protocol has another place for it."""
    data: bytes
    place: str
    """Within which the broker keeps order: a stream, a partition, a queue. Begins with the name of what it is of."""


class SinkBroker:
    """A place of a broker (a stream, a topic, an exchange) that nobody has used, and what can be done to its broker.

    Subclass it for the suite. ``make_sink`` and ``received`` must be there. What else is left out is not tried, and the
    tests that need it are skipped.
    """

    remembers: bool = False
    """Whether it stores each event once, and ``open`` tells how far the relay came."""
    fences: bool = False
    """Whether an earlier epoch's sink is refused, or locked out as long as another is open."""
    order: Literal["all", "aggregate"] = "aggregate"
    """Whether all events have one order, or those of each aggregate."""
    kills: int = 3
    """How often a test kills it. A broker that takes long to start is killed less often."""

    @cached_property
    def relay(self) -> str:
        """Of those that publish to the place: nobody has used it before either. No word, as most people's are none."""
        return unique("orders é.1 ")

    def make_sink(self) -> Sink:
        """A sink for the place; several are open at once."""
        raise NotImplementedError

    async def received(self) -> Sequence[Received]:
        """All that a consumer gets who begins at the beginning, in the order in which it gets them. May be asked again
        and again."""
        raise NotImplementedError

    async def kill(self) -> None:
        """End the broker as kill -9 does, at once: before anything is awaited."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start it again after that, on what it had stored; return when it can be connected to."""
        raise NotImplementedError

    async def cut(self) -> None:
        """Break the connections of all sinks; new ones can be made at once."""
        raise NotImplementedError

    async def freeze(self) -> None:
        """From now on nothing is answered, though connections stay and new ones can be made."""
        raise NotImplementedError

    async def thaw(self) -> None:
        """Go on after that."""
        raise NotImplementedError

    def refused_event(self) -> NewEvent:
        """Which the broker never takes: one that is too large, mostly."""
        raise NotImplementedError

    def can(self, *names: str) -> bool:
        """Whether there are methods of these names."""
        return all(getattr(type(self), name) is not getattr(SinkBroker, name) for name in names)


class Seen(NamedTuple):
    """What a message says."""

    event_id: str
    source: str
    """The aggregate's path."""
    position: int
    """In its partition of the log."""
    relay: str
    """As a word, see :func:`indelible.relays.messages.word`."""
    epoch: int
    cursor: str
    replay: str | None
    received: Received

    @classmethod
    def of(cls, received: Received) -> Self:
        """Raises ``AssertionError`` for what is no relay's message."""
        told, headers = attributes_of(received), received.headers
        for name in (RELAY, EPOCH, CURSOR):
            assert name in headers, f"a message has no header {name}: {received}"
        for name in ("id", "source", "position"):
            assert name in told, f"a message has no attribute {name}: {received}"
        assert headers[EPOCH].isdigit(), f"an epoch is no number: {received}"
        assert told["position"].isdigit(), f"a position is no number: {received}"
        return cls(
            told["id"], unquote(told["source"]), int(told["position"]),
            headers[RELAY], int(headers[EPOCH]), headers[CURSOR], headers.get(REPLAY), received,
        )  # fmt: skip


def attributes_of(received: Received) -> Mapping[str, str]:
    """Those of CloudEvents, whatever prefix the protocol's headers have, or those in the data; as they were written."""
    prefix = prefix_of(received)
    if prefix is not None:
        return {name[len(prefix) :]: value for name, value in received.headers.items() if name.startswith(prefix)}
    try:
        members = _decode(received.data)
    except msgspec.DecodeError:
        members = {}
    assert _SPEC_VERSION in members, f"a message is no CloudEvent, neither by its headers nor by its data: {received}"
    texts = {name: bytes(value) for name, value in members.items() if bytes(value).startswith(b'"')}
    return {name: msgspec.json.decode(value, type=str) for name, value in texts.items()}


def prefix_of(received: Received) -> str | None:
    """None where the data holds the whole CloudEvent."""
    found = [name.removesuffix(_SPEC_VERSION) for name in received.headers if name.endswith(_SPEC_VERSION)]
    return found[0] if found else None


def in_order(seen: Iterable[Seen], order: Literal["all", "aggregate"]) -> list[list[Seen]]:
    """What the broker keeps the order of: all, or each aggregate."""
    groups: defaultdict[str, list[Seen]] = defaultdict(list)
    for one in seen:
        groups[one.source if order == "aggregate" else ""].append(one)
    return list(groups.values())


def without_repeats(seen: Iterable[Seen]) -> list[Seen]:
    """Each event where it came first."""
    found: dict[str, Seen] = {}
    for one in seen:
        found.setdefault(one.event_id, one)
    return list(found.values())
