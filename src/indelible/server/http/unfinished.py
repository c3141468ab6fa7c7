"""What a consumer group has not done: events in flight, parked and skipped ones; and what to do about those parked."""

from typing import Final

from indelible.groups import ParkedList, SkippedList
from indelible.limits import PAGE_EVENTS_DEFAULT
from indelible.server.http.links import next_link, with_parameter
from indelible.server.http.messages import Headers, Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.openapi_problems import GROUP_ERRORS
from indelible.server.http.query_string import QueryString
from indelible.server.services import Services
from indelible.wire.group_requests import (
    ReplayParkedBody,
    SkipParkedBody,
    decode_replay_parked,
    decode_skip_parked,
)
from indelible.wire.group_responses import (
    InFlightListBody,
    ReplayedBody,
    SkippedBody,
    encode_in_flight,
    encode_parked_list,
    encode_replayed,
    encode_skipped,
    encode_skipped_list,
)
from indelible.wire.paths import group_path

LIST_IN_FLIGHT: Final = Operation(
    "list_in_flight",
    "Consumer groups",
    "List events in flight",
    "All events that are with members, by position.",
    (Answer(200, "All of them.", InFlightListBody),),
    errors=("group_not_found",),
)
LIST_PARKED: Final = Operation(
    "list_parked",
    "Consumer groups",
    "List parked events",
    "A page of the events that were given up, by position. Each holds up those that follow in its aggregate, until it "
    "is replayed or skipped. Give a page's `cursor` as `after` of the next one, or follow `Link`, until `at_end`.",
    (Answer(200, "A page of parked events.", ParkedList, ("Link",)),),
    query=("after", "limit"),
    errors=("group_not_found",),
)
REPLAY_PARKED: Final = Operation(
    "replay_parked",
    "Consumer groups",
    "Deliver parked events again",
    "Those at `positions`, or `all`, and then those that follow them. Their attempts count from zero. When one of the "
    "positions is not that of a parked event, nothing happens: `parked_event_not_found`.",
    (Answer(200, "How many go on.", ReplayedBody),),
    body=ReplayParkedBody,
    errors=(*GROUP_ERRORS, "parked_event_not_found"),
)
SKIP_PARKED: Final = Operation(
    "skip_parked",
    "Consumer groups",
    "Pass over parked events",
    "Those that follow them are delivered. The reason is recorded. When one of the positions is not that of a parked "
    "event, nothing happens: `parked_event_not_found`.",
    (Answer(200, "How many were skipped.", SkippedBody),),
    body=SkipParkedBody,
    errors=(*GROUP_ERRORS, "parked_event_not_found"),
)
LIST_SKIPPED: Final = Operation(
    "list_skipped",
    "Consumer groups",
    "List skipped events",
    "A page of the events that somebody decided to pass over, by position. Give a page's `cursor` as `after` of the "
    "next one, or follow `Link`, until `at_end`.",
    (Answer(200, "A page of skipped events.", SkippedList, ("Link",)),),
    query=("after", "limit"),
    errors=("group_not_found",),
)


async def list_in_flight(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    return Response(200, encode_in_flight(await services.store.list_in_flight(group)))


async def list_parked(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    query = request.query("after", "limit")
    page = await services.store.list_parked(group, after=query.text("after"), limit=_limit(query))
    return Response(200, encode_parked_list(page), headers=_next(page, f"{group_path(group)}/parked", query))


async def list_skipped(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    query = request.query("after", "limit")
    page = await services.store.list_skipped(group, after=query.text("after"), limit=_limit(query))
    return Response(200, encode_skipped_list(page), headers=_next(page, f"{group_path(group)}/skipped", query))


async def replay_parked(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    positions = decode_replay_parked(await request.json_body())
    return Response(200, encode_replayed(await services.store.replay_parked(group, positions)))


async def skip_parked(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    wanted = decode_skip_parked(await request.json_body())
    skipped = await services.store.skip_parked(group, wanted.positions, reason=wanted.reason)
    return Response(200, encode_skipped(skipped))


def _limit(query: QueryString) -> int:
    limit = query.integer("limit")
    return PAGE_EVENTS_DEFAULT if limit is None else limit


def _next(page: ParkedList | SkippedList, path: str, query: QueryString) -> Headers:
    return () if page.at_end else next_link(path, with_parameter(query.pairs(), "after", page.cursor))
