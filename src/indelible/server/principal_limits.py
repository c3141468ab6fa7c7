"""What each principal may do at most: requests and events a second, connections, subscriptions.

A rate is a bucket that fills by so much a second, up to what one second gives. What is asked for is taken out of it
while there is anything in it at all, so that a batch that is larger than the bucket can be stored; what it has taken
too much, later calls wait for. So over a while nobody gets more than the rate, whatever the size of the batches.

Where nobody has to say who it is, every remote address counts as a principal: one bucket for all would let one caller
use it up, and so would be what it is to prevent. Of IPv6 the network counts, of which a caller has all addresses.
"""

import asyncio
import ipaddress
import math
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic
from typing import Final, Protocol

from indelible.access import EVERYBODY, Principal
from indelible.errors import RateLimited
from indelible.limits import PRINCIPALS_COUNTED_MAX
from indelible.server.network_settings import LimitSettings, PrincipalLimit

PROBES: Final = ("livez", "readyz")
"""Operations that are never limited: who is restarted for being asked too much is none the better."""
_IPV6_NETWORK_BITS: Final = 64


class Bucket:
    """Of one rate."""

    __slots__ = ("_filled_at", "_left", "per_s")

    def __init__(self, per_s: float) -> None:
        self.per_s: Final = per_s
        self._left = self._most
        self._filled_at = monotonic()

    @property
    def _most(self) -> float:
        return max(self.per_s, 1.0)

    def wait_s(self) -> float:
        """How long it is until something may be taken; 0 when that is now."""
        now = monotonic()
        self._left = min(self._left + (now - self._filled_at) * self.per_s, self._most)
        self._filled_at = now
        # What is taken is whole; a bucket that holds less than one has nothing to give, and rounding hides none.
        return max(0.0, (1.0 - self._left) / self.per_s - 1e-9)

    def take(self, count: int) -> None:
        self._left -= count

    @property
    def is_full(self) -> bool:
        return self.wait_s() == 0.0 and self._left >= self._most


class Use:
    """What one principal does now, and may do."""

    __slots__ = ("_events", "_limit", "_name", "_requests", "connections", "subscriptions")

    def __init__(self, name: str, limit: PrincipalLimit) -> None:
        self._name: Final = name
        self._limit: Final = limit
        self._requests: Final = None if limit.requests_per_s is None else Bucket(limit.requests_per_s)
        self._events: Final = None if limit.events_per_s is None else Bucket(limit.events_per_s)
        self.connections = 0
        self.subscriptions = 0

    @property
    def is_idle(self) -> bool:
        """Whether to forget it changes nothing."""
        buckets = (self._requests, self._events)
        return not self.connections and not self.subscriptions and all(one is None or one.is_full for one in buckets)

    def take_request(self) -> None:
        """Raises ``RateLimited``."""
        if self._requests is not None:
            self._take(self._requests, 1, "requests")

    def take_events(self, count: int) -> None:
        """Before they are stored. Raises ``RateLimited``."""
        if self._events is not None:
            self._take(self._events, count, "events")

    async def wait_for_events(self, count: int) -> None:
        """As :meth:`take_events`, for what comes on a stream: it is read no further until then."""
        if self._events is not None:
            wait_s = self._events.wait_s()
            # Now, so that of several streams each waits for those that came before.
            self._events.take(count)
            if wait_s:
                await asyncio.sleep(wait_s)

    def _take(self, bucket: Bucket, count: int, what: str) -> None:
        wait_s = bucket.wait_s()
        if wait_s > 0:
            raise self._limited(f"{bucket.per_s:g} {what} a second", wait_s)
        bucket.take(count)

    def check_connections(self) -> None:
        """Whether one more may be counted. Raises ``RateLimited``."""
        most = self._limit.connections
        if most is not None and self.connections >= most:
            raise self._limited(f"{most} connections at once")

    def check_subscriptions(self) -> None:
        """Whether one more may begin. Raises ``RateLimited``."""
        most = self._limit.subscriptions
        if most is not None and self.subscriptions >= most:
            raise self._limited(f"{most} subscriptions at once")

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        self.check_subscriptions()
        self.subscriptions += 1
        try:
            yield
        finally:
            self.subscriptions -= 1

    def _limited(self, bound: str, wait_s: float = 1.0) -> RateLimited:
        return RateLimited(
            f"{self._name} may have {bound}, and no more; nothing was stored", retry_after_s=math.ceil(wait_s)
        )


class Counted(Protocol):
    """A connection, which counts for the principal that has asked something on it last."""

    use: Use | None
    address: str


class PrincipalLimits:
    def __init__(self, settings: LimitSettings) -> None:
        self._settings: Final = settings
        self._uses: Final[OrderedDict[str, Use]] = OrderedDict()

    def begin_request(self, principal: Principal, connection: Counted) -> Use:
        """Count one more request. Raises ``RateLimited`` when that is more than the principal may have."""
        use = self._use_of(principal, connection.address)
        if connection.use is not use:
            use.check_connections()
            if connection.use is not None:
                connection.use.connections -= 1
            use.connections += 1
            connection.use = use
        use.take_request()
        return use

    def _use_of(self, principal: Principal, address: str) -> Use:
        # A name of a principal's holds no space.
        name = f"address {_network(address)}" if principal is EVERYBODY else principal.name
        use = self._uses.get(name)
        if use is None:
            self._forget()
            use = self._uses[name] = Use(name, self._settings.of(name))
        self._uses.move_to_end(name)
        return use

    def _forget(self) -> None:
        """Some that are idle, of those that have been silent the longest. Those that are not stay counted: as many as
        there are connections, and what filled their buckets up to a second ago."""
        while len(self._uses) >= PRINCIPALS_COUNTED_MAX:
            name, use = next(iter(self._uses.items()))
            if not use.is_idle:
                self._uses.move_to_end(name)
                return
            del self._uses[name]


@lru_cache(PRINCIPALS_COUNTED_MAX)
def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False))
