"""What a read sees: a connection to log and index, and the tail that is not in the index yet."""

from contextlib import suppress
from typing import Final, NamedTuple, Protocol

import apsw

from indelible.engines.sqlite.connections import fetch
from indelible.engines.sqlite.tail import TailView

INDEX_SCHEMA: Final = "derived"
"""The name that readers' connections have for the index. Its tables have other names than the log's."""


class View(NamedTuple):
    connection: apsw.Connection
    tail: TailView
    """Taken before the index is asked: what it lacks is in the index then, and stays there."""

    def read_indexed(self) -> int:
        """A position that the index reaches; what comes after it is in the tail."""
        return int(fetch(self.connection, "SELECT indexed FROM state")[0][0])


class Reader:
    """A connection to the log, with the index beside it once it was needed. For one thread at a time."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection: Final = connection
        self._attached: tuple[str, int] | None = None

    def attach(self, path: str, generation: int) -> None:
        """Have the index at ``path``, made as the ``generation``-th one, beside the log."""
        if self._attached == (path, generation):
            return
        if self._attached is not None:
            self._attached = None
            with suppress(apsw.SQLError):
                self.connection.execute(f"DETACH {INDEX_SCHEMA}")
        self.connection.execute(f"ATTACH ? AS {INDEX_SCHEMA}", (path,))
        self._attached = (path, generation)

    def close(self) -> None:
        self.connection.close()


class Views(Protocol):
    """Where readers get their views. Any thread may ask."""

    def view(self, reader: Reader) -> View:
        """Raises ``Unavailable`` while the index is being made anew."""
        ...

    def is_kept(self, reader: Reader) -> bool:
        """Whether there is an index in a file of the store, and not just one that this process made for itself."""
        ...
