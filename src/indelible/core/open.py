"""Opens a store in this process by its URL."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Capabilities, Engine
from indelible.errors import InvalidRequest


def open_local_store(url: str, *, read_only: bool = False, **hooks: Any) -> LocalEventStore:
    """The store that ``url`` names, not opened yet: use it as an async context manager.

    ``memory:`` is a new, empty store. ``sqlite:PATH`` is the database file PATH; it is created when it does not exist,
    unless ``read_only``. ``hooks`` go to :class:`LocalEventStore`. Raises :class:`InvalidRequest` for another URL.
    """
    return LocalEventStore(_engine(url, read_only), **hooks)


def capabilities_of(url: str) -> Capabilities:
    """What the store that ``url`` names can do, known without opening it. Raises as :func:`open_local_store`."""
    return _engine(url, read_only=False).capabilities


def _engine(url: str, read_only: bool) -> Engine:
    scheme, _, rest = url.partition(":")
    opener = _ENGINES.get(scheme)
    if opener is None:
        raise InvalidRequest(
            f'must start with one of {", ".join(f"{name}:" for name in _ENGINES)}, not "{url}"', pointer="/store"
        )
    return opener(rest, read_only)


def _memory(rest: str, read_only: bool) -> Engine:
    from indelible.engines.memory import MemoryEngine  # noqa: PLC0415 - only the engine that is used is loaded

    if rest or read_only:
        raise InvalidRequest('is just "memory:", and never read-only: it belongs to its process', pointer="/store")
    return MemoryEngine()


def _sqlite(rest: str, read_only: bool) -> Engine:
    from indelible.engines.sqlite.engine import SqliteEngine  # noqa: PLC0415 - only the engine that is used is loaded

    if not rest:
        raise InvalidRequest('needs a file, such as "sqlite:data/indelible.db"', pointer="/store")
    path = Path(rest)
    if path.is_dir():
        within = path / "indelible.db"
        raise InvalidRequest(f"{path} is a directory; name a file in it: sqlite:{within}", pointer="/store")
    if read_only and not path.exists():
        raise InvalidRequest(f"there is no store at {path}", pointer="/store")
    return SqliteEngine(path, read_only=read_only)


_ENGINES: dict[str, Callable[[str, bool], Engine]] = {"memory": _memory, "sqlite": _sqlite}
