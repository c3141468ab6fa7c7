"""Opens a store in this process by its URL, and prepares the storage that one names."""

from collections.abc import Callable
from typing import Any

from indelible.core.store import LocalEventStore
from indelible.engines.engine import Engine, EngineMaker, IndexedStorage, InitReport, ManagedStorage
from indelible.errors import InvalidRequest
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


async def reindex_store(url: str, on_progress: Callable[[int, int], None]) -> int:
    """Make a store's index anew from its log; see :class:`IndexedStorage`. Raises :class:`InvalidRequest` for a storage
    that has no index apart from its log."""
    engine = make_engine(url)
    if not isinstance(engine, IndexedStorage):
        raise InvalidRequest("has no index of its own that could be made anew", pointer="/store")
    return await engine.reindex(on_progress)


async def init_store(
    url: str, *, runtime_role: str | None = None, password: str | None = None, post_deploy: bool = False
) -> InitReport:
    """Make the storage, or bring its schema to the newest version. Raises what opening it raises, and
    :class:`InvalidRequest` for roles and deploy steps of a storage that has none."""
    engine = make_engine(url)
    if isinstance(engine, ManagedStorage):
        return await engine.init(runtime_role=runtime_role, password=password, post_deploy=post_deploy)
    if runtime_role is not None:
        raise InvalidRequest("this kind of store has no roles", pointer="/runtime_role")
    if post_deploy:
        raise InvalidRequest("this kind of store has no post-deploy steps", pointer="/post_deploy")
    await engine.open()
    await engine.close()
    return InitReport(())
