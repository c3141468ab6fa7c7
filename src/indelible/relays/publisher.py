"""How one page gets to the broker, and what becomes of an event that it refuses."""

from typing import Final

from indelible.cursors import Cursor
from indelible.errors import InvalidRequest
from indelible.eventstore import FeedPage
from indelible.limits import GROUP_REASON_LENGTH_MAX
from indelible.relay_state import OnRefusal, RefusedEvent, RelayReplay, RetriedEvent, SetAsideEvent
from indelible.relays.sink import Replay, Sink, SinkRefused
from indelible.relays.tenure import Tenure
from indelible.tasks import end_if_cancelled


class EventSetAside(Exception):
    """The store keeps an event that the broker refused. The sink has to be opened again."""


class Publisher:
    """Publishes for one tenure, to a sink that is open. Raises what :meth:`Sink.publish` raises, and
    :class:`EventSetAside`; whatever is published before that is noted."""

    def __init__(self, sink: Sink, tenure: Tenure, on_refusal: OnRefusal) -> None:
        self._sink: Final = sink
        self._tenure: Final = tenure
        self._sets_aside: Final = on_refusal == "set_aside"

    async def live(self, page: FeedPage) -> None:
        """A page in the order of the log."""
        tenure = self._tenure
        if page.count:
            try:
                await self._sink.publish(page)
            except SinkRefused as error:
                count, before, behind = _around(page, error.position)
                if before is not None:
                    tenure.advance(before, count)
                await self._refused(error, "", behind)
            end_if_cancelled()
        # That the broker can be connected to does not say that it takes anything.
        if page.count or (page.at_end and tenure.replay is None and not tenure.to_retry):
            tenure.note_problem(None)
        tenure.advance(page.cursor, page.count)

    async def again(self, page: FeedPage, replay: RelayReplay) -> None:
        """A page of a replay, without what is past its end."""
        tenure, name = self._tenure, replay.name
        part = _up_to(page, replay.until_position)
        if part.count:
            try:
                await self._sink.publish(part, Replay(name, tenure.cursor))
            except SinkRefused as error:
                count, before, behind = _around(part, error.position)
                if before is not None:
                    tenure.advance_replay(name, before, replay.published + count)
                await self._refused(error, name, behind)
            end_if_cancelled()
            tenure.note_problem(None)
        tenure.advance_replay(name, page.cursor, replay.published + part.count)

    async def retry(self, page: FeedPage, event: SetAsideEvent) -> None:
        """A page that holds one event that was set aside, and that is to be published again. Refused once more, it
        stays set aside, whatever else becomes of refused events: that is no step back."""
        tenure, name = self._tenure, event.retry or ""
        try:
            await self._sink.publish(page, Replay(name, tenure.cursor))
        except SinkRefused as error:
            await self.keep(event, error)
            raise EventSetAside(str(error)) from error
        end_if_cancelled()
        tenure.note_problem(None)
        await tenure.retried(RetriedEvent(event.position, name))

    async def keep(self, event: SetAsideEvent, error: Exception) -> None:
        """It cannot be published again: it stays set aside, for this reason."""
        refused = RefusedEvent(event.position, _reason(error), event.retry or "")
        await self._tenure.set_aside(refused, self._tenure.cursor)

    async def _refused(self, error: SinkRefused, replay: str, behind: Cursor | None) -> None:
        """Always raises. ``behind``: the cursor behind the event."""
        if not self._sets_aside or behind is None:
            raise error if not replay else SinkRefused(f"{error} (in {replay})", error.position)
        try:
            await self._tenure.set_aside(RefusedEvent(error.position, _reason(error), replay), behind)
        except InvalidRequest as full:
            raise SinkRefused(f"{error}; {full.message}", error.position) from full
        raise EventSetAside(f"the event at position {error.position} is set aside: {error}") from error


def _around(page: FeedPage, position: int) -> tuple[int, Cursor | None, Cursor | None]:
    """How many events of the page come before the one at ``position``, and the cursors behind these, if there are any,
    and behind itself."""
    before: Cursor | None = None
    for count, (event, cursor) in enumerate(page.events_with_cursors()):
        if event.position == position:
            return count, before, cursor
        before = cursor
    return 0, None, None


def _up_to(page: FeedPage, position: int) -> FeedPage:
    """Without the events behind ``position``."""
    inside = [cursor for event, cursor in page.events_with_cursors() if event.position <= position]
    if len(inside) == page.count:
        return page
    lines = b"\n".join(page.lines.split(b"\n")[: len(inside)])
    return FeedPage(lines, len(inside), page.cursor, page.at_end, tuple(inside))


def _reason(error: Exception) -> str:
    return str(error).replace("\0", " ")[:GROUP_REASON_LENGTH_MAX] or type(error).__name__
