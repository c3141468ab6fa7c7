"""Opens a store in this process by its URL."""

from typing import Any

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine, EngineMaker
from indelible.store_urls import load_engine_maker


def open_local_store(url: str, *, read_only: bool = False, **hooks: Any) -> LocalEventStore:
    """The store that ``url`` names, not opened yet: use it as an async context manager.

    :mod:`indelible.engines.makers` has the URLs of the engines here; other packages may bring more. ``hooks`` go to
    :class:`LocalEventStore`. Raises :class:`InvalidRequest` for another URL.
    """
    return LocalEventStore(make_engine(url, read_only=read_only), **hooks)


def make_engine(url: str, *, read_only: bool = False) -> Engine:
    """The engine that ``url`` names, not opened yet. Raises :class:`InvalidRequest`."""
    make: EngineMaker = load_engine_maker(url)
    return make(url, read_only=read_only)
