"""The consumer groups of a server, over its REST API."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from indelible.client.calls import Calls
from indelible.client.transport import Transport
from indelible.groups import (
    Delivery,
    GroupInfo,
    GroupSettings,
    InFlight,
    ParkedList,
    Settled,
    SkippedList,
    Start,
    StartPoint,
    check_ack_timeout,
    check_delivery_ids,
    check_group,
    check_group_query,
    check_nack,
    check_positions,
    check_pull,
    check_reason,
)
from indelible.limits import (
    GROUP_ACK_TIMEOUT_DEFAULT_S,
    GROUP_ATTEMPTS_DEFAULT,
    GROUP_IN_FLIGHT_DEFAULT,
    GROUP_PULL_DEFAULT,
    PAGE_EVENTS_DEFAULT,
)
from indelible.queries import EVERYTHING, Cursor, EventQuery, check_list_cursor, check_page
from indelible.wire import group_requests as requests
from indelible.wire import group_responses as responses
from indelible.wire.paths import group_path


class HttpConsumerGroups:
    """Implements :class:`indelible.groups.ConsumerGroups`; the part of HttpEventStore that does.

    What may be done twice is repeated as :class:`Retry` says. Deleting a group, and replaying or skipping parked
    events, may not: they raise ``OutcomeUnknown`` when their answer is lost.
    """

    def __init__(self, transport: Transport, calls: Calls) -> None:
        self._transport: Final = transport
        self._calls: Final = calls

    # --- Groups ------------------------------------------------------------------------------------------------------

    async def create_group(
        self,
        group: str,
        query: EventQuery = EVERYTHING,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
        ack_timeout_s: float = GROUP_ACK_TIMEOUT_DEFAULT_S,
        max_attempts: int = GROUP_ATTEMPTS_DEFAULT,
        max_in_flight: int = GROUP_IN_FLIGHT_DEFAULT,
    ) -> GroupInfo:
        settings = GroupSettings(check_group_query(query), ack_timeout_s, max_attempts, max_in_flight).checked()
        body = requests.encode_group(settings, StartPoint(start, after, since).checked())
        send = partial(self._transport.put, group_path(check_group(group)), body)
        return responses.decode_group_info(await self._calls.retried(send))

    async def list_groups(self) -> tuple[GroupInfo, ...]:
        return responses.decode_groups(await self._get("/v1/groups"))

    async def get_group(self, group: str) -> GroupInfo:
        return responses.decode_group_info(await self._get(group_path(check_group(group))))

    async def change_group(
        self,
        group: str,
        *,
        ack_timeout_s: float | None = None,
        max_attempts: int | None = None,
        max_in_flight: int | None = None,
    ) -> GroupInfo:
        body = requests.encode_group_change(ack_timeout_s, max_attempts, max_in_flight)
        send = partial(self._transport.patch, group_path(check_group(group)), body)
        return responses.decode_group_info(await self._calls.retried(send))

    async def delete_group(self, group: str) -> None:
        await self._calls.once(partial(self._transport.delete, group_path(check_group(group))))

    async def reset_group(
        self,
        group: str,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
    ) -> GroupInfo:
        body = requests.encode_reset(StartPoint(start, after, since).checked())
        return responses.decode_group_info(await self._post(group, "reset", body))

    # --- Consuming ---------------------------------------------------------------------------------------------------

    async def pull(
        self, group: str, *, member: str = "", limit: int = GROUP_PULL_DEFAULT, wait_s: float = 0.0
    ) -> tuple[Delivery, ...]:
        path = f"{group_path(check_group(group))}/pull"
        check_pull(member, limit, wait_s)

        async def attempt(left_s: float) -> bytes:
            return await self._transport.post(path, requests.encode_pull(member, limit, left_s), wait_s=left_s)

        return responses.decode_deliveries(await self._calls.poll(attempt, wait_s))

    async def ack(self, group: str, delivery_ids: Sequence[str]) -> Settled:
        check_delivery_ids(delivery_ids)
        return responses.decode_settled(await self._post(group, "ack", requests.encode_ack(delivery_ids)))

    async def nack(
        self,
        group: str,
        delivery_ids: Sequence[str],
        *,
        delay_s: float = 0.0,
        reason: str = "",
        park: bool = False,
        untried: bool = False,
    ) -> Settled:
        check_delivery_ids(delivery_ids)
        check_nack(delay_s, reason, park, untried)
        body = requests.encode_nack(delivery_ids, delay_s=delay_s, reason=reason, park=park, untried=untried)
        return responses.decode_settled(await self._post(group, "nack", body))

    async def extend(self, group: str, delivery_ids: Sequence[str], *, ack_timeout_s: float | None = None) -> Settled:
        check_delivery_ids(delivery_ids)
        check_ack_timeout(ack_timeout_s)
        body = requests.encode_extend(delivery_ids, ack_timeout_s)
        return responses.decode_settled(await self._post(group, "extend", body))

    async def list_in_flight(self, group: str) -> tuple[InFlight, ...]:
        return responses.decode_in_flight(await self._get(f"{group_path(check_group(group))}/in-flight"))

    # --- Parked events -----------------------------------------------------------------------------------------------

    async def list_parked(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> ParkedList:
        return responses.decode_parked_list(await self._get_page(group, "parked", after, limit))

    async def replay_parked(self, group: str, positions: Sequence[int] | None = None) -> int:
        body = requests.encode_replay_parked(None if positions is None else check_positions(positions))
        send = partial(self._transport.post, f"{group_path(check_group(group))}/parked/replay", body)
        return responses.decode_replayed(await self._calls.once(send))

    async def skip_parked(self, group: str, positions: Sequence[int], *, reason: str) -> int:
        body = requests.encode_skip_parked(check_positions(positions), check_reason(reason))
        send = partial(self._transport.post, f"{group_path(check_group(group))}/parked/skip", body)
        return responses.decode_skipped(await self._calls.once(send))

    async def list_skipped(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> SkippedList:
        return responses.decode_skipped_list(await self._get_page(group, "skipped", after, limit))

    # --- Sending -----------------------------------------------------------------------------------------------------

    async def _get(self, path: str) -> bytes:
        return await self._calls.read(partial(self._transport.get, path))

    async def _get_page(self, group: str, what: str, after: str | None, limit: int) -> bytes:
        path = f"{group_path(check_group(group))}/{what}"
        check_page(limit)
        parameters = [("after", check_list_cursor(after)), ("limit", limit)]
        return await self._calls.read(partial(self._transport.get, path, parameters))

    async def _post(self, group: str, what: str, body: bytes) -> bytes:
        path = f"{group_path(check_group(group))}/{what}"
        return await self._calls.retried(partial(self._transport.post, path, body))
