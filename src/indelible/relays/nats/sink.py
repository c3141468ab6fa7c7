"""The sink for NATS JetStream: each event is stored once in the stream, whatever dies.

An event is a message in CloudEvents' binary mode, with headers of the relay's beside: its name, its epoch and the
cursor behind the event. The last such message tells how far the relay came. Two headers of JetStream's are the fence:

- ``Nats-Expected-Last-Subject-Sequence`` (where the subject depends on the event: ``Nats-Expected-Last-Sequence``, of
  the whole stream) says behind which message an event is to stand. It holds for ever, unlike the window in which the
  server knows message ids again. So an earlier owner's events, however late, are refused.
- ``Nats-Expected-Last-Msg-Id`` chains the events of a page, which are sent without waiting: when one is refused, those
  after it are too, so that no hole can come about. Ids have the epoch in them, so that nobody goes on behind another
  owner's message.

Whatever goes otherwise than predicted ends the connection; the next one looks at the stream anew.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import ClassVar, Final, NamedTuple, Self
from urllib.parse import unquote

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.eventstore import FeedPage
from indelible.limits import RELAY_BROKER_TIMEOUT_S, RELAY_FOREIGN_MESSAGES_MAX
from indelible.relay_state import RelayLease
from indelible.relays.at_once import AtOnce
from indelible.relays.messages import (
    CURSOR,
    EPOCH,
    RELAY,
    Binding,
    Message,
    Mode,
    event_said,
    messages_of,
    parse_mode,
    word,
)
from indelible.relays.nats.connection import NOBODY, Answer, Connection
from indelible.relays.nats.sync import sync_problem
from indelible.relays.sink import Check, Reached, Replay, SinkFenced, SinkRefused, SinkUnavailable, unchecked
from indelible.relays.urls import bad, check_known, host_and_port, is_true, parameters, split

_SUBJECT_DEFAULT: Final = "indelible.events"
_log: Final = structlog.get_logger(__name__)

_PARAMETERS: Final = ("stream", "subject", "create", "mode", "monitor")
_BINDING: Final = Binding("ce-", is_quoted=True)
_FIELD: Final = "{aggregate_type}"
_TOKEN: Final = re.compile(r"[^\s.*>\x00-\x1f\x7f]+")
_HOST: Final = re.compile(r"[^\s,]+")
_NAME: Final = re.compile(r"[^\s.*>/\\\x00-\x1f\x7f]+")
_WRONG_PLACE: Final = (10070, 10071)
"""JetStream's codes for another last message id, and another last sequence, than expected."""
_TOO_LARGE: Final = (10054, 10097)
"""For a message with its headers, and for headers: those of JetStream's codes that are about the one message alone."""
_ANOTHER_STREAM: Final = 10060
_CHAIN: Final = "Nats-Expected-Last-Msg-Id"
_SENT_PER_TURN: Final = 32
"""The library writes nothing before the loop has a turn; and the server is to store while the next are made."""
_TRIES_MAX: Final = 100
"""In a row that store nothing, because others publish to the relay's subject."""


class Target(NamedTuple):
    """What a URL names."""

    server: str
    user: str | None
    password: str | None
    """None where only a user is given: that is a token."""
    stream: str
    subject: str
    creates: bool
    """Whether the stream is made when it is not there."""
    mode: Mode
    monitor: str
    """URL of the monitoring port; empty where it is not given."""

    @classmethod
    def of(cls, url: str) -> Self:
        """Raises ``InvalidRequest``."""
        parts = split(url)
        host, _ = host_and_port(parts)
        given = parameters(parts.query)
        check_known(given, _PARAMETERS)
        if not _HOST.fullmatch(host) or parts.path not in ("", "/") or parts.fragment:
            raise bad("must be like nats://HOST:PORT?stream=NAME")
        stream, subject = given.get("stream", ""), given.get("subject", _SUBJECT_DEFAULT)
        if not _NAME.fullmatch(stream):
            raise bad("must name a stream, such as stream=EVENTS; without spaces, dots and wildcards")
        if not all(_TOKEN.fullmatch(token) for token in subject.replace(_FIELD, "x").split(".")) or re.search(
            r"[{}]", subject.replace(_FIELD, "")
        ):
            raise bad(f"has a bad subject: words with dots between them, of which some may be {_FIELD}")
        user, password = (None if one is None else unquote(one) for one in (parts.username, parts.password))
        return cls(
            f"nats://{parts.netloc.rpartition('@')[2]}", user, password, stream, subject, is_true(given, "create"),
            parse_mode(given.get("mode", "binary")), _monitor(given.get("monitor", "")),
        )  # fmt: skip

    @property
    def has_field(self) -> bool:
        return _FIELD in self.subject

    @property
    def pattern(self) -> str:
        """Of the subjects of all its messages."""
        return ".".join("*" if _FIELD in token else token for token in self.subject.split("."))


def _monitor(url: str) -> str:
    try:
        parts = split(url)
        is_there = parts.scheme in ("http", "https") and bool(host_and_port(parts)[0])
    except InvalidRequest:
        is_there = False
    if url and not is_there:
        raise bad("must have for monitor the URL of NATS' monitoring port, such as http://127.0.0.1:8222")
    return url.rstrip("/")


class _Outgoing(NamedTuple):
    position: int
    subject: str
    name: str
    """What it has in each epoch, and no other message of the relay."""
    message_id: str
    """Its name and the epoch: else an earlier owner, who sends the same events, could go on behind one of a newer
    owner's in the middle of a page, as if it were its own."""
    headers: dict[str, str]
    data: bytes


class _Own(NamedTuple):
    """The relay's last message in the stream."""

    sequence: int
    epoch: int
    reached: Reached
    name: str


class NatsSink:
    """Implements :class:`indelible.relays.sink.Sink`."""

    remembers: ClassVar = True

    def __init__(self, target: Target) -> None:
        self._target: Final = target
        self._place_header: Final = (
            "Nats-Expected-Last-Sequence" if target.has_field else "Nats-Expected-Last-Subject-Sequence"
        )
        self._connection: Connection | None = None
        self._lease: RelayLease | None = None
        self._last_sequence = 0
        """Of the last message of the subject, or of the stream where the subject depends on the event."""
        self._own: _Own | None = None
        """As it was looked for last."""
        self._sync_problem: str | None = None
        self._at_once: Final = AtOnce()

    @classmethod
    def of(cls, url: str) -> Self:
        """``nats://[USER:PASSWORD@]HOST:PORT?stream=NAME``, and the other parameters. Raises ``InvalidRequest``."""
        return cls(Target.of(url))

    # --- Looking at the stream ---------------------------------------------------------------------------------------

    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:
        await self.close()
        self._lease, self._own = lease, None
        async with _told_as_unavailable():
            self._connection = await Connection.made(
                self._target.server, self._target.user, self._target.password, f"indelible relay {lease.relay}"
            )
            await self._warn_of_sync()
            own = await self._find()
        reached = own.reached if own is not None and own.epoch >= lease.reset_epoch else None
        if reached is not None:
            await check(reached)
        self._check_epoch(own)
        return None if reached is None else reached.cursor

    async def _warn_of_sync(self) -> None:
        """Once for each problem, however often it is opened."""
        problem = await sync_problem(self._target.monitor) if self._target.monitor else None
        if problem is not None and problem != self._sync_problem:
            _log.warning(problem, relay=self._owned().relay)
        self._sync_problem = problem

    async def _look(self) -> _Own | None:
        """As :meth:`_find`. Raises ``SinkFenced`` where that is a newer owner's."""
        own = await self._find()
        self._check_epoch(own)
        return own

    async def _find(self) -> _Own | None:
        """Learn where the next message is to stand; gives the relay's last one."""
        # In this order: what comes between the two makes the next message be refused, and this be done again.
        stream_end = await self._stream_end()
        last = await self._last_message()
        self._last_sequence = stream_end if self._target.has_field else _sequence(last)
        self._own = await self._last_own(last)
        return self._own

    def _check_epoch(self, own: _Own | None) -> None:
        if own is not None and own.epoch > self._owned().epoch:
            raise SinkFenced(f"the stream {self._target.stream} has messages of epoch {own.epoch}")

    async def _stream_end(self) -> int:
        """The last sequence of the stream; makes it when it is to be made."""
        target, jetstream = self._target, self._jetstream
        try:
            info = await jetstream.stream_info(target.stream)
        except NotFoundError:
            if not target.creates:
                raise SinkUnavailable(
                    f"NATS has no stream {target.stream}; make it for the subject {target.pattern}, or add create=true "
                    "to the URL"
                ) from None
            info = await jetstream.add_stream(StreamConfig(name=target.stream, subjects=[target.pattern]))
        retention = info.config.retention or RetentionPolicy.LIMITS
        if retention != RetentionPolicy.LIMITS:
            raise SinkUnavailable(
                f"the stream {target.stream} has the retention {retention}: what consumers acknowledge is removed from "
                "it, and with it how far the relay came; name a stream with the retention limits, which one for "
                "consumers may have as its source"
            )
        return info.state.last_seq

    async def _last_message(self) -> RawStreamMsg | None:
        with contextlib.suppress(NotFoundError):
            return await self._jetstream.get_last_msg(self._target.stream, self._target.pattern)
        return None

    async def _last_own(self, last: RawStreamMsg | None) -> _Own | None:
        """Others may have published to the relay's subjects since."""
        known = 0 if self._own is None else self._own.sequence
        end = _sequence(last)
        for sequence in range(end, known, -1):
            if end - sequence >= RELAY_FOREIGN_MESSAGES_MAX:
                raise SinkUnavailable(
                    f"the last {RELAY_FOREIGN_MESSAGES_MAX} messages up to the last of {self._target.pattern} are "
                    "others'; give the relay a stream of its own"
                )
            own = await self._own_at(sequence) if sequence < end or last is None else self._as_own(last)
            if own is not None:
                return own
        return self._own

    async def _own_at(self, sequence: int) -> _Own | None:
        with contextlib.suppress(NotFoundError):
            return self._as_own(await self._jetstream.get_msg(self._target.stream, seq=sequence))
        return None

    def _as_own(self, message: RawStreamMsg) -> _Own | None:
        """None where it is another's."""
        headers = message.headers or {}
        epoch, cursor = headers.get(EPOCH, ""), headers.get(CURSOR)
        if headers.get(RELAY) != word(self._owned().relay) or not epoch.isdigit() or cursor is None:
            return None
        reached = Reached(Cursor(cursor), *event_said(headers, message.data or b"", _BINDING))
        return _Own(_sequence(message), int(epoch), reached, headers.get("Nats-Msg-Id", "").rpartition(".")[0])

    # --- Publishing --------------------------------------------------------------------------------------------------

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        lease = self._owned()
        messages = messages_of(page, lease, _BINDING, self._target.mode, replay)
        # After a reset, or in a replay, the same events are others to the server, which would take them for stored.
        marks = [str(lease.reset_epoch)] if lease.reset_epoch else []
        marks += [replay.name] if replay is not None else []
        left: Iterator[_Outgoing] = (self._outgoing(message, marks) for message in messages)
        tries = 0
        while (first := next(left, None)) is not None:
            if tries == _TRIES_MAX:
                raise SinkUnavailable(f"others publish to the subject {self._target.pattern} all the time")
            with self._at_once.of(page.count) as count:
                async with _told_as_unavailable():
                    stored, rest = await self._send_all(chain((first,), islice(left, count - 1)))
                    left = chain(await self._look_again(rest) if rest else (), left)
            tries = 0 if stored else tries + 1
            if rest:
                # Others publish here too: what stands behind such a message was sent for nothing.
                self._at_once.limit(max(stored, _SENT_PER_TURN))

    async def _send_all(self, events: Iterable[_Outgoing]) -> tuple[int, Sequence[_Outgoing]]:
        """How many are stored; and those that are not, because another message stands where the first of them was to
        stand."""
        connection, left, sent = self._connected(), iter(events), list[_Outgoing]()
        refusal = await self._send(connection, left, sent)
        answers = await connection.answers()
        for stored, (event, answer) in enumerate(zip(sent, answers, strict=False)):
            if answer.code in _WRONG_PLACE:
                return stored, [*sent[stored:], *left]
            if answer.problem:
                raise await self._reason(event, answer)
            await self._check_stored(event, answer)
        if refusal is not None:
            raise refusal
        return len(sent), ()

    async def _send(
        self, connection: Connection, events: Iterator[_Outgoing], sent: list[_Outgoing]
    ) -> SinkRefused | None:
        """Each behind the one before, without waiting for answers. Ends at one that is too large, which counts as
        sent."""
        before: _Outgoing | None = None
        for expected, event in enumerate(events, self._last_sequence):
            sent.append(event)
            self._place(event, expected, before)
            problem = connection.problem_with(event.data, event.headers)
            if problem is not None:
                return SinkRefused(problem, event.position)
            await connection.send(event.subject, event.data, event.headers)
            before = event
            if len(sent) % _SENT_PER_TURN == 0:
                await asyncio.sleep(0)
        return None

    def _place(self, event: _Outgoing, expected: int, before: _Outgoing | None) -> None:
        """Say where it is to stand: in its headers, because it may be sent again."""
        headers = event.headers
        headers[self._place_header] = str(expected)
        if before is None:
            headers.pop(_CHAIN, None)
        else:
            headers[_CHAIN] = before.message_id

    async def _check_stored(self, event: _Outgoing, answer: Answer) -> None:
        """The server takes what has the id of a message of the last minutes for stored, wherever that is."""
        if not answer.is_duplicate:
            self._last_sequence = answer.sequence
            return
        if await self._own_at(answer.sequence) is None:
            raise SinkRefused(
                f"the stream {self._target.stream} has it already as message {answer.sequence}, of somebody else; "
                "give the relay a stream of its own",
                event.position,
            )

    async def _look_again(self, left: Sequence[_Outgoing]) -> Sequence[_Outgoing]:
        """After somebody else has published: what is still to be sent. Raises ``SinkFenced`` where that was a newer
        owner."""
        own = await self._look()
        names = [event.name for event in left]
        return left[names.index(own.name) + 1 :] if own is not None and own.name in names else left

    async def _reason(self, event: _Outgoing, answer: Answer) -> Exception:
        if answer.code in _TOO_LARGE:
            return SinkRefused(f"NATS refuses it: {answer.problem}", event.position)
        if answer.code in (NOBODY, _ANOTHER_STREAM):
            # Raises where there is no stream, or no JetStream: that may pass.
            await self._jetstream.stream_info(self._target.stream)
            return SinkRefused(
                f"the stream {self._target.stream} does not take the subject {event.subject}", event.position
            )
        return SinkUnavailable(f"NATS does not store an event: {answer.problem}")

    def _outgoing(self, message: Message, marks: Sequence[str]) -> _Outgoing:
        event = message.event
        subject = self._target.subject.replace(_FIELD, word(event.aggregate_type))
        name = ".".join((str(event.event_id), *marks))
        message_id = f"{name}.{self._owned().epoch}"
        headers = message.headers
        headers["content-type"] = message.content_type
        headers["Nats-Expected-Stream"] = self._target.stream
        headers["Nats-Msg-Id"] = message_id
        return _Outgoing(event.position, subject, name, message_id, headers, message.data)

    # --- The connection ----------------------------------------------------------------------------------------------

    def _connected(self) -> Connection:
        assert self._connection is not None, "it is opened first"
        return self._connection

    @property
    def _jetstream(self) -> JetStreamContext:
        return self._connected().jetstream

    def _owned(self) -> RelayLease:
        assert self._lease is not None, "it is opened first"
        return self._lease

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


@contextlib.asynccontextmanager
async def _told_as_unavailable() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(RELAY_BROKER_TIMEOUT_S):
            yield
    except TimeoutError as error:
        raise SinkUnavailable(f"NATS does not answer within {RELAY_BROKER_TIMEOUT_S:g} s") from error
    except (NatsError, OSError) as error:
        raise SinkUnavailable(f"NATS cannot be used: {str(error) or type(error).__name__}") from error


def _sequence(message: RawStreamMsg | None) -> int:
    return 0 if message is None or message.seq is None else message.seq
