"""A read model as those see it who read it: which version is live, how far it has come, and the change to another one.

Any process that reaches the database can ask, whichever runs the projection.
"""

import asyncio
from collections.abc import Sequence
from typing import Final, Generic

from indelible.cursors import Cursor, has_reached
from indelible.errors import InvalidRequest
from indelible.events import check_name
from indelible.groups import check_count
from indelible.limits import (
    PROJECTION_POLL_S,
    PROJECTION_READ_TIMEOUT_S,
    PROJECTION_SWAP_S,
    PROJECTION_VERSION_MAX,
    PROJECTION_WAIT_MAX_S,
    PROJECTION_WAIT_S,
)
from indelible.projections.checkpoints import Checkpoint, CheckpointTable, live_of, version_of
from indelible.projections.database import C, Database, DatabaseUnavailable, Step
from indelible.queries import check_seconds
from indelible.tasks import hear_of_failure, leave_within


def check_model_version(version: object) -> int:
    """Refuse what is no number of a version of a read model."""
    return check_count(version, "/version", PROJECTION_VERSION_MAX)


class ReadModel(Generic[C]):
    """One read model of a database, by its name, in all its versions. Belongs to one event loop; any number of tasks
    may wait for it at once, and cost the database no more than one. Methods raise
    :class:`indelible.projections.DatabaseUnavailable`, and what else the driver raises."""

    def __init__(self, database: Database[C], name: str) -> None:
        self.name: Final = check_name(name, "/name")
        self._database: Final = database
        self._table: Final = CheckpointTable(database)
        self._seen: Sequence[Checkpoint] = ()
        self._moved_here: Final[dict[int, Cursor]] = {}
        self._trouble: str | None = None
        self._looking: asyncio.Task[None] | None = None
        self._look_from = 0.0
        self._moved = asyncio.Event()

    async def checkpoints(self) -> tuple[Checkpoint, ...]:
        """How far each version has come, the oldest first."""
        async with self._database.transaction(read_only=True) as transaction:
            return await self._table.read(transaction, self.name)

    async def live_version(self) -> int | None:
        """The version to read: the first one that there was, until another is made live. None before that."""
        live = live_of(await self.checkpoints())
        return None if live is None else live.version

    # --- Waiting -----------------------------------------------------------------------------------------------------

    async def wait_for(
        self, cursor: Cursor, *, timeout_s: float = PROJECTION_WAIT_S, version: int | None = None
    ) -> None:
        """Return when all events up to a cursor are in the read model: for the append that was just made,
        ``(await client.head()).cursor``. Of a ``version``, or of the one that is live.

        Raises ``TimeoutError`` after ``timeout_s`` seconds, also while the database does not answer, and
        ``InvalidRequest`` for what is no cursor of the store.
        """
        wanted = Cursor.parse(cursor, "/cursor")
        check_seconds(timeout_s, "/timeout_s", 0.0, PROJECTION_WAIT_MAX_S)
        try:
            async with asyncio.timeout(timeout_s):
                while not self._has_come(wanted, version):
                    await self._news()
        except TimeoutError:
            raise TimeoutError(f"within {timeout_s:g} s {self._how_far(version, wanted)}") from None

    def _has_come(self, wanted: Cursor, version: int | None) -> bool:
        here = None if version is None else self._moved_here.get(version)
        if here is not None and has_reached(here, wanted):
            return True
        found = self._find(version)
        return found is not None and has_reached(found.cursor, wanted)

    def _find(self, version: int | None) -> Checkpoint | None:
        return live_of(self._seen) if version is None else version_of(self._seen, version)

    def _how_far(self, version: int | None, wanted: Cursor) -> str:
        found = self._find(version)
        reached = "was not there" if found is None else f"has come to {found.cursor}, not to {wanted}"
        which = f"read model {self.name}" + ("" if version is None else f", version {version},")
        return f"{which} {reached}" + ("" if self._trouble is None else f": {self._trouble}")

    async def _news(self) -> None:
        """Return when somebody has looked, or the read model was moved here. All who wait look together."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="read-model")
            self._looking.add_done_callback(hear_of_failure)
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            await asyncio.wait((self._looking, moved), return_when=asyncio.FIRST_COMPLETED)
        finally:
            moved.cancel()
        if self._looking.done():
            self._looking.result()

    async def _look(self) -> None:
        clock = asyncio.get_running_loop().time
        await asyncio.sleep(self._look_from - clock())
        self._look_from = clock() + PROJECTION_POLL_S
        try:
            async with asyncio.timeout(PROJECTION_READ_TIMEOUT_S):
                # Left alone at once: who hangs may not heed that it was cancelled.
                self._seen = await leave_within(0.0, self.checkpoints())
            self._trouble = None
        except (DatabaseUnavailable, TimeoutError) as error:
            self._trouble = str(error) or "the database does not answer"

    def note(self, version: int, cursor: Cursor) -> None:
        """A version has come so far; for the projection that runs here."""
        self._moved_here[version] = cursor
        self._moved.set()
        self._moved = asyncio.Event()

    # --- Versions ----------------------------------------------------------------------------------------------------

    async def swap(self, version: int, *, timeout_s: float = PROJECTION_SWAP_S, also: Step[C] | None = None) -> None:
        """Make a version live, in one transaction, and do in it what readers need beside: a view that leads to other
        tables, say. It has to come as far as the one that is live first, so that no reader sees the read model go back;
        that is waited for. Nothing is done where it is live.

        Raises ``TimeoutError`` after ``timeout_s`` seconds. Nothing is changed then, unless the database did not
        answer: :meth:`live_version` tells.
        """
        check_model_version(version)
        check_seconds(timeout_s, "/timeout_s", 0.0, PROJECTION_WAIT_MAX_S)
        try:
            async with asyncio.timeout(timeout_s):
                while not await leave_within(0.0, self._try_swap(version, also)):  # noqa: ASYNC110 - others move it
                    await asyncio.sleep(PROJECTION_POLL_S)
        except TimeoutError:
            message = f"read model {self.name}: version {version} has not caught up within {timeout_s:g} s"
            raise TimeoutError(message) from None

    async def _try_swap(self, version: int, also: Step[C] | None) -> bool:
        async with self._database.transaction() as transaction:
            found = await self._table.lock_all(transaction, self.name)
            new, live = version_of(found, version), live_of(found)
            if new is None or (live is not None and not has_reached(new.cursor, live.cursor)):
                return False
            if not new.is_live:
                await self._table.make_live(transaction, self.name, version)
                if also is not None:
                    await transaction.run([also])
        self._seen = ()
        return True

    async def drop(self, version: int, *, also: Step[C] | None = None) -> None:
        """Drop a version, which must not be live, and its tables in the same transaction: ``also`` does. What runs it
        stops, and does not begin it again. Its number cannot be used again. Nothing is done where it is not there.
        Raises ``InvalidRequest`` where it is live."""
        check_model_version(version)
        async with self._database.transaction() as transaction:
            found = version_of(await self._table.lock_all(transaction, self.name), version)
            if found is None:
                return
            if found.is_live:
                raise InvalidRequest("is live; make another version live first", pointer="/version")
            await self._table.drop(transaction, self.name, version)
            if also is not None:
                await transaction.run([also])
