"""What is read ahead comes in order, joined, bounded, and with what went wrong behind it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from indelible.cursors import Cursor
from indelible.eventstore import FeedPage
from indelible.limits import RELAY_BATCH_EVENTS_MAX, RELAY_BATCH_SIZE_BYTES_MAX
from indelible.relays.ahead import Ahead


def page(first: int, count: int, *, has_cursors: bool = False, size_bytes: int = 3) -> FeedPage:
    lines = [b"%0*d" % (size_bytes, n) for n in range(first, first + count)]
    cursors = tuple(Cursor(f"c{n}") for n in range(first, first + count)) if has_cursors else None
    return FeedPage(b"\n".join(lines), count, Cursor(str(first + count - 1)), at_end=True, cursors=cursors)


class Feed:
    """Gives these pages, and then raises, or waits for ever."""

    def __init__(self, pages: Sequence[FeedPage], error: Exception | None = None) -> None:
        self.given, self.is_closed = 0, False
        self._pages, self._error = pages, error

    async def pages(self) -> AsyncGenerator[FeedPage]:
        try:
            for one in self._pages:
                self.given += 1
                yield one
            if self._error is not None:
                raise self._error
            await asyncio.Event().wait()
        finally:
            self.is_closed = True


async def settled() -> None:
    for _ in range(2_000):
        await asyncio.sleep(0)


async def test_pages_that_wait_are_one() -> None:
    feed = Feed([page(1, 2), page(3, 0), page(3, 3), page(6, 0)])
    ahead = Ahead(feed.pages())
    await settled()
    taken = ahead.take()
    assert (taken.lines, taken.count, taken.cursor, taken.cursors) == (b"001\n002\n003\n004\n005", 5, "5", None)
    assert not ahead.is_there
    await ahead.aclose()
    assert feed.is_closed


async def test_pages_with_and_without_cursors_stay_apart() -> None:
    ahead = Ahead(Feed([page(1, 1), page(2, 2), page(4, 1, has_cursors=True), page(5, 1, has_cursors=True)]).pages())
    await settled()
    assert (ahead.take().lines, ahead.is_there) == (b"001\n002\n003", True)
    taken = ahead.take()
    assert (taken.lines, taken.cursors, ahead.is_there) == (b"004\n005", ("c4", "c5"), False)
    await ahead.aclose()


@pytest.mark.parametrize(
    ("one", "full"),
    [
        (page(1, 10), RELAY_BATCH_EVENTS_MAX // 10 + 1),
        (page(1, 1, size_bytes=RELAY_BATCH_SIZE_BYTES_MAX // 4), 4),
    ],
)
async def test_it_reads_no_more_than_is_taken_at_once(one: FeedPage, full: int) -> None:
    feed = Feed([one] * 1_000)
    ahead = Ahead(feed.pages())
    await settled()
    assert feed.given == full
    assert ahead.take().count == full * one.count
    await settled()
    assert feed.given == 2 * full
    await ahead.aclose()
    assert feed.is_closed


async def test_what_goes_wrong_is_told_behind_what_was_read() -> None:
    ahead = Ahead(Feed([page(1, 2)], ValueError("lost")).pages())
    await settled()
    assert ahead.take().count == 2
    assert ahead.is_there
    with pytest.raises(ValueError, match="lost"):
        ahead.take()
    await ahead.aclose()


async def test_waiting_ends_when_a_page_comes() -> None:
    ahead = Ahead(Feed([page(1, 1)]).pages())
    async with asyncio.timeout(10):
        await ahead.arrives()
    assert ahead.take().count == 1
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ahead.arrives()
    await ahead.aclose()
