"""Opens a store in this process by its URL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine
from indelible.errors import InvalidRequest


def open_local_store(url: str, *, read_only: bool = False, **hooks: Any) -> LocalEventStore:
    """The store that ``url`` names, not opened yet: use it as an async context manager.

    ``memory:`` is a new, empty store. ``sqlite:PATH`` is the database file PATH; it is created when it does not exist,
    unless ``read_only``. ``postgresql://…`` is a schema of a database, see ``parse_address`` in
    :mod:`indelible.engines.postgres.address`. ``hooks`` go to :class:`LocalEventStore`. Raises :class:`InvalidRequest`
    for another URL.
    """
    return LocalEventStore(make_engine(url, read_only=read_only), **hooks)


def is_store_url(url: str) -> bool:
    """Whether it starts as the URL of a store does; nothing is said about the rest of it."""
    scheme, colon, _ = url.partition(":")
    return bool(colon) and scheme in _ENGINES


def make_engine(url: str, *, read_only: bool = False) -> Engine:
    """The engine that ``url`` names, not opened yet. Raises :class:`InvalidRequest`."""
    scheme = url.partition(":")[0]
    opener = _ENGINES.get(scheme)
    if opener is None:
        raise InvalidRequest(
            f'must start with one of {", ".join(f"{name}:" for name in _ENGINES)}, not "{url}"', pointer="/store"
        )
    return opener(url, read_only)


def _memory(url: str, read_only: bool) -> Engine:
    from indelible.engines.memory import MemoryEngine  # noqa: PLC0415 - only the engine that is used is loaded

    if url != "memory:" or read_only:
        raise InvalidRequest('is just "memory:", and never read-only: it belongs to its process', pointer="/store")
    return MemoryEngine()


def _sqlite(url: str, read_only: bool) -> Engine:
    from indelible.engines.sqlite.engine import SqliteEngine  # noqa: PLC0415 - only the engine that is used is loaded

    rest = url.partition(":")[2]
    if not rest:
        raise InvalidRequest('needs a file, such as "sqlite:data/indelible.db"', pointer="/store")
    path = Path(rest)
    if path.is_dir():
        within = path / "indelible.db"
        raise InvalidRequest(f"{path} is a directory; name a file in it: sqlite:{within}", pointer="/store")
    if read_only and not path.exists():
        raise InvalidRequest(f"there is no store at {path}", pointer="/store")
    return SqliteEngine(path, read_only=read_only)


def _postgres(url: str, read_only: bool) -> Engine:
    try:
        from indelible.engines.postgres.engine import PostgresEngine  # noqa: PLC0415 - needs packages of an extra
    except ImportError as error:
        raise InvalidRequest(
            f'needs more packages: pip install "indelible[postgres]" ({error})', pointer="/store"
        ) from None
    return PostgresEngine(url, read_only=read_only)


_ENGINES: dict[str, Callable[[str, bool], Engine]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "postgresql": _postgres,
    "postgres": _postgres,
}
