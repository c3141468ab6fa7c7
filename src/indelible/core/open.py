"""Opens a store in this process by its URL, and prepares the storage that one names."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from indelible.core.partitions.store import PartitionedStore
from indelible.core.store import LocalEventStore
from indelible.diagnostics import Finding
from indelible.engines.engine import (
    Engine,
    EngineMaker,
    ExaminedStorage,
    IndexedStorage,
    InitReport,
    ManagedStorage,
    not_replicated,
)
from indelible.errors import InvalidRequest
from indelible.store_urls import load_engine_maker, take_partition, urls_of

LocalStore = LocalEventStore | PartitionedStore


def open_local_store(
    url: str,
    *,
    read_only: bool = False,
    partition_keys: Mapping[str, str] | None = None,
    is_copy: bool = False,
    **hooks: Any,
) -> LocalStore:
    """The store that ``url`` names, not opened yet: use it as an async context manager.

    :mod:`indelible.engines.makers` has the URLs of the engines here; other packages may bring more. Several URLs with
    spaces between them are one store of several partitions; a parameter ``partition`` in the last means one of them
    alone, to be read or copied. ``partition_keys``: see :class:`PartitionedStore`.
    ``is_copy``: the store is to be the copy of another, and so gets nothing of its own. ``hooks`` go to
    :class:`LocalEventStore`. Raises :class:`InvalidRequest` for another URL.
    """
    url, chosen = take_partition(url)
    engines = make_engines(url, read_only=read_only)
    if chosen is not None:
        return LocalEventStore(_chosen(engines, chosen, may_be=read_only or is_copy), is_partition=True, **hooks)
    if len(engines) == 1:
        if partition_keys:
            raise InvalidRequest("are for a store of several partitions", pointer="/partition_keys")
        return LocalEventStore(engines[0], **hooks)
    partitions = [LocalEventStore(engine, is_partition=True, **hooks) for engine in engines]
    return PartitionedStore(partitions, partition_keys=partition_keys, may_make=not (read_only or is_copy))


def _chosen(engines: Sequence[Engine], partition: int, *, may_be: bool) -> Engine:
    if partition >= len(engines) or len(engines) == 1:
        message = f"the store has {len(engines)} partitions; the parameter partition names none of them"
        raise InvalidRequest(message, pointer="/store")
    if not may_be:
        raise InvalidRequest(
            "one partition alone is for reading, for backups and for copies; nothing is appended to it",
            pointer="/store",
        )
    return engines[partition]


def make_engines(url: str, *, read_only: bool = False) -> tuple[Engine, ...]:
    """The engines that ``url`` names, one for each partition, not opened yet. Raises :class:`InvalidRequest`."""
    engines: list[Engine] = []
    for one in urls_of(url):
        make: EngineMaker = load_engine_maker(one)
        made = make(one, read_only=read_only)
        engines += made if isinstance(made, tuple) else (made,)
    return tuple(engines)


async def reindex_store(url: str, on_progress: Callable[[int, int], None]) -> int:
    """Make a store's index anew from its log; see :class:`IndexedStorage`. Raises :class:`InvalidRequest` for a storage
    that has no index apart from its log."""
    events = 0
    for engine in make_engines(url):
        if not isinstance(engine, IndexedStorage):
            raise InvalidRequest("has no index of its own that could be made anew", pointer="/store")
        events += await engine.reindex(on_progress)
    return events


async def examine_store(url: str) -> list[Finding]:
    """Whether what the store stands on is fit for it. Raises what opening it raises."""
    findings: list[Finding] = []
    for engine in make_engines(url):
        if isinstance(engine, ExaminedStorage):
            findings += [one for one in await engine.examine() if one not in findings]
    return findings


async def init_store(
    url: str,
    *,
    runtime_role: str | None = None,
    password: str | None = None,
    post_deploy: bool = False,
    replication: str | None = None,
) -> InitReport:
    """Make the storage, or bring its schema to the newest version. Raises what opening it raises, and
    :class:`InvalidRequest` for roles, copies and deploy steps of a storage that has none."""
    asked = {"runtime_role": runtime_role, "password": password, "replication": replication}
    reports = [await _init(engine, post_deploy=post_deploy, **asked) for engine in make_engines(url)]
    steps = tuple([step for one in reports for step in one.steps])
    return InitReport(steps, reports[0].runtime_role, any(one.is_role_new for one in reports))


async def _init(
    engine: Engine, *, runtime_role: str | None, password: str | None, replication: str | None, post_deploy: bool
) -> InitReport:
    if isinstance(engine, ManagedStorage):
        return await engine.init(
            runtime_role=runtime_role, password=password, post_deploy=post_deploy, replication=replication
        )
    if replication is not None:
        raise not_replicated()
    if runtime_role is not None:
        raise InvalidRequest("this kind of store has no roles", pointer="/runtime_role")
    if post_deploy:
        raise InvalidRequest("this kind of store has no post-deploy steps", pointer="/post_deploy")
    await engine.open()
    await engine.close()
    return InitReport(())
