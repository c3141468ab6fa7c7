"""Sinks with a fault each, and the checks of the suite of sinks that have to find it."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from indelible.cursors import Cursor
from indelible.eventstore import FeedPage
from indelible.relay_state import RelayLease
from indelible.relays.messages import CURSOR, EPOCH, REPLAY, Message
from indelible.relays.sink import Check, Reached, Replay, SinkFenced, SinkRefused, SinkUnavailable, unchecked
from relays.broker import BrokerSink, Published

FAULTS: Final[dict[str, tuple[type[BrokerSink], tuple[str, ...]]]] = {}
"""By name: the sink, and names of tests, each of which fails with it."""

S = TypeVar("S", bound=type[BrokerSink])


def found_by(*checks: str) -> Callable[[S], S]:
    def register(sink: S) -> S:
        FAULTS[sink.__name__] = sink, checks
        return sink

    return register


# --- Acknowledgements ------------------------------------------------------------------------------------------------


@found_by("test_what_is_acknowledged_outlives_the_broker")
class AcknowledgesTooEarly(BrokerSink):
    async def stored(self) -> None:
        self.check_connection()


@found_by(
    "test_a_dead_broker_is_told_in_time",
    "test_a_page_again_after_the_connection_broke",
    "test_a_page_again_after_the_broker_was_killed",
    "test_a_relay_publishes_everything_whatever_becomes_of_the_broker",
    "test_a_relay_publishes_everything_whatever_becomes_of_the_connection",
)
class TakesAnErrorForAnAcknowledgement(BrokerSink):
    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        with contextlib.suppress(SinkUnavailable):
            await super().publish(page, replay)


# --- Refusals --------------------------------------------------------------------------------------------------------


@found_by("test_nothing_is_published_behind_a_refused_event", "test_a_refused_event_stops_the_relay")
class SkipsWhatIsRefused(BrokerSink):
    def send(self, message: Message, replay: Replay | None) -> None:
        with contextlib.suppress(SinkRefused):
            super().send(message, replay)


@found_by("test_nothing_is_published_behind_a_refused_event", "test_a_refused_event_stops_the_relay")
class GoesOnBehindARefusal(BrokerSink):
    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        refusal: SinkRefused | None = None
        for message in self.messages(page, replay):
            try:
                self.send(message, replay)
            except SinkRefused as error:
                refusal = error
        await self.stored()
        if refusal is not None:
            raise refusal


@found_by("test_nothing_is_published_behind_a_refused_event", "test_a_refused_event_stops_the_relay")
class PublishesNothingBeforeARefusal(BrokerSink):
    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        for message in self.messages(page, replay):
            self.send(message, replay)
            self.broker.on_its_way.pop()
        await super().publish(page, replay)


@found_by("test_nothing_is_published_behind_a_refused_event", "test_a_refused_event_stops_the_relay")
class NamesTheWrongEvent(BrokerSink):
    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        try:
            await super().publish(page, replay)
        except SinkRefused as error:
            raise SinkRefused(str(error), page.events[0].position) from None


# --- Order, and each event once --------------------------------------------------------------------------------------


@found_by("test_every_event_is_published_in_order", "test_a_message_says_what_the_event_is")
class SortsByAggregate(BrokerSink):
    """Sound for a broker that keeps the order of aggregates alone."""

    def messages(self, page: FeedPage, replay: Replay | None) -> Sequence[Message]:
        return sorted(super().messages(page, replay), key=lambda message: message.key)


@found_by(
    "test_a_page_again_after_the_connection_broke",
    "test_a_page_again_after_the_broker_was_killed",
)
class ReordersWhenItTriesAgain(BrokerSink):
    """What went wrong last goes to the end."""

    has_failed = False

    def messages(self, page: FeedPage, replay: Replay | None) -> Sequence[Message]:
        messages = list(super().messages(page, replay))
        return [*messages[20:], *messages[:20]] if self.has_failed else messages

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        try:
            await super().publish(page, replay)
            self.has_failed = False
        except SinkUnavailable:
            self.has_failed = True
            raise


@found_by("test_a_page_again_after_the_connection_broke")
class TriesAgainByItself(BrokerSink):
    """With a new connection, and without looking at what the broker has."""

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        try:
            await super().publish(page, replay)
        except SinkUnavailable:
            if self.broker.is_away:
                raise
            self._connection = self.broker.connections
            await super().publish(page, replay)


@found_by("test_every_event_is_published_in_order", "test_it_is_closed_and_opened_any_number_of_times")
class PublishesTwice(BrokerSink):
    def send(self, message: Message, replay: Replay | None) -> None:
        super().send(message, replay)
        super().send(message, replay)


@found_by("test_every_event_is_published_in_order")
class LosesTheEndOfALongPage(BrokerSink):
    def messages(self, page: FeedPage, replay: Replay | None) -> Sequence[Message]:
        return super().messages(page, replay)[:50]


# --- What messages say -----------------------------------------------------------------------------------------------


class ChangesMessages(BrokerSink):
    """The base of those that do."""

    def change(self, message: Message, page: FeedPage) -> Message:
        raise NotImplementedError

    def messages(self, page: FeedPage, replay: Replay | None) -> Sequence[Message]:
        return [self.change(message, page) for message in super().messages(page, replay)]


def _with_header(message: Message, name: str, value: str) -> Message:
    return message._replace(headers={**message.headers, name: value})


@found_by("test_every_event_is_published_in_order", "test_open_tells_how_far_the_relay_came")
class SaysThePageS(ChangesMessages):
    """Cursor, in place of the event's: what is left of a page that was torn would be lost."""

    def change(self, message: Message, page: FeedPage) -> Message:
        return _with_header(message, CURSOR, page.cursor)


@found_by("test_a_message_says_what_the_event_is")
class SaysAnotherEpoch(ChangesMessages):
    def change(self, message: Message, page: FeedPage) -> Message:
        return _with_header(message, EPOCH, "77")


@found_by("test_a_message_says_what_the_event_is")
class LeavesOutAnAttribute(ChangesMessages):
    def change(self, message: Message, page: FeedPage) -> Message:
        return message._replace(headers={name: one for name, one in message.headers.items() if name != "ce-tags"})


@found_by("test_a_message_says_what_the_event_is")
class DoesNotQuote(ChangesMessages):
    """So that what is no ASCII is lost on the way."""

    def change(self, message: Message, page: FeedPage) -> Message:
        return message._replace(
            headers={name: one.replace("%C3", "?").replace("%F0", "?") for name, one in message.headers.items()}
        )


@found_by("test_a_message_says_what_the_event_is")
class ChangesData(ChangesMessages):
    """By way of floats."""

    def change(self, message: Message, page: FeedPage) -> Message:
        if message.content_type != "application/json":
            return message
        return message._replace(data=json.dumps(json.loads(message.data, parse_int=float)).encode())


@found_by("test_a_message_says_what_the_event_is")
class ForgetsTheContentType(ChangesMessages):
    def change(self, message: Message, page: FeedPage) -> Message:
        return message._replace(content_type="application/json")


# --- Replays ---------------------------------------------------------------------------------------------------------


@found_by("test_a_replay_is_marked_and_moves_nothing")
class DoesNotMarkReplays(ChangesMessages):
    def change(self, message: Message, page: FeedPage) -> Message:
        return message._replace(headers={name: one for name, one in message.headers.items() if name != REPLAY})


@found_by("test_a_replay_is_marked_and_moves_nothing")
class TakesAReplayForARepeat(BrokerSink):
    def send(self, message: Message, replay: Replay | None) -> None:
        if message.event.event_id not in {one.event.event_id for one in self.broker.log}:
            super().send(message, replay)


@found_by("test_a_replay_is_marked_and_moves_nothing")
class GoesBackWithAReplay(BrokerSink):
    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        reached = replay and Replay(replay.name, page.cursor)
        await super().publish(page, reached)

    def reached(self, lease: RelayLease) -> Reached | None:
        reached = super().reached(lease)
        return self.broker.log[-1].reached if reached is not None else None


# --- What is remembered ----------------------------------------------------------------------------------------------


@found_by("test_open_tells_how_far_the_relay_came", "test_nothing_is_published_behind_a_refused_event")
class LosesTheCursor(BrokerSink):
    def reached(self, lease: RelayLease) -> Reached | None:
        super().reached(lease)
        return None


@found_by("test_open_tells_how_far_the_relay_came")
class KeepsTheCursorToItself(BrokerSink):
    """In the process, not in the broker."""

    told: Cursor | None = None

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        await super().publish(page, replay)
        self.told = page.cursor

    def reached(self, lease: RelayLease) -> Reached | None:
        super().reached(lease)
        return None if self.told is None else Reached(self.told, None, None)


@found_by(
    "test_a_relay_of_another_store_stops_and_loses_nothing", "test_what_is_of_another_store_is_told_before_all_else"
)
class TakesAnotherStoreSForItsOwn(BrokerSink):
    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:
        return await super().open(lease)


@found_by("test_what_is_of_another_store_is_told_before_all_else")
class TakesOverBeforeItLooks(BrokerSink):
    def reached(self, lease: RelayLease) -> Reached | None:
        self.take_over(lease)
        return super().reached(lease)


@found_by("test_another_relay_is_not_told_how_far_this_one_came")
class TellsAnotherRelayS(BrokerSink):
    def reached(self, lease: RelayLease) -> Reached | None:
        super().reached(lease)
        return self.broker.log[-1].reached if self.broker.log else None


@found_by("test_after_a_reset_all_is_published_again")
class ForgetsResets(BrokerSink):
    def reached(self, lease: RelayLease) -> Reached | None:
        super().reached(lease)
        return self.broker.log[-1].reached if self.broker.log else None


@found_by("test_after_a_reset_all_is_published_again")
class TakesWhatComesAfterAResetForARepeat(BrokerSink):
    def send(self, message: Message, replay: Replay | None) -> None:
        known = {one.event.event_id for one in self.broker.log if one.replay is None}
        if replay is not None or message.event.event_id not in known:
            super().send(message, replay)


# --- Epochs ----------------------------------------------------------------------------------------------------------


@found_by("test_an_earlier_epoch_is_refused", "test_an_owner_before_the_newest_has_published")
class IgnoresTheEpoch(BrokerSink):
    def check_epoch(self, lease: RelayLease) -> None:
        pass


@found_by("test_an_earlier_epoch_is_refused", "test_an_earlier_epoch_does_not_go_on_behind_a_newer_one")
class LooksAtTheEpochWhenItOpens(BrokerSink):
    """And never again."""

    def send(self, message: Message, replay: Replay | None) -> None:
        with contextlib.suppress(SinkFenced):
            super().send(message, replay)
            return
        assert self.lease is not None
        self.broker.on_its_way.append(Published(self.lease.epoch, message, replay))


# --- Opened and closed -----------------------------------------------------------------------------------------------


@found_by("test_it_is_closed_and_opened_any_number_of_times")
class ClosesOnce(BrokerSink):
    async def close(self) -> None:
        if self._connection is None:
            raise RuntimeError("it is closed")
        await super().close()

    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:
        self._connection = self._connection or 0
        return await super().open(lease, check)


@found_by("test_nothing_goes_on_behind_close")
class LeavesATaskBehind(BrokerSink):
    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:
        self.task = asyncio.create_task(asyncio.sleep(60))
        return await super().open(lease, check)


@found_by("test_an_owner_who_was_cancelled_goes_on")
class GoesOnBehindItsCancellation(BrokerSink):
    """What it was about to send comes after what its successor sent."""

    async def stored(self) -> None:
        await asyncio.shield(self._late())

    async def _late(self) -> None:
        late, self.broker.on_its_way = self.broker.on_its_way, []
        await asyncio.sleep(0.05)
        self.broker.on_its_way = [*late, *self.broker.on_its_way]
        await super().stored()


# --- In time ---------------------------------------------------------------------------------------------------------


@found_by("test_a_broker_that_hangs_is_told_in_time")
class WaitsForEver(BrokerSink):
    @contextlib.asynccontextmanager
    async def in_time(self):
        yield


@found_by("test_a_broker_that_hangs_is_told_in_time")
class SaysTimeoutError(BrokerSink):
    @contextlib.asynccontextmanager
    async def in_time(self):
        async with asyncio.timeout(0.2):
            yield


@found_by("test_a_dead_broker_is_told_in_time")
class WaitsUntilTheBrokerIsBack(BrokerSink):
    async def open(self, lease: RelayLease, check: Check = unchecked) -> Cursor | None:
        while self.broker.is_away:  # noqa: ASYNC110 - it is to be bad
            await asyncio.sleep(0.01)
        return await super().open(lease, check)


@found_by("test_it_can_be_cancelled_while_the_broker_hangs")
class ForgetsThatItWasCancelled(BrokerSink):
    async def stored(self) -> None:
        while not self.broker.answers.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        await super().stored()


@found_by("test_another_relay_goes_on_where_one_ended")
class BeginsAnewForEachOwner(BrokerSink):
    """And takes the store's checkpoint for nothing."""

    async def publish(self, page: FeedPage, replay: Replay | None = None) -> None:
        known = {one.epoch for one in self.broker.log}
        if self.broker.log and self.lease is not None and self.lease.epoch not in known:
            for one in list(self.broker.log):
                self.send(one.message, one.replay)
        await super().publish(page, replay)
