"""What every handler of every transport works with."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NoReturn, Protocol, TypeVar

import msgspec
import structlog
from prometheus_client.metrics_core import Metric

from indelible.access import Principal
from indelible.batching import in_lots
from indelible.conditions import ExpectedVersion
from indelible.diagnostics import StorageState, StoreDiagnostics
from indelible.errors import IndelibleError, InternalError, Overloaded, ShuttingDown, Unavailable
from indelible.events import NewEvent
from indelible.eventstore import AppendResult, EventStore
from indelible.groups import ConsumerGroups, Delivery, GroupInfo
from indelible.limits import (
    BODIES_SIZE_BYTES_MAX,
    GROUP_SETTLE_MAX,
    RETRY_AFTER_S,
    STORE_ANSWER_TIMEOUT_S,
)
from indelible.relay_state import RelayInfo
from indelible.server.background import Background, PartState
from indelible.server.callers import Authenticator
from indelible.server.metrics import (
    ErrorCounts,
    Metrics,
    MetricsText,
    commit_metrics,
    gauge,
    group_gauges,
    relay_metrics,
    storage_metrics,
    writable_gauges,
)
from indelible.server.principal_limits import PrincipalLimits
from indelible.server.streams import RenderedPages
from indelible.tasks import first_of, hear_of_failure

if TYPE_CHECKING:
    from indelible.server.audit import Audit
    from indelible.server.tracing import Tracing

_T = TypeVar("_T")

_WENT_AWAY: Final = "its member went away"
_log: Final = structlog.get_logger(__name__)


class ServedStore(EventStore, StoreDiagnostics, Protocol):
    """What a server needs of the store that it serves."""

    async def append_reserved(
        self,
        aggregate_type: str,
        aggregate_id: str,
        events: Sequence[NewEvent],
        *,
        expected_version: ExpectedVersion = "any",
    ) -> AppendResult:
        """As ``append`` does, events of the store's own to one of its own aggregate types, and to no other: such as
        begin with ``access.RESERVED_PREFIX``. No API leads here."""
        ...


class Services:
    """One open store, what it says of itself, the server's metrics, and whether it is fit for work."""

    def __init__(
        self,
        store: EventStore,
        served: ServedStore,
        metrics: Metrics,
        authorised: Callable[[Principal], EventStore],
    ) -> None:
        self.store: Final = store
        self.authenticator: Authenticator | None = None
        """None: nobody has to say who it is, and everybody may do all."""
        self._authorised: Final = authorised
        self.metrics: Final = metrics
        self.engine: str | None = None
        """The scheme of the store's URL, where one was given."""
        self.bodies: Final = BodyMemory(BODIES_SIZE_BYTES_MAX)
        self.rendered_pages: Final = RenderedPages()
        self.background: Final = Background(metrics)
        """Of this process; its host opens it."""
        self.principal_limits: PrincipalLimits | None = None
        """What each principal may do at most; None where nothing is bounded."""
        self.audit: Audit | None = None
        """Hears who does what; None where nobody knows who that is."""
        self.metrics_text: MetricsText = metrics.text
        """Of the whole server; a server of several workers puts in that of all."""
        self.request_errors: Final = ErrorCounts(metrics)
        self.access_log = False
        """Whether every request is logged."""
        self.tracing: Tracing | None = None
        """Put in before the first request, where the server traces."""
        self.not_ready_because: str | None = None
        """None until the server stops."""
        self.draining: Final = asyncio.Event()
        """Set when the server is about to stop: it serves on, and lets its callers go elsewhere."""
        self.stopping: Final = asyncio.Event()
        """Set when the server stops: what would go on for ever ends then."""
        self.append_reserved: Final = served.append_reserved
        """For what the server itself keeps in the store."""
        self._diagnostics: Final[StoreDiagnostics] = served
        self._head: Final = StoreQuestion(store.head)
        self._appends: Final = StoreQuestion(served.check_takes_appends)
        self._size: Final = StoreQuestion(served.storage_size_bytes)
        self._groups: Final = StoreQuestion(store.groups.list)
        self._relays: Final = StoreQuestion(store.relays.list)
        metrics.add(self._gauges)

    def store_of(self, principal: Principal) -> EventStore:
        """The store as a caller may use it."""
        return self.store if self.authenticator is None else self._authorised(principal)

    async def check_ready(self, *, verbose: bool = False) -> list[PartState]:
        """What the server is made of, all fit for work. Raises ``Unavailable``, or its kind ``ShuttingDown``, while the
        store takes no appends or another vital part is not ready; if ``verbose``, with the field ``parts``."""
        if self.not_ready_because is not None and not verbose:
            raise ShuttingDown(self.not_ready_because, retry_after_s=RETRY_AFTER_S)
        # Both at once: a probe has no time for two that do not answer.
        reading, appending = await asyncio.gather(self._head.ask(), self._appends.ask(), return_exceptions=True)
        troubles = self._diagnostics.partition_troubles()
        reads = _state_of_store("store", "the store is out of reach", reading, self._head)
        # While some partitions are out of reach, the feed is; the aggregates of the others are served.
        is_vital = None not in troubles
        parts = [
            msgspec.structs.replace(reads, is_vital=is_vital),
            _state_of_store("store appends", "the store takes no appends", appending, self._appends),
            *_states_of_partitions(troubles),
            *_state_of_index(self._diagnostics.storage_state()),
            *self.background.states(),
        ]
        fields: dict[str, Any] = {"retry_after_s": RETRY_AFTER_S, **({"parts": parts} if verbose else {})}
        if self.not_ready_because is not None:
            raise ShuttingDown(self.not_ready_because, **fields)
        for part in parts:
            if part.is_vital and part.not_ready_because is not None:
                raise Unavailable(part.not_ready_because, **fields)
        return parts

    async def _gauges(self) -> list[Metric]:
        """What is looked up, and not counted, when metrics are asked for."""
        ready = True
        found = [gauge("indelible_queue_depth", "Appends that wait for a commit.", self._diagnostics.queue_depth)]
        storage = self._diagnostics.storage_state()
        if storage is not None:
            found += storage_metrics(storage)
        found += commit_metrics(self._diagnostics.commit_counts())
        groups: Iterable[GroupInfo] = ()
        relays: Iterable[RelayInfo] = ()
        try:
            await self.check_ready()
        except IndelibleError:
            ready = False
        try:
            head, size_bytes = (await self._head.ask()).position, await self._size.ask()
        except IndelibleError:
            # A store that has failed cannot say; what was counted is worth the more then.
            ready = False
        else:
            found.append(gauge("indelible_head_position", "Last committed position.", head))
            found.append(gauge("indelible_storage_size_bytes", "What the store takes on disk, in bytes.", size_bytes))
            # A store with much to add up may take longer than this waits; it is ready all the same.
            with contextlib.suppress(IndelibleError):
                groups = await self._groups.ask()
                relays = await self._relays.ask()
        found.append(gauge("indelible_ready", "1 while the store takes appends, else 0.", ready))
        found += writable_gauges(self._diagnostics.partition_troubles())
        return [*found, *group_gauges(groups), *relay_metrics(relays)]


def _state_of_store(name: str, problem: str, answer: object, question: "StoreQuestion[Any]") -> PartState:
    if isinstance(answer, BaseException) and not isinstance(answer, IndelibleError):
        raise answer
    because = f"{problem}: {answer.message}" if isinstance(answer, IndelibleError) else None
    state: Literal["running", "failed"] = "running" if because is None else "failed"
    return PartState(name, state, is_vital=True, not_ready_because=because, last_error=question.last_error)


def _states_of_partitions(troubles: Sequence[str | None]) -> Iterator[PartState]:
    """Each for itself: that one takes no appends keeps nobody from appending to the others."""
    for number, trouble in enumerate(troubles):
        state: Literal["running", "failed"] = "running" if trouble is None else "failed"
        because = None if trouble is None else f"it takes no appends: {trouble}"
        yield PartState(f"partition {number}", state, is_vital=False, not_ready_because=because)


def _state_of_index(storage: StorageState | None) -> Iterator[PartState]:
    """Appends and reads go on without it for a while."""
    if storage is not None:
        state: Literal["running", "failed"] = "running" if storage.index_trouble is None else "failed"
        yield PartState(
            "store index", state, is_vital=False, not_ready_because=storage.index_trouble,
            restarts=storage.index_rebuilds, last_error=storage.index_last_error,
        )  # fmt: skip


class BodyMemory:
    """How much the bodies of all requests under way may still take."""

    __slots__ = ("_free_bytes",)

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = size_bytes

    def take(self, size_bytes: int) -> None:
        if size_bytes > self._free_bytes:
            message = "the server holds as many bytes of other requests as it may; nothing was stored"
            raise Overloaded(message, retry_after_s=RETRY_AFTER_S)
        self._free_bytes -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes


class StoreQuestion(Generic[_T]):
    """Asks once at a time: who comes while the store has not answered waits for the same answer. So probes of a store
    that hangs do not pile up."""

    def __init__(self, question: Callable[[], Awaitable[_T]]) -> None:
        self.last_error: str | None = None
        self._question: Final = question
        self._asking: asyncio.Future[_T] | None = None

    async def ask(self) -> _T:
        """The store's answer. Raises what the store raises, as ``InternalError`` where it is an error of another kind,
        and ``Unavailable`` when it takes more than ``STORE_ANSWER_TIMEOUT_S``."""
        asking = self._asking
        if asking is None or asking.done():
            asking = self._asking = asyncio.ensure_future(self._question())
            asking.add_done_callback(hear_of_failure)
        # Not cancelled when it is late: to cancel a query, a database driver may have to wait for the database.
        done, _ = await asyncio.wait({asking}, timeout=STORE_ANSWER_TIMEOUT_S)
        if not done:
            late = f"it has not answered within {STORE_ANSWER_TIMEOUT_S:g} s"
            raise self._heard(Unavailable(late, retry_after_s=RETRY_AFTER_S))
        error = asking.exception()
        if error is None:
            return asking.result()
        if isinstance(error, IndelibleError):
            raise self._heard(error)
        raise self._heard(InternalError(f"{type(error).__name__}: {error}")) from error

    def _heard(self, error: IndelibleError) -> IndelibleError:
        self.last_error = error.message
        return error


# --- Pulls that end early, and deliveries whose member went away: others get them at once ----------------------------


async def pull_until(
    groups: ConsumerGroups, group: str, pull: Coroutine[Any, Any, tuple[Delivery, ...]], *ends: Awaitable[object]
) -> tuple[Delivery, ...]:
    """What the pull has got when one of the ``ends`` comes, if not before; given back when this is cancelled. The store
    sees to it that a pull that is cancelled while it waits holds nothing."""
    pulling = asyncio.create_task(pull)
    try:
        await first_of(pulling, *ends)
    except asyncio.CancelledError:
        if pulling.done() and not pulling.cancelled() and pulling.exception() is None:
            await give_back(groups, group, [one.delivery_id for one in pulling.result()], untried=True)
        raise
    return () if pulling.cancelled() else pulling.result()


async def unless_stopping(stopping: asyncio.Event, answer: Awaitable[_T]) -> _T:
    """What the store answers to a call that it may wait with. Raises ``ShuttingDown`` when the server stops before."""

    async def until_stopping() -> NoReturn:
        await stopping.wait()
        raise ShuttingDown("the server stops; ask again", retry_after_s=RETRY_AFTER_S)

    return await first_of(answer, until_stopping())


async def give_back(groups: ConsumerGroups, group: str, delivery_ids: Collection[str], *, untried: bool) -> None:
    """``untried``: they have not left this server. What cannot be given back now, because the group or the store is
    gone, is delivered again after its deadline."""
    try:
        for some in in_lots(delivery_ids, GROUP_SETTLE_MAX):
            await groups.nack(group, some, reason=_WENT_AWAY, untried=untried)
    except IndelibleError as error:
        _log.info("deliveries of a member that went away wait for their deadline", group=group, error=error.message)
