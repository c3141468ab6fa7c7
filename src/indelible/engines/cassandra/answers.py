"""Which answer belongs to which request: the driver's connection, made so that none is taken for that of another; and
what shows that one was.

A connection tells answers apart by a number, the stream id, and by nothing else. Two faults come together under load:

- A node that has kept a request waiting for too long refuses it with an error on stream 0, whatever the request's own
  stream is (seen with Cassandra 5.0). It then ends whatever request of ours happens to be on stream 0, whose own answer
  is still to come. The request that was refused never hears of it.
- The driver takes every answer that nobody waits for as that of a request that timed out, and gives its id out anew. Of
  an id that is free already there are two then, and two requests share it: each may get the other's answer.

A second net behind that is to compare: the keys that were asked for come back with the rows. Answers without rows show
nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cassandra.cluster import DefaultConnection
from cassandra.connection import ConnectionException

_MISUSED: Final = 0
"""The stream on which nodes send errors that belong to others."""

_SHARED_KEYS: Final = ("log", "bucket")
"""Of whatever is written on a condition, these are the same in all its statements."""


class OneAnswerConnection(DefaultConnection):  # type: ignore[misc]  # the driver has no types
    """Of the class that the driver chooses. An id is free once its answer has come, and not before."""

    def get_request_id(self) -> int:
        """Called with the connection's lock held."""
        request_id: int = super().get_request_id()
        # It never comes back: no request that is on its way has it.
        return super().get_request_id() if request_id == _MISUSED else request_id

    def process_msg(self, header: Any, body: bytes) -> None:
        stream = header.stream
        with self.lock:
            # What is below 0 was sent without being asked for; an orphan is a request that timed out.
            is_ours = stream < 0 or stream in self._requests or stream in self.orphaned_request_ids
        if is_ours:
            super().process_msg(header, body)
        elif stream != _MISUSED:
            # Whose request this was, somebody else may have been told.
            self.defunct(ConnectionException(f"an answer came that nobody asked for, on stream {stream}"))


class ForeignAnswer(Exception):
    """An answer to something else. What became of the request is not known."""


def check_rows(rows: object, columns: Sequence[str], values: Mapping[str, Any]) -> None:
    """Of a read. A column that has the name of a value has that value; and where a value has the plural of its name,
    one of those. Raises :class:`ForeignAnswer`."""
    if not isinstance(rows, list):
        raise ForeignAnswer(f"no rows were answered, but {type(rows).__name__}")
    # They come together: what one shows, all do.
    for row in rows[:1]:
        if len(row) != len(columns):
            raise ForeignAnswer(f"{len(row)} columns were answered instead of {len(columns)}")
        for column, value in zip(columns, row, strict=True):
            if column in values:
                is_it = value == values[column]
            else:
                is_it = f"{column}s" not in values or value in values[f"{column}s"]
            if not is_it:
                raise ForeignAnswer(f"another {column} was answered than was asked for")


def check_written(answer: object) -> None:
    """Of a plain write. Raises :class:`ForeignAnswer`."""
    if answer is not None:
        raise ForeignAnswer("a write was answered with rows")


def check_outcome(rows: object, values: Mapping[str, Any]) -> None:
    """Of a conditional write, by column. Raises :class:`ForeignAnswer`."""
    if not isinstance(rows, list) or not rows or not isinstance(rows[0].get("[applied]"), bool):
        raise ForeignAnswer("whether a write took effect was not answered")
    for key in _SHARED_KEYS:
        if key in values and rows[0].get(key) not in {None, values[key]}:
            raise ForeignAnswer(f"another {key} was answered than was written to")
