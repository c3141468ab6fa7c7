"""The backends of the query index that a fault run can choose: a new one is one more line of ``KINDS``."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from indexes.opensearch_server import opensearch_server
from postgres.server import postgres_server


class IndexServer(Protocol):
    """What serves an index, and can be killed. Both block; what is stored outlives them."""

    def kill(self) -> None: ...

    def start(self) -> object:
        """Until it can be used."""
        ...


class Backend(NamedTuple):
    url: str
    """Of the index: ``store`` in the table ``[index]``."""
    server: IndexServer | None
    """None of an index that lives in the event server."""


Kind = Callable[[Path], AbstractContextManager[Backend]]
"""A backend that holds nothing yet; a folder that is there and empty is its own."""


@contextmanager
def _sqlite(folder: Path) -> Iterator[Backend]:
    yield Backend(f"sqlite:{folder / 'search.db'}", None)


@contextmanager
def _postgres(_: Path) -> Iterator[Backend]:
    with postgres_server() as server:
        yield Backend(server.new_database(), server)


@contextmanager
def _opensearch(_: Path) -> Iterator[Backend]:
    with opensearch_server() as server:
        yield Backend(f"opensearch://{server.address}/faults", server)


KINDS: Final[Mapping[str, Kind]] = {"opensearch": _opensearch, "postgres": _postgres, "sqlite": _sqlite}
