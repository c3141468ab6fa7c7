"""The keys of the store, as this process knows them: it follows their events, and says when it cannot.

The log is asked for what is new once in ``KEYS_FOLLOW_S``, and not by a subscription that wakes at every commit: this
one goes on beside tens of thousands of appends in a second. A key holds for ``KEYS_FRESH_S`` after the last look that
came to the head began. So revoking one holds everywhere within that time, also where the store is out of reach:
a server that cannot look refuses every key then, as unavailable, until it can.
"""

import asyncio
import math
import time
from typing import Final

import structlog

from indelible.access import Principal
from indelible.cursors import Cursor
from indelible.errors import IndelibleError, InvalidRequest
from indelible.eventstore import EventStore
from indelible.key_events import KeyRecord, changed
from indelible.keys import KEYS_QUERY
from indelible.limits import KEYS_FOLLOW_S, KEYS_FRESH_S, KEYS_SOON_S, PAGE_EVENTS_MAX
from indelible.server.authentication.known import Known
from indelible.server.services import StoreQuestion
from indelible.tasks import end_if_cancelled

_log: Final = structlog.get_logger(__name__)


class KeyRing:
    """All keys of a store that may be used, by the digest of each."""

    def __init__(self, store: EventStore) -> None:
        self.known: Final[dict[bytes, Known]] = {}
        self.valid_until = -math.inf
        self._store: Final = store
        self._records: Final[dict[str, KeyRecord]] = {}
        self._cursor: Cursor | None = None
        self._question: Final = StoreQuestion(self._look)
        self._soon_at = -math.inf
        self._began_at = -math.inf
        """When the last look that succeeded began."""
        self._problem: str | None = None

    def why_not_ready(self) -> str | None:
        """Why keys are refused; None while they are not."""
        if time.monotonic() < self.valid_until:
            return None
        return f"keys are refused, because the store cannot be asked for changes of them: {self._problem or 'not yet'}"

    async def run(self) -> None:
        """Follow the keys, for ever."""
        while True:
            end_if_cancelled()
            await self._try_look()
            await asyncio.sleep(KEYS_FOLLOW_S)

    async def look_soon(self) -> None:
        """Look whether there is something new, but not at once where somebody just did."""
        asked_at = time.monotonic()
        if asked_at < self._soon_at:
            await asyncio.sleep(self._soon_at - asked_at)
        if self._began_at < asked_at:
            self._soon_at = time.monotonic() + KEYS_SOON_S
            await self._try_look()
        if self._began_at < asked_at:
            # That look was under way already, and may have passed what the caller asks about.
            await self._try_look()

    async def _try_look(self) -> None:
        problem = None
        try:
            await self._question.ask()
        except IndelibleError as error:
            problem = error.message
        if problem is not None and self._problem is None:
            _log.warning("cannot follow the keys", error=problem, refused_in_s=KEYS_FRESH_S)
        self._problem = problem

    async def _look(self) -> None:
        began_at = time.monotonic()
        at_end = False
        while not at_end:
            page = await self._store.read_feed(KEYS_QUERY, after=self._cursor, limit=PAGE_EVENTS_MAX)
            for event in page.events:
                if (record := changed(self._records, event)) is not None:
                    self._take(record)
            self._cursor, at_end = page.cursor, page.at_end
        self._began_at = began_at
        self.valid_until = began_at + KEYS_FRESH_S

    def _take(self, record: KeyRecord) -> None:
        if record.revoked_at is not None:
            self.known.pop(record.digest, None)
            self._records.pop(record.key_id, None)
            return
        self._records[record.key_id] = record
        until = math.inf if record.expires_at is None else record.expires_at.timestamp()
        if until <= time.time():
            return
        try:
            principal = Principal.of(f"key:{record.name}/{record.key_id}", record.grants)
        except InvalidRequest as error:
            # Of a newer version, perhaps: what it allows is not known here, the others are.
            _log.warning("a key cannot be understood and is refused", key_id=record.key_id, error=error.message)
            return
        self.known[record.digest] = Known(principal, self, until, record.key_id)

    def vouches_for(self, known: Known) -> bool:
        return known.vouched_by in self._records

    def forget_expired(self) -> None:
        now = time.time()
        for digest in [digest for digest, one in self.known.items() if one.until <= now]:
            del self.known[digest]
