"""States with names beside the log, of consumer groups and of relays: each is a record, in a Cassandra partition of its
own, and changes whole or not at all.

A change names the revision that it was made from, and takes effect only there. Which records there are is one more
Cassandra partition. A record is there before its name leads to it, and is gone before its name is: so a name that leads
nowhere is one that somebody was about to take away, and free.

What is not known to be done is looked at serially, and sent again as it was: by its ``save_id`` everybody knows a
change of theirs, and a twin that comes late finds another revision. So it is never said that nothing was done of what
may still be on its way.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol
from uuid import UUID, uuid4

import msgspec

from indelible.engines.cassandra.failures import InDoubt, NothingDone, unreachable
from indelible.engines.cassandra.session import CassandraSession, Row, Statement
from indelible.errors import IndelibleError, OutcomeUnknown, Unavailable
from indelible.limits import DATABASE_RETRY_WAIT_S, DATABASE_TIMEOUT_S, RETRY_AFTER_S

Kind = Literal["group", "relay"]

PARTS: Final = 1
"""The section that is read with the record."""
APART: Final = 2
"""The section that is read by itself, in pages."""

_EPOCH: Final = 0x01B21DD213814000
"""1970, in the ticks of 100 ns that a UUID counts."""


class _IsDone(Protocol):
    """Looks, serially, what has become of a change: None is not yet. ``is_in_doubt``: an answer to it was lost."""

    async def __call__(self, *, is_in_doubt: bool) -> bool | None: ...


class Record(msgspec.Struct, frozen=True):
    """A record's own row."""

    id: UUID
    revision: int
    save_id: UUID
    data: str
    now_us: int
    """The clock of the node that was asked."""


class Part(msgspec.Struct, frozen=True):
    """A row of ``section``. One that has no data is as good as none."""

    section: int
    number: int
    data: str


class Change(msgspec.Struct, frozen=True):
    """What a record is to become, from ``expected_revision`` alone."""

    expected_revision: int
    revision: int
    save_id: UUID
    data: str
    parts: Sequence[Part] = ()


class Records:
    """Those of a kind, of one log. Methods raise ``Unavailable`` when nothing was done, ``OutcomeUnknown`` when nobody
    can tell."""

    def __init__(self, session: CassandraSession, log: str, kind: Kind) -> None:
        self._session: Final = session
        self._log: Final = log
        self._of_kind: Final[dict[str, Any]] = {"log": log, "kind": kind}
        self._ids: Final[dict[str, UUID]] = {}
        """As last seen. A record is never used again, so what is old here leads to nothing."""
        self._naming: Final = asyncio.Lock()
        """Who changes names at once only keeps the others from it."""

    # --- Reading -----------------------------------------------------------------------------------------------------

    async def names(self) -> dict[str, UUID]:
        """By name as UTF-8 bytes; some may lead nowhere."""
        return {name: record for name, record, _ in await self._named() if name is not None}

    async def find(self, name: str) -> Record | None:
        """The record's own row."""
        known = self._ids.get(name)
        found = None if known is None else await self.row(known)
        return found or await self._look_for(name)

    async def _look_for(self, name: str) -> Record | None:
        for (record,) in await self._session.read("find_record", name=name, **self._of_kind):
            self._ids[name] = record
            if found := await self.row(record):
                return found
        self._ids.pop(name, None)
        return None

    async def row(self, record: UUID, *, serial: bool = False) -> Record | None:
        for _, revision, save_id, data, now in await self._of("read_record", record, serial=serial):
            return Record(record, revision, save_id, data, clock_us(now))
        return None

    async def whole(self, record: UUID) -> tuple[str, list[Part]] | None:
        """The data of the record, and its parts in :data:`PARTS` by number, as of one moment."""
        rows = await self._of("read_record_whole", record)
        if not rows or rows[0][0] != 0:
            return None
        return rows[0][2], [Part(*row) for row in rows[1:]]

    async def apart(self, record: UUID, *, after: int, limit: int) -> list[str]:
        """Data of the parts in :data:`APART` whose numbers are beyond ``after``, by number."""
        rows = await self._of("read_record_parts", record, section=APART, after=after, most=limit)
        return [data for (data,) in rows]

    async def _of(self, name: str, record: UUID, *, serial: bool = False, **values: Any) -> list[Row]:
        return await self._session.read(name, serial=serial, log=self._log, record=record, **values)

    async def _named(self, *, serial: bool = False) -> list[Row]:
        return await self._session.read("list_record_names", serial=serial, **self._of_kind)

    # --- Changing one ------------------------------------------------------------------------------------------------

    async def change(self, record: UUID, change: Change) -> bool:
        """False, and nothing happens, when there is no record, or it has another revision."""
        place = {"log": self._log, "record": record}
        statements: list[Statement] = [
            (
                "change_record",
                {
                    **place, "expected_revision": change.expected_revision, "revision": change.revision,
                    "save_id": change.save_id, "data": change.data,
                },
            ),
            *(("put_record_part", {**place, **msgspec.structs.asdict(part)}) for part in change.parts),
        ]  # fmt: skip

        async def is_done(*, is_in_doubt: bool) -> bool | None:
            found = await self.row(record, serial=True)
            if found is None or found.save_id == change.save_id:
                return found is not None
            if is_in_doubt and found.revision > change.revision:
                raise OutcomeUnknown("the answer was lost, and others have changed it since; ask again to learn more")
            return None if found.revision == change.expected_revision else False

        return await self._done(statements, is_done)

    # --- Making and ending -------------------------------------------------------------------------------------------

    async def make(self, name: str, made: Change, *, most: int) -> bool | None:
        """Make a record. False when the name is taken; None when there are ``most`` already."""
        async with self._naming:
            record = await self._make(made)
            outcome = await self._give_name(name, record, most)
            if not outcome:
                await self._end(record)
            return outcome

    async def _make(self, made: Change) -> UUID:
        record = uuid4()
        values = {"log": self._log, "record": record}
        own = {"revision": made.revision, "save_id": made.save_id, "data": made.data}

        async def is_done(**_: bool) -> bool | None:
            return None if await self.row(record, serial=True) is None else True

        await self._done([("make_record", {**values, **own})], is_done)
        return record

    async def _give_name(self, name: str, record: UUID, most: int) -> bool | None:
        end = time.monotonic() + DATABASE_TIMEOUT_S
        while time.monotonic() < end:
            rows = await self._named()
            names = {known: leads_to for known, leads_to, _ in rows if known is not None}
            if name in names and await self.row(names[name]) is not None:
                return False
            others = names.keys() - {name}
            if len(others) >= most and len(others) - await self._take_away_dead(names, others) >= most:
                return None
            if await self._put_name(name, record, rows[0][2] if rows else None):
                self._ids[name] = record
                return True
        raise Unavailable("others change names all the time; nothing was done", retry_after_s=RETRY_AFTER_S)

    async def _put_name(self, name: str, record: UUID, changes: int | None) -> bool:
        """False when others have given names since there were so many changes."""
        count = {"expected_changes": changes, "changes": (changes or 0) + 1}
        statements: list[Statement] = [
            ("count_record_names", {**self._of_kind, **count}),
            ("name_record", {**self._of_kind, "name": name, "record": record}),
        ]

        async def is_done(**_: bool) -> bool | None:
            rows = await self._named(serial=True)
            if any((known, leads_to) == (name, record) for known, leads_to, _ in rows):
                return True
            return None if (rows[0][2] if rows else None) == changes else False

        return await self._done(statements, is_done)

    async def _take_away_dead(self, names: dict[str, UUID], of: Sequence[str] | set[str]) -> int:
        """How many of these led nowhere."""
        rows = await asyncio.gather(*(self.row(names[name]) for name in of))
        dead = [name for name, row in zip(of, rows, strict=True) if row is None]
        for name in dead:
            await self._take_away(name, names[name])
        return len(dead)

    async def end(self, name: str, is_meant: Callable[[str], bool]) -> bool:
        """Delete a record with all its parts. False when there is none, or by its data it is not the one."""
        found = await self.find(name)
        if found is None or not is_meant(found.data):
            return False
        is_ended = await self._end(found.id)
        self._ids.pop(name, None)
        await self._take_away(name, found.id)
        return is_ended

    async def _end(self, record: UUID) -> bool:
        values = {"log": self._log, "record": record}

        async def is_done(**_: bool) -> bool | None:
            return True if await self.row(record, serial=True) is None else None

        return await self._done([("end_record", values), ("end_record_parts", values)], is_done)

    async def _take_away(self, name: str, record: UUID) -> None:
        """A name that leads nowhere. Whoever needs the room does it again, where this fails."""
        with contextlib.suppress(InDoubt, NothingDone):
            await self._session.compare_and_set([("unname_record", {**self._of_kind, "name": name, "record": record})])

    # --- What a lost answer means ------------------------------------------------------------------------------------

    async def _done(self, statements: Sequence[Statement], is_done: _IsDone) -> bool:
        """Send until it is known whether it was done."""
        end = time.monotonic() + DATABASE_TIMEOUT_S
        is_in_doubt = False
        while True:
            trouble: Exception | None = None
            try:
                if await self._session.compare_and_set(statements) is None:
                    return True
            except NothingDone as error:
                trouble = error
            except InDoubt as error:
                trouble, is_in_doubt = error, True
            # Nodes have been known to refuse what they had just done themselves.
            if is_in_doubt or trouble is None:
                known = await _looked(is_done, is_in_doubt=is_in_doubt)
                if known is not None:
                    return known
            if time.monotonic() + DATABASE_RETRY_WAIT_S > end:
                raise _in_doubt(trouble) if is_in_doubt else unreachable(trouble, "nothing was done") from trouble
            await asyncio.sleep(DATABASE_RETRY_WAIT_S)


async def _looked(is_done: _IsDone, *, is_in_doubt: bool) -> bool | None:
    try:
        return await is_done(is_in_doubt=is_in_doubt)
    except Unavailable as error:
        # What was refused may have been done as well.
        raise _in_doubt(error) from error


def _in_doubt(error: Exception | None) -> IndelibleError:
    return OutcomeUnknown(f"Cassandra does not say whether it was done ({error}); ask again to learn the outcome")


def clock_us(now: UUID) -> int:
    """Microseconds since 1970 of a UUID that has the time."""
    return (now.time - _EPOCH) // 10
