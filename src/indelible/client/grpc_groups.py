"""The consumer groups of a server, over gRPC."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import Message

from indelible.client.calls import Calls
from indelible.client.grpc_channel import Channel
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
from indelible.wire import proto_group_requests as requests
from indelible.wire import proto_group_responses as responses
from indelible.wire.pb import groups_pb2 as pb

M = TypeVar("M", bound=Message)
R = TypeVar("R")


class GrpcConsumerGroups:
    """Implements :class:`indelible.groups.ConsumerGroups`; the part of GrpcEventStore that does. Behaves as
    :class:`indelible.client.http_groups.HttpConsumerGroups` does."""

    _channel: Channel
    _calls: Calls

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
        request = requests.create_message(check_group(group), settings, StartPoint(start, after, since).checked())
        return await self._retried(responses.decode_group, "CreateGroup", request, pb.CreateGroupResponse)

    async def list_groups(self) -> tuple[GroupInfo, ...]:
        return await self._look(responses.decode_groups, "ListGroups", pb.ListGroupsRequest(), pb.ListGroupsResponse)

    async def get_group(self, group: str) -> GroupInfo:
        request = pb.GetGroupRequest(group=check_group(group))
        return await self._look(responses.decode_group, "GetGroup", request, pb.GetGroupResponse)

    async def change_group(
        self,
        group: str,
        *,
        ack_timeout_s: float | None = None,
        max_attempts: int | None = None,
        max_in_flight: int | None = None,
    ) -> GroupInfo:
        given: dict[str, Any] = {
            "ack_timeout_s": ack_timeout_s,
            "max_attempts": max_attempts,
            "max_in_flight": max_in_flight,
        }
        GroupSettings(**{name: value for name, value in given.items() if value is not None}).checked()
        request = pb.ChangeGroupRequest(group=check_group(group), **given)
        return await self._retried(responses.decode_group, "ChangeGroup", request, pb.ChangeGroupResponse)

    async def delete_group(self, group: str) -> None:
        request = pb.DeleteGroupRequest(group=check_group(group))
        await self._once("DeleteGroup", request, pb.DeleteGroupResponse)

    async def reset_group(
        self,
        group: str,
        *,
        start: Start | None = None,
        after: Cursor | None = None,
        since: datetime | None = None,
    ) -> GroupInfo:
        request = requests.reset_message(check_group(group), StartPoint(start, after, since).checked())
        return await self._retried(responses.decode_group, "ResetGroup", request, pb.ResetGroupResponse)

    # --- Consuming ---------------------------------------------------------------------------------------------------

    async def pull(
        self, group: str, *, member: str = "", limit: int = GROUP_PULL_DEFAULT, wait_s: float = 0.0
    ) -> tuple[Delivery, ...]:
        check_pull(member, limit, wait_s)
        request = pb.PullRequest(group=check_group(group), member=member, limit=limit)

        async def attempt(left_s: float) -> pb.PullResponse:
            request.wait_s = left_s
            return await self._channel.call("Pull", request, pb.PullResponse, wait_s=left_s)

        return responses.decode_deliveries(await self._calls.poll(attempt, wait_s))

    async def ack(self, group: str, delivery_ids: Sequence[str]) -> Settled:
        check_delivery_ids(delivery_ids)
        request = pb.AckRequest(group=check_group(group), delivery_ids=delivery_ids)
        return await self._retried(responses.decode_settled, "Ack", request, pb.Settled)

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
        request = pb.NackRequest(
            group=check_group(group),
            delivery_ids=delivery_ids,
            delay_s=delay_s,
            reason=reason,
            park=park,
            untried=untried,
        )
        return await self._retried(responses.decode_settled, "Nack", request, pb.Settled)

    async def extend(self, group: str, delivery_ids: Sequence[str], *, ack_timeout_s: float | None = None) -> Settled:
        check_delivery_ids(delivery_ids)
        check_ack_timeout(ack_timeout_s)
        request = pb.ExtendRequest(group=check_group(group), delivery_ids=delivery_ids, ack_timeout_s=ack_timeout_s)
        return await self._retried(responses.decode_settled, "Extend", request, pb.Settled)

    async def list_in_flight(self, group: str) -> tuple[InFlight, ...]:
        request = pb.ListInFlightRequest(group=check_group(group))
        return await self._look(responses.decode_in_flight, "ListInFlight", request, pb.ListInFlightResponse)

    # --- Parked events -----------------------------------------------------------------------------------------------

    async def list_parked(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> ParkedList:
        check_page(limit)
        request = pb.ListParkedRequest(group=check_group(group), after=check_list_cursor(after), limit=limit)
        return await self._look(responses.decode_parked, "ListParked", request, pb.ListParkedResponse)

    async def replay_parked(self, group: str, positions: Sequence[int] | None = None) -> int:
        checked = () if positions is None else check_positions(positions)
        request = pb.ReplayParkedRequest(group=check_group(group), positions=checked, all=positions is None)
        return (await self._once("ReplayParked", request, pb.ReplayParkedResponse)).replayed

    async def skip_parked(self, group: str, positions: Sequence[int], *, reason: str) -> int:
        request = pb.SkipParkedRequest(
            group=check_group(group), positions=check_positions(positions), reason=check_reason(reason)
        )
        return (await self._once("SkipParked", request, pb.SkipParkedResponse)).skipped

    async def list_skipped(
        self, group: str, *, after: str | None = None, limit: int = PAGE_EVENTS_DEFAULT
    ) -> SkippedList:
        check_page(limit)
        request = pb.ListSkippedRequest(group=check_group(group), after=check_list_cursor(after), limit=limit)
        return await self._look(responses.decode_skipped, "ListSkipped", request, pb.ListSkippedResponse)

    # --- Sending -----------------------------------------------------------------------------------------------------

    async def _look(self, decode: Callable[[M], R], method: str, request: Message, answer: type[M]) -> R:
        return decode(await self._calls.read(partial(self._channel.call, method, request, answer)))

    async def _retried(self, decode: Callable[[M], R], method: str, request: Message, answer: type[M]) -> R:
        return decode(await self._calls.retried(partial(self._channel.call, method, request, answer)))

    async def _once(self, method: str, request: Message, answer: type[M]) -> M:
        return await self._calls.once(partial(self._channel.call, method, request, answer))
