"""Relay: publishes a feed to a broker, in order, from a checkpoint that the store keeps.

One loop: own the relay; ask the broker how far it has come; follow the feed behind that; publish a page and wait for
the broker's acknowledgements; move the checkpoint. One page is on its way at a time, and the next one grows meanwhile,
to a bound: memory is bounded, whatever the broker does. Pages of what is published beside the order of the log come in
turn with these. All the while the tenure renews the lease.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Final, get_args

import structlog

from indelible.cursors import Cursor
from indelible.errors import (
    EventNotFound,
    Forbidden,
    IndelibleError,
    InvalidRequest,
    RelayFenced,
    RelayOwned,
    StoreCorrupted,
    Unauthenticated,
)
from indelible.events import RecordedEvent
from indelible.eventstore import EventStore, FeedPage
from indelible.groups import StartPoint, check_group_query
from indelible.limits import (
    RELAY_CLAIM_INTERVAL_S,
    RELAY_GATHER_S,
    RELAY_LEASE_S,
    RELAY_RETRY_WAIT_MAX_S,
    RELAY_RETRY_WAIT_MIN_S,
    RELAY_SAVE_PAUSE_REMEMBERED_S,
    RELAY_SAVE_PAUSE_S,
)
from indelible.queries import EVERYTHING, EventQuery
from indelible.readable_feed import WithoutOwn
from indelible.relay_state import OnRefusal, RelayInfo, check_lease, check_owner, check_relay
from indelible.relays.ahead import Ahead
from indelible.relays.beside import Beside
from indelible.relays.publisher import EventSetAside, Publisher
from indelible.relays.sink import Reached, Sink, SinkFenced, SinkRefused, SinkUnavailable
from indelible.relays.tenure import Tenure
from indelible.tasks import Waits, end_if_cancelled, first_of

_BEGINNING: Final = StartPoint()

_APART: Final = "give this relay a subject of its own, in Kafka a cursor_topic; or delete what is there"

_log: Final = structlog.get_logger(__name__)


class Relay:
    """Publishes what matches ``query``, which has no time window, from ``start`` on where the relay is new; the store's
    own events only where the query names their aggregate type. ``owner``
    names this process; made up unless given. ``on_refusal`` is what it does about an event that the broker will never
    take: "stop", until somebody resumes it, or "set_aside". ``on_page`` hears of each page of the live feed that was
    published: the relay's name, the page, and when that began, in nanoseconds since 1970. Belongs to one event loop,
    which :meth:`run` is called on once at a time.

    Raises ``InvalidRequest`` for names and queries that are not allowed.
    """

    def __init__(
        self,
        store: EventStore,
        name: str,
        sink: Sink,
        query: EventQuery = EVERYTHING,
        *,
        start: StartPoint = _BEGINNING,
        owner: str | None = None,
        lease_s: float = RELAY_LEASE_S,
        on_refusal: OnRefusal = "stop",
        on_page: Callable[[str, FeedPage, int], None] | None = None,
    ) -> None:
        self.name: Final = check_relay(name)
        self._store: Final = WithoutOwn(store)
        self._sink: Final = sink
        self._query: Final = EventQuery(check_group_query(query))
        self._start: Final = start.checked()
        self._owner: Final = check_owner(own_name() if owner is None else owner)
        self._lease_s: Final = check_lease(lease_s)
        self._on_refusal: Final = _check_on_refusal(on_refusal)
        self._on_page: Final = on_page
        self.info: RelayInfo | None = None
        """What the store said last, while this process owns the relay; else None."""
        self.errors = 0
        """How often publishing was interrupted, or was refused, since it began."""
        self._is_let_in = False
        """Whether the store has ever let this own the relay, and read."""

    async def run(self) -> None:
        """Publish, or stand by while another owns the relay, until cancelled. Raises ``InvalidRequest`` for a start
        that is no place of the store's log; ``Unauthenticated`` and ``Forbidden`` where the store has let this in not
        even once: later, who may do what is perhaps only being changed."""
        waits = Waits(RELAY_RETRY_WAIT_MIN_S, RELAY_RETRY_WAIT_MAX_S)
        while True:
            try:
                tenure = await self._claim()
                waits.begin_anew()
                await self._own(tenure)
            except RelayFenced as error:
                _log.warning("the relay has another owner; this one stands by", relay=self.name, reason=str(error))
            except InvalidRequest as error:
                if error.pointer != "/cursor":
                    raise
                self._count_error("the store does not know how far the relay came", error)
            except IndelibleError as error:
                if isinstance(error, (Unauthenticated, Forbidden)) and not self._is_let_in:
                    raise
                self._count_error("the relay's store fails", error)
            finally:
                self.info = None
            end_if_cancelled()
            await waits.wait()

    def _count_error(self, what: str, error: Exception) -> None:
        self.errors += 1
        _log.warning(what, relay=self.name, error=str(error))

    async def _claim(self) -> Tenure:
        is_told = False
        while True:
            end_if_cancelled()
            asked_at = time.monotonic()
            try:
                lease = await self._store.relays.claim(
                    self.name, self._owner, lease_s=self._lease_s,
                    start=self._start.start, after=self._start.after, since=self._start.since,
                )  # fmt: skip
            except RelayOwned as error:
                if not is_told:
                    _log.info("the relay stands by", relay=self.name, owner=error.fields.get("owner"))
                    is_told = True
                await asyncio.sleep(min(RELAY_CLAIM_INTERVAL_S, self._lease_s))
                continue
            _log.info("the relay is owned here", relay=self.name, epoch=lease.epoch, cursor=lease.cursor)
            return Tenure(
                self._store.relays, lease, lease_s=self._lease_s, taken_at=asked_at,
                save_pause_s=RELAY_SAVE_PAUSE_REMEMBERED_S if self._sink.remembers else RELAY_SAVE_PAUSE_S,
                on_told=self._hear,
            )  # fmt: skip

    def _hear(self, info: RelayInfo) -> None:
        self.info = info

    async def _own(self, tenure: Tenure) -> None:
        """Until the epoch is over, or this is cancelled; then the lease is given back."""
        try:
            await first_of(tenure.keep(), self._publish(tenure))
        finally:
            with suppress(Exception):
                await self._sink.close()
            await tenure.end()

    # --- Publishing --------------------------------------------------------------------------------------------------

    async def _publish(self, tenure: Tenure) -> None:
        waits = Waits(RELAY_RETRY_WAIT_MIN_S, RELAY_RETRY_WAIT_MAX_S)
        while True:
            if tenure.stands_still:
                await tenure.goes_on()
                tenure.note_problem(None)
            try:
                await self._connect(tenure)
                await self._follow(tenure, waits)
            except EventSetAside as error:
                self._count_error("the broker refuses an event, which is set aside", error)
                waits.begin_anew()
            except SinkUnavailable as error:
                self._count_error("the relay's broker does not take events", error)
                tenure.note_problem(f"{error}; behind cursor {tenure.cursor}")
            except SinkFenced as error:
                # Raises where the store knows of a newer owner as well. Else it was restored from a backup.
                await tenure.renew()
                self._count_error("the broker knows of an owner that the store does not", error)
                tenure.note_problem(f"{error}, and the store none; publish to another subject", stop=True)
            except (SinkRefused, StoreCorrupted, InvalidRequest) as error:
                self._count_error("the relay stops until it is resumed", error)
                tenure.note_problem(_reason(error), stop=True)
            await self._sink.close()
            end_if_cancelled()
            if not tenure.stands_still:
                await waits.wait()

    async def _connect(self, tenure: Tenure) -> None:
        await tenure.becomes_certain()
        last: RecordedEvent | None = None

        async def check(reached: Reached) -> None:
            nonlocal last
            last = await self._checked(reached, tenure.cursor)

        reached = await self._sink.open(tenure.lease, check)
        end_if_cancelled()
        if reached is None:
            return
        count = 0 if last is None else await self._count(tenure.cursor, last)
        try:
            await tenure.reach(reached, count)
        except InvalidRequest as error:
            raise _not_of_the_log(reached) from error

    async def _checked(self, reached: Reached, checkpoint: Cursor) -> RecordedEvent | None:
        """The event that was published last, if the broker says it. Raises ``InvalidRequest`` unless what the broker
        knows is of this store's log: what is before the place is not published any more. An event's hash covers all
        that stand before it, so no other log has it."""
        if reached.event_id is None or reached.event_hash is None:
            if reached.cursor != checkpoint:
                raise InvalidRequest(
                    f"the broker says that this relay came to cursor {reached.cursor}, but not with which event, as it "
                    f"was with earlier versions: if that is of this store, reset the relay to go on after "
                    f"{reached.cursor}; else {_APART}",
                    pointer="/cursor",
                )
            return None
        try:
            event = await self._store.get_event(reached.event_id)
        except EventNotFound:
            event = None
        if event is None or event.hash != reached.event_hash:
            raise _not_of_the_log(reached.cursor)
        return event

    async def _count(self, after: Cursor, last: RecordedEvent) -> int:
        """How many events the broker got of which nobody has heard yet: those behind ``after`` up to the ``last``."""
        count = 0
        async with aclosing(self._store.follow(self._query, after=after)) as pages:
            async for page in pages:
                positions = [event.position for event in page.events]
                count += sum(position <= last.position for position in positions)
                if page.at_end or (positions and positions[-1] >= last.position):
                    break
        return count

    async def _follow(self, tenure: Tenure, waits: Waits) -> None:
        """Until the relay is to stand still, or it is no longer certain who owns it: a sink that is open may keep
        others from publishing, so the store is asked without one."""
        publisher = Publisher(self._sink, tenure, self._on_refusal)
        async with (
            aclosing(Ahead(self._store.follow(self._query, after=tenure.cursor, gather_s=RELAY_GATHER_S))) as live,
            aclosing(Beside(self._store, self._query, tenure, publisher)) as beside,
        ):
            while True:
                if not live.is_there:
                    await first_of(live.arrives(), beside.arrives(), tenure.hears(), tenure.becomes_doubtful())
                end_if_cancelled()
                if tenure.stands_still or not tenure.is_certain:
                    return
                if live.is_there:
                    page, began_ns = live.take(), time.time_ns()
                    self._is_let_in = True
                    await publisher.live(page)
                    if page.count:
                        waits.begin_anew()
                        if self._on_page is not None:
                            self._on_page(self.name, page, began_ns)
                if tenure.stands_still or not tenure.is_certain:
                    return
                await beside.take_turn()


def _not_of_the_log(cursor: Cursor) -> InvalidRequest:
    return InvalidRequest(
        f"the broker holds what this relay published up to cursor {cursor}, which is no place of this store's log: it "
        f"was of another store, or of one that was restored from a backup since; {_APART}",
        pointer="/cursor",
    )


def _reason(error: Exception) -> str:
    position = error.position if isinstance(error, SinkRefused) else None
    if isinstance(error, StoreCorrupted):
        position = error.fields.get("position")
    return str(error) if position is None else f"the event at position {position}: {error}"


def _check_on_refusal(on_refusal: OnRefusal) -> OnRefusal:
    if on_refusal not in get_args(OnRefusal):
        raise InvalidRequest(f"must be {' or '.join(get_args(OnRefusal))}", pointer="/on_refusal")
    return on_refusal


def own_name() -> str:
    """Of this process, unlike any other's."""
    return f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(3)}"
