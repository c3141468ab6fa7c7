"""Puts the server together: one store, its transports, one event loop; starts it, and stops it graciously."""

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator, Callable
from typing import Final, NamedTuple

import structlog
import uvloop

from indelible.core.authorised_store import AuthorisedStores
from indelible.core.measured_store import MeasuredStore
from indelible.core.open import LocalStore, make_engines, open_local_store
from indelible.core.scheduled_verify import ScheduledVerify
from indelible.core.verify import Damage
from indelible.diagnostics import GroupMeasure
from indelible.errors import IndelibleError, InvalidRequest, StorageFailure
from indelible.eventstore import EventStore
from indelible.server.access_settings import AccessSettings
from indelible.server.audit import Audit
from indelible.server.authentication import Authenticator
from indelible.server.background import Part, any_left_behind
from indelible.server.config import ESDB_POINTER, Address, Settings, esdb_url, shown_url
from indelible.server.http.app import HttpApp
from indelible.server.http.connection import serving
from indelible.server.http.routes import ROUTES
from indelible.server.index import ServerIndex, check_index
from indelible.server.metrics import Metrics, StoreMetrics, verify_metrics
from indelible.server.network_settings import check_addresses
from indelible.server.principal_limits import PrincipalLimits
from indelible.server.process import (
    EXIT_STORAGE_FAILURE,
    ServerUrls,
    Stop,
    configure_logs,
    end_process,
    hold_port,
    listen,
    prepare_process,
)
from indelible.server.relays import check_sink, relay_parts
from indelible.server.services import ServedStore, Services
from indelible.server.supervisor import supervise
from indelible.server.systemd import ServiceManager
from indelible.server.telemetry import check_otel, telemetry
from indelible.server.tls import Certificates
from indelible.server.worker import Worker
from indelible.store_urls import scheme_of

_log: Final = structlog.get_logger(__name__)


def run(
    settings: Settings, *, on_ready: Callable[[ServerUrls], None] | None = None, worker: Worker | None = None
) -> int:
    """Serve until a signal or a storage failure; returns the exit code. ``on_ready`` hears where.

    With several ``settings.workers`` this process only looks after them; each of them comes here as that ``worker``.
    Raises ``InvalidRequest`` for an address or a store that cannot be had, ``StoreLocked``, ``StorageFailure``.
    """
    configure_logs(settings.log_format, settings.log_level, worker=None if worker is None else worker.number)
    manager = ServiceManager.of_this_process() if worker is None else ServiceManager()
    settings, on_ready = manager.applied_to(settings), manager.on_ready(on_ready)
    if settings.workers > 1 and worker is None:
        _check_extras(settings)
        _check_workers_allowed(settings)
        return asyncio.run(supervise(settings, on_ready=on_ready, manager=manager))
    prepare_process()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        exit_code = runner.run(serve(settings, on_ready=on_ready, worker=worker, manager=manager))
        if any_left_behind(runner.get_loop()):
            # The event loop would wait for them for ever. The store is closed.
            end_process(exit_code)
    return exit_code


async def serve(
    settings: Settings,
    *,
    on_ready: Callable[[ServerUrls], None] | None = None,
    worker: Worker | None = None,
    manager: ServiceManager | None = None,
) -> int:
    """As :func:`run` of one process, within an event loop that is there already. Call from the main thread: it takes
    signals."""
    _check_extras(settings)
    manager = manager or ServiceManager()
    stop = Stop(functools.partial(manager.tell, "STOPPING=1"))
    certificates = None if settings.tls is None else Certificates(settings.tls)
    metrics = StoreMetrics(Metrics(None if worker is None else worker.number))
    on_failure = functools.partial(_stop_at_storage_failure, stop)
    on_group = functools.partial(_tell_of_group, metrics)
    store = open_local_store(
        settings.store,
        partition_keys=settings.partition_keys,
        on_batch=metrics.on_batch,
        on_group=on_group,
        on_failure=on_failure,
    )
    index = None
    if settings.index is not None:
        index = ServerIndex(settings, settings.index, store, indexes_here=worker is None or worker.number == 1)
        index.add_metrics(metrics.registry)
    services = make_services(store, metrics, around=store if index is None else index.store)
    services.engine = scheme_of(settings.store)
    if settings.limits is not None:
        services.principal_limits = PrincipalLimits(settings.limits)
    if certificates is not None:
        certificates.serve(services)
    if settings.access is not None:
        control_access(services, settings.access, store)
    if worker is not None:
        worker.share_metrics(services)
    services.access_log = settings.access_log
    if settings.verify_every_h and (worker is None or worker.number == 1):
        services.background.add(verifying(store, settings.verify_every_h, metrics.registry))
    with stop.on_signals(), contextlib.ExitStack() as sockets:
        # Before anything is opened: a server that cannot listen leaves no new database behind.
        if settings.wire.esdb is not None and worker is None and "esdb" not in manager.sockets:
            esdb = sockets.enter_context(hold_port(settings.wire.esdb.address, ESDB_POINTER))
            settings = settings.with_esdb_at(Address(*esdb.getsockname()[:2]))
        at = _take_addresses(settings, worker, manager, sockets)._replace(certificates=certificates)
        async with contextlib.AsyncExitStack() as open_parts:
            on_page = await open_parts.enter_async_context(telemetry(settings.otel, services))
            for part in (
                *relay_parts(services.store, settings.relays, metrics.registry, on_page),
                *(() if index is None else index.parts()),
            ):
                services.background.add(part)
            await open_parts.enter_async_context(store)
            await _check_schemas(store)
            if index is not None:
                open_parts.push_async_callback(index.close)
            await open_parts.enter_async_context(services.background)
            for warning in store.warnings:
                _log.warning(warning)
            async with manager.watching():
                await _serve_store(settings, services, stop, at, on_ready)
    _log.info("stopped", exit_code=stop.exit_code)
    return stop.exit_code


async def _serve_store(
    settings: Settings,
    services: Services,
    stop: Stop,
    at: "_Addresses",
    on_ready: Callable[[ServerUrls], None] | None,
) -> None:
    app = HttpApp(services, ROUTES)
    async with (
        serving(
            app,
            at.http,
            shutdown_grace_s=settings.shutdown_grace_s,
            draining=services.draining,
            certificates=at.certificates,
        ) as url,
        _serving_grpc(services, at.grpc, settings.shutdown_grace_s, at.certificates) as grpc_url,
        _serving_esdb(services, settings, at),
    ):
        urls = ServerUrls(url, grpc_url, esdb_url(settings))
        _log.info("serving", url=url, grpc=grpc_url, esdb=urls.esdb_url, store=shown_url(settings.store))
        if on_ready is not None:
            on_ready(urls)
        services.not_ready_because = await stop.wait()
        services.draining.set()
        _log.info("stopping", reason=services.not_ready_because)
        await stop.drained(settings.drain_delay_s)
        services.stopping.set()


class _Addresses(NamedTuple):
    http: socket.socket
    """Listens."""
    grpc: Address | socket.socket | None
    """Held for processes of this server, or a socket that listens; None when gRPC is not asked for."""
    esdb: socket.socket | None = None
    """Listens; None where the port is held, or nobody asks for it."""
    certificates: Certificates | None = None
    """For all; None without TLS."""


def _take_addresses(
    settings: Settings, worker: Worker | None, manager: ServiceManager, sockets: contextlib.ExitStack
) -> _Addresses:
    """A worker has them from its supervisor. Raises ``InvalidRequest`` for one that cannot be had."""
    if worker is not None:
        return _Addresses(worker.listener, settings.grpc)
    handed = manager.sockets
    http = sockets.enter_context(handed["http"] if "http" in handed else listen(settings.http))
    esdb = sockets.enter_context(handed["esdb"]) if "esdb" in handed else None
    if settings.grpc is None or "grpc" in handed:
        return _Addresses(http, handed.get("grpc"), esdb)
    # gRPC takes no socket of ours, but it listens on a port that we hold.
    holder = sockets.enter_context(hold_port(settings.grpc))
    return _Addresses(http, settings.grpc._replace(port=holder.getsockname()[1]), esdb)


@contextlib.asynccontextmanager
async def _serving_grpc(
    services: Services, at: Address | socket.socket | None, grace_s: float, certificates: Certificates | None
) -> AsyncIterator[str | None]:
    """Gives the URL; None when gRPC is not asked for."""
    if at is None:
        yield None
        return
    from indelible.server.grpc.server import serving_grpc  # noqa: PLC0415 - needs packages of an extra

    async with serving_grpc(services, at, shutdown_grace_s=grace_s, shared=True, certificates=certificates) as address:
        yield f"{'grpc' if certificates is None else 'grpcs'}://{address}"


@contextlib.asynccontextmanager
async def _serving_esdb(services: Services, settings: Settings, at: _Addresses) -> AsyncIterator[None]:
    """Unless nobody asks for it."""
    if settings.wire.esdb is None:
        yield
        return
    from indelible.server.esdb.server import serving_esdb  # noqa: PLC0415 - needs packages of an extra

    async with serving_esdb(
        services,
        settings.wire.esdb,
        shutdown_grace_s=settings.shutdown_grace_s,
        listener=at.esdb,
        certificates=at.certificates,
    ):
        yield


def _check_extras(settings: Settings) -> None:
    """Raises ``InvalidRequest`` for what must not be, and for what needs packages that are not there, before anything
    is opened."""
    check_addresses(settings)
    for name, relay in settings.relays.items():
        check_sink(name, relay)
    if settings.relays and len(make_engines(settings.store)) > 1:
        raise InvalidRequest(
            "relays need a store of one partition: a relay has one checkpoint, in one log", pointer="/relays"
        )
    check_index(settings)
    if settings.access is not None and settings.access.jwt is not None:
        try:
            import joserfc  # noqa: F401, PLC0415 - of an extra
        except ImportError as error:
            raise InvalidRequest.of_extra("jwt", error, pointer="/access/jwt") from None
    check_otel(settings.otel)
    if settings.grpc is not None:
        try:
            import indelible.server.grpc.server  # noqa: PLC0415 - needs packages of an extra
        except ImportError as error:
            raise InvalidRequest.of_extra("grpc", error, pointer="/grpc") from None
    if settings.wire.esdb is not None:
        try:
            import indelible.server.esdb.server  # noqa: F401, PLC0415 - needs packages of an extra
        except ImportError as error:
            raise InvalidRequest.of_extra("esdb", error, pointer="/wire/esdb") from None
        if len(make_engines(settings.store)) > 1:
            raise InvalidRequest(
                "wire.esdb needs a store of one partition: its clients take a position for a place in the whole log",
                pointer="/wire/esdb",
            )


async def _check_schemas(store: LocalStore) -> None:
    """Raises ``InvalidRequest`` where appends of some event types could not be checked. What else may be wrong with the
    store, such as damage, appends meet for themselves; it is served all the same."""
    try:
        await store.guard.check_usable()
    except InvalidRequest:
        raise
    except IndelibleError as error:
        _log.warning("cannot read the schemas", error=error.message)


def _check_workers_allowed(settings: Settings) -> None:
    if not all(one.capabilities.many_processes for one in make_engines(settings.store)):
        raise InvalidRequest(
            f"must be 1 for the store {settings.store}, which one process at a time may write", pointer="/workers"
        )


def _stop_at_storage_failure(stop: Stop, failure: StorageFailure) -> None:
    _log.critical("the storage has failed", error=failure.message, exc_info=failure)
    stop.exit_code = EXIT_STORAGE_FAILURE
    stop.because(f"the storage has failed: {failure.message}")


def _tell_of_group(metrics: StoreMetrics, group: str, measure: GroupMeasure) -> None:
    metrics.on_group(group, measure)
    for one in measure.damage:
        _log.error("a consumer group parked a damaged event", group=group, position=one.position, reason=one.reason)


def verifying(store: EventStore, every_h: float, metrics: Metrics) -> Part:
    """What verifies the log beside the requests."""
    work = ScheduledVerify(store, every_h * 3_600, _tell_of_damage)
    metrics.add(
        lambda: verify_metrics(
            is_damaged=work.damage is not None, failures=work.failures, position=work.position,
            age_s=work.age_s, every_s=work.every_s,
        )
    )  # fmt: skip
    return Part("verify", work.run)


def _tell_of_damage(damage: Damage) -> None:
    _log.error("the log is damaged", position=damage.position, reason=damage.reason)


def make_services(
    store: ServedStore, metrics: StoreMetrics | None = None, *, around: EventStore | None = None
) -> Services:
    """What handlers work with: the store, or what stands ``around`` it. ``metrics``: those that the store was made with
    hooks of."""
    if metrics is None:
        metrics = StoreMetrics(Metrics())
    measured = MeasuredStore(around or store, metrics.on_appends)
    return Services(measured, store, metrics.registry, AuthorisedStores(measured).of)


def control_access(services: Services, access: AccessSettings, store: ServedStore) -> None:
    """Let nobody ask without saying who it is. The parts that this takes are started with the others."""
    services.audit = audit = Audit(store.append_reserved)
    services.authenticator = authenticator = Authenticator(access, store, on_refusal=audit.refused)
    services.metrics.add(audit.metrics)
    for part in (*authenticator.parts(), audit.part()):
        services.background.add(part)


def http_app(store: ServedStore) -> HttpApp:
    """The REST API over a store that the caller opens and closes; for tests, and for a server inside another program.
    Its metrics know nothing of commits, unless the store was made with such hooks."""
    return HttpApp(make_services(store), ROUTES)
