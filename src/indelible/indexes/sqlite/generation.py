"""The writer of one generation, which is a file of its own.

A generation that is searched is committed with every batch. One that is being built is committed when some tens of
thousands of documents have come together, or when none has come for a moment: sorted, so many touch far fewer pages
than batch by batch. What a crash takes of it is taken whole, documents and cursor, and is indexed again.
"""

import time
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import apsw
import msgspec

from indelible.batching import in_lots
from indelible.cursors import START, Cursor
from indelible.events import AggregateKey
from indelible.indexes.index import Document, Generation, IndexMoved, IndexUnavailable, Place
from indelible.indexes.sqlite.connections import (
    DAMAGE,
    GENERATION_ID,
    PAGE_SIZE_BYTES,
    Damaged,
    Foreign,
    Newer,
    connect_writer,
    create,
    fetch,
    made_statement,
    statement,
    unavailable,
    wal_size_bytes,
)
from indelible.indexes.sqlite.places import LEAST, MOST, SHIFT, Numbering
from indelible.limits import WAL_SIZE_BYTES_MAX
from indelible.search import FieldType, words_of

TABLES: Final = (
    "state", "names", "aggregates", "documents", "document_values", "event_ids", "words", "postings_event_type",
    "postings_aggregate_type", "postings_aggregate", "postings_version", "postings_0", "recent_aggregate", "recent_0",
)  # fmt: skip

COMMIT_DOCUMENTS: Final = 65_536
"""Of a generation that is being built, in one transaction at most."""
COMMIT_S: Final = 10.0
"""How long such a transaction goes on at most, from batch to batch."""

RECENT_DOCUMENTS: Final = 8_192
"""Of a generation that is searched: so many, and their entries join those before them; about a tenth of a second."""

K = TypeVar("K")
_Key = tuple[int, int, bytes]
"""A place, of what compares fast."""

_ROWS_AT_ONCE: Final = (256, 32, 4, 1)
"""Rows of one insert: as many as there are, so that few statements are planned, again and again the same. Each insert
gives up the interpreter's lock once."""
_TEXTS_AT_ONCE: Final = 10_000
_TEXTS_LENGTH_MAX: Final = 8_000_000
"""Characters of the texts that wait: they are given to FTS5 together, as it writes what it has gathered whenever a
statement begins that may be undone by itself, such as an insert of several rows."""
_AGGREGATES_AT_ONCE: Final = 250
"""To look for, of a batch. SQLite takes as many as 500 of one list."""
_first: Final = itemgetter(0)
_KNOWN_MAX: Final = 32_768
"""Names and aggregates whose numbers are remembered."""


class State(msgspec.Struct, frozen=True):
    """A generation as its file has it."""

    cursor: Cursor
    log_hash: str
    fields: Mapping[str, FieldType]
    documents: int
    displaced_us: int
    is_in_order: bool

    def as_generation(self, number: int) -> Generation:
        return Generation(number, self.fields, self.cursor, self.documents, self.log_hash)

    @property
    def numbers(self) -> dict[str, int]:
        """By which the file knows the fields; 0 are tags."""
        return {path: number for number, path in enumerate(self.fields, start=1)}


def read_state(connection: apsw.Connection) -> State:
    """Raises :class:`Damaged` too."""
    try:
        rows = fetch(connection, "SELECT cursor, log_hash, fields, documents, displaced_us, is_in_order FROM state")
        ((cursor, log_hash, fields, documents, displaced_us, is_in_order),) = rows
        declared = msgspec.json.decode(fields, type=dict[str, FieldType])
    except (*DAMAGE, apsw.SQLError, ValueError, TypeError) as error:
        raise Damaged(f"it does not say what it holds: {error}") from error
    return State(Cursor(cursor), log_hash, declared, documents, displaced_us, bool(is_in_order))


class GenerationFile:
    """Blocking; for one thread at a time. Raises :class:`Damaged` and ``IndexUnavailable``."""

    def __init__(self, path: Path, number: int, connection: apsw.Connection) -> None:
        self.path: Final = path
        self.number: Final = number
        self._connection: Final = connection
        self._numbers: Final = read_state(connection).numbers
        self._names: Final[dict[str, int]] = {}
        self._aggregates: Final[dict[AggregateKey, int]] = {}
        self._fresh: Final[set[bytes]] = set()
        """Ids of events whose documents are added, and not to be found yet."""
        self._ranges: Final[list[tuple[int, int]]] = []
        """Where all numbers are of such documents, in order."""
        self._texts: Final[list[Any]] = []
        """Numbers of such documents, and behind each its text: those that FTS5 does not have yet."""
        self._texts_length = 0
        self._is_serving = False
        self._recent = self._count_recent()
        """About how many documents there are whose entries are not with those before them yet."""
        self._is_changed = False
        self._began_s = 0.0
        connection.execute("CREATE TEMP TABLE fresh (low INTEGER PRIMARY KEY, high INTEGER NOT NULL)")

    @classmethod
    def made(cls, path: Path, number: int, fields: Mapping[str, FieldType]) -> "GenerationFile":
        connection = create(path, GENERATION_ID, "generation")
        values = (START, msgspec.json.encode(dict(fields)).decode())
        connection.execute("INSERT INTO state VALUES (?, '', ?, 0, 0, 1)", values)
        for field in range(1, len(fields) + 1):
            connection.execute(made_statement("postings", number=field))
        return cls(path, number, connection)

    @classmethod
    def opened(cls, path: Path, number: int) -> "GenerationFile":
        if not path.exists():
            raise Damaged("it is gone")
        try:
            connection = connect_writer(path, GENERATION_ID, TABLES)
        except (Foreign, Newer) as error:
            raise Damaged(str(error)) from error
        except apsw.Error as error:
            raise unavailable(error, path) from error
        try:
            return cls(path, number, connection)
        except BaseException:
            connection.close()
            raise

    def state(self) -> Generation:
        """With what is not committed yet."""
        return read_state(self._connection).as_generation(self.number)

    def close(self) -> None:
        """Commits what is open, if it can."""
        try:
            self.commit()
        except (apsw.Error, IndexUnavailable, Damaged):
            pass
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """As its file is gone, or will be."""
        self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        self._connection.close()

    # --- Writing -----------------------------------------------------------------------------------------------------

    def apply(
        self, documents: Sequence[Document], after: Cursor, cursor: Cursor, log_hash: str, *, is_serving: bool
    ) -> None:
        self._begin()
        self._is_serving = is_serving
        try:
            self._add(documents, cursor, log_hash, self._state_at(after))
            self._is_changed = True
            if is_serving or len(self._fresh) >= COMMIT_DOCUMENTS or time.monotonic() - self._began_s > COMMIT_S:
                self._commit()
        except IndexMoved:
            if not self._is_changed:
                self._undo()
            raise
        except BaseException as error:
            self._undo()
            raise self._understood(error) from error

    def _state_at(self, cursor: Cursor) -> State:
        state = read_state(self._connection)
        if state.cursor != cursor:
            raise IndexMoved(f"generation {self.number} is at cursor {state.cursor}, not at {cursor}")
        return state

    def commit(self) -> None:
        if not self._is_changed:
            return
        try:
            self._commit()
        except BaseException as error:
            self._undo()
            raise self._understood(error) from error

    def _begin(self) -> None:
        if self._connection.in_transaction:
            return
        try:
            if wal_size_bytes(self.path) > WAL_SIZE_BYTES_MAX and self._uncopied_size_bytes() > WAL_SIZE_BYTES_MAX:
                raise IndexUnavailable(
                    f"some process reads {self.path} so long that its write-ahead log cannot be copied"
                )
            self._connection.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            raise self._understood(error) from error
        self._began_s = time.monotonic()

    def _uncopied_size_bytes(self) -> int:
        logged, copied = self._connection.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_PASSIVE)
        return (logged - copied) * PAGE_SIZE_BYTES

    def _commit(self) -> None:
        self._index_fresh()
        if self._recent >= RECENT_DOCUMENTS:
            self._merge_recent()
        self._connection.execute("COMMIT")
        self._is_changed = False

    def _index_fresh(self) -> None:
        if self._fresh:
            self._insert_texts()
            level = "recent" if self._is_serving else "postings"
            self._connection.execute(made_statement("index_documents", level=level))
            for number in (0, *self._numbers.values()):
                self._connection.execute(made_statement("index_values", number=number, level=level))
            self._connection.execute("DELETE FROM temp.fresh")
            if self._is_serving:
                self._recent += len(self._fresh)
            self._forget_fresh()

    def _merge_recent(self) -> None:
        for of in ("aggregate", 0, *self._numbers.values()):
            self._connection.execute(made_statement("merge_recent", of=of))
        self._recent = 0

    def _forget_fresh(self) -> None:
        self._fresh.clear()
        self._ranges.clear()
        self._forget_texts()

    def _undo(self) -> None:
        self._is_changed = False
        self._forget_fresh()
        # Numbers that were given in this transaction are none.
        self._names.clear()
        self._aggregates.clear()
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _count_recent(self) -> int:
        ((count,),) = fetch(self._connection, "SELECT count(*) FROM recent_aggregate")
        return int(count)

    def _understood(self, error: BaseException) -> BaseException:
        if isinstance(error, DAMAGE):
            return Damaged(str(error))
        return unavailable(error, self.path) if isinstance(error, apsw.Error) else error

    # --- Documents ---------------------------------------------------------------------------------------------------

    def _add(self, documents: Sequence[Document], cursor: Cursor, log_hash: str, state: State) -> None:
        by_key = {_key_of(one.place): one for one in documents}
        forgotten = self._forget(by_key)
        added = sorted(by_key.items(), key=_first)
        last, last_place = self._last()
        numbering = Numbering(last, last_place, self._free_from)
        docs = numbering.number([one.place for _, one in added])
        self._insert(added, docs)
        self._note_fresh(docs, last)
        self._fresh.update([event_id for _, _, event_id in by_key])
        values = (
            cursor, log_hash, state.documents + len(added) - forgotten,
            max(state.displaced_us, numbering.displaced_us),
            state.is_in_order and numbering.is_in_order,
        )  # fmt: skip
        self._connection.execute(
            "UPDATE state SET cursor = ?, log_hash = ?, documents = ?, displaced_us = ?, is_in_order = ?", values
        )

    def _forget(self, by_key: Mapping[_Key, Document]) -> int:
        """Documents whose events come again; how many."""
        ids = [event_id for _, _, event_id in by_key]
        if not ids:
            return 0
        if not self._fresh.isdisjoint(ids):
            self._index_fresh()
        found = fetch(
            self._connection,
            "SELECT d.doc, d.displaced_us, d.position, d.event_id FROM event_ids AS e "
            f"CROSS JOIN documents AS d ON d.doc = e.doc WHERE e.event_id IN ({','.join('?' * len(ids))})",
            ids,
        )
        again = [doc for doc, displaced_us, *rest in found if ((doc >> SHIFT) - displaced_us, *rest) in by_key]
        for doc in again:
            values = fetch(self._connection, "SELECT field, value FROM document_values WHERE doc = ?", (doc,))
            for field, value in values:
                for level in ("postings", "recent"):
                    self._connection.execute(f"DELETE FROM {level}_{field} WHERE value = ? AND doc = ?", (value, doc))
            self._connection.execute(statement("forget_document"), {"doc": doc})
        return len(again)

    def _note_fresh(self, docs: list[int], last: int) -> None:
        if docs and docs[0] > last:
            ranges = [(docs[0], docs[-1])]
            self._ranges.extend(ranges)
        else:
            ranges = [(doc, doc) for doc in docs if not self._is_in_range(doc)]
        self._insert_rows("temp.fresh", 2, [end for ends in ranges for end in ends])

    def _is_in_range(self, doc: int) -> bool:
        before = bisect_right(self._ranges, (doc, MOST)) - 1
        return before >= 0 and doc <= self._ranges[before][1]

    def _last(self) -> tuple[int, Place | None]:
        rows = fetch(
            self._connection, "SELECT doc, displaced_us, position, event_id FROM documents ORDER BY doc DESC LIMIT 1"
        )
        for doc, displaced_us, position, event_id in rows:
            return doc, Place((doc >> SHIFT) - displaced_us, position, UUID(bytes=event_id))
        return LEAST, None

    def _free_from(self, doc: int) -> int:
        taken = self._connection.execute("SELECT doc FROM documents WHERE doc >= ? ORDER BY doc", (doc,))
        for (one,) in taken:
            if one != doc:
                break
            doc += 1
        return doc

    def _insert(self, documents: Sequence[tuple[_Key, Document]], docs: Sequence[int]) -> None:
        keys = dict.fromkeys(one.aggregate for _, one in documents)
        self._number_names({one.event_type for _, one in documents} | {one.aggregate_type for one in keys})
        self._number_aggregates(keys)
        names, aggregates, numbers, texts = self._names, self._aggregates, self._numbers, self._texts
        rows: list[Any] = []
        values: list[Any] = []
        for ((_, position, event_id), document), doc in zip(documents, docs, strict=True):
            place, event_type, key, version, tags, held, text = document
            rows += (
                doc, (doc >> SHIFT) - place.timestamp_us, position, event_id, names[event_type],
                names[key.aggregate_type], aggregates[key], version,
            )  # fmt: skip
            for tag in tags:
                values += (doc, 0, tag)
            for path, found in held.items():
                number = numbers[path]
                for value in found:
                    values += (doc, number, value)
            if text:
                texts += (doc, text if text.isascii() else " ".join(words_of(text)))
                self._texts_length += len(text)
        self._insert_rows("documents", 8, rows)
        # What a document has twice it has once.
        self._insert_rows("document_values", 3, values, "OR IGNORE")
        if self._texts_length > _TEXTS_LENGTH_MAX:
            self._insert_texts()

    def _insert_texts(self) -> None:
        for some in in_lots(self._texts, 2 * _TEXTS_AT_ONCE):
            self._connection.execute(_insert("words (rowid, text)", 2, len(some) // 2), some)
        self._forget_texts()

    def _forget_texts(self) -> None:
        self._texts.clear()
        self._texts_length = 0

    def _insert_rows(self, table: str, width: int, values: list[Any], conflict: str = "") -> None:
        start = 0
        for rows in _ROWS_AT_ONCE:
            step = rows * width
            while start + step <= len(values):
                self._connection.execute(_insert(table, width, rows, conflict), values[start : start + step])
                start += step

    def _number_names(self, names: set[str]) -> None:
        """So that all of them are known."""
        for name in _missing(self._names, names):
            found = fetch(self._connection, "SELECT number FROM names WHERE name = ?", (name,)) or fetch(
                self._connection, "INSERT INTO names (name) VALUES (?) RETURNING number", (name,)
            )
            self._names[name] = found[0][0]

    def _number_aggregates(self, keys: Collection[AggregateKey]) -> None:
        for some in in_lots(_missing(self._aggregates, keys), _AGGREGATES_AT_ONCE):
            marks = ",".join(["(?,?)"] * len(some))
            there = fetch(
                self._connection,
                "SELECT aggregate_type, aggregate_id, aggregate FROM aggregates "
                f"WHERE (aggregate_type, aggregate_id) IN (VALUES {marks})",
                [name for key in some for name in (key.aggregate_type, key.aggregate_id)],
            )
            for aggregate_type, aggregate_id, number in there:
                self._aggregates[AggregateKey(aggregate_type, aggregate_id)] = number
            ((last,),) = fetch(self._connection, "SELECT coalesce(max(aggregate), 0) FROM aggregates")
            new = [key for key in some if key not in self._aggregates]
            rows: list[Any] = []
            for number, key in enumerate(new, start=last + 1):
                self._aggregates[key] = number
                rows += (number, key.aggregate_type, key.aggregate_id)
            self._insert_rows("aggregates", 3, rows)


@lru_cache(maxsize=256)
def _insert(table: str, width: int, rows: int, conflict: str = "") -> str:
    row = f"({','.join('?' * width)})"
    return f"INSERT {conflict} INTO {table} VALUES {','.join([row] * rows)}"


def _key_of(place: Place) -> _Key:
    return place.timestamp_us, place.position, place.event_id.bytes


def _missing(numbers: dict[K, int], wanted: Collection[K]) -> list[K]:
    """Those that have no number yet. What is remembered stays bounded: all of it is forgotten at times."""
    if len(numbers) + len(wanted) > _KNOWN_MAX:
        numbers.clear()
    return [one for one in wanted if one not in numbers]
