"""``/v1/groups`` and ``/v1/groups/{group}``: make consumer groups, look at them, change and delete them, and have them
read from another place on."""

from typing import Final

from indelible.groups import GroupInfo
from indelible.server.http.messages import Request, Response
from indelible.server.http.openapi_operation import Answer, Operation
from indelible.server.http.openapi_problems import GROUP_ERRORS
from indelible.server.services import Services
from indelible.wire.group_requests import (
    GroupBody,
    GroupChangeBody,
    ResetBody,
    decode_group,
    decode_group_change,
    decode_reset,
    or_none,
)
from indelible.wire.group_responses import GroupsBody, encode_group_info, encode_groups

CREATE_GROUP: Final = Operation(
    "create_group",
    "Consumer groups",
    "Make a group",
    "A group reads the log from `start` (the beginning, unless it is said), `after` a cursor, or `since` a time; one "
    "of them may be given. When it is there already, with the same query and settings, it is left as it is: a service "
    "may ask for its group whenever it starts. With others the answer is `group_exists`.",
    (
        Answer(201, "The group is made.", GroupInfo),
        Answer(200, "It was there; this is how far it has come.", GroupInfo),
    ),
    body=GroupBody,
    errors=("group_exists", "shutting_down", "storage_full"),
)
LIST_GROUPS: Final = Operation(
    "list_groups",
    "Consumer groups",
    "List groups",
    "Every group, by name, and how far it has come.",
    (Answer(200, "All of them.", GroupsBody),),
)
GET_GROUP: Final = Operation(
    "get_group",
    "Consumer groups",
    "Get a group",
    "Its settings, and how far it has come.",
    (Answer(200, "The group.", GroupInfo),),
    errors=("group_not_found",),
)
CHANGE_GROUP: Final = Operation(
    "change_group",
    "Consumer groups",
    "Change a group's settings",
    "Those that are given count for deliveries from now on. A query cannot be changed: make another group, after this "
    "one's `cursor`.",
    (Answer(200, "The group as it is now.", GroupInfo),),
    body=GroupChangeBody,
    errors=GROUP_ERRORS,
)
RESET_GROUP: Final = Operation(
    "reset_group",
    "Consumer groups",
    "Read from another place on",
    "From `start`, `after` a cursor, or `since` a time; backward, that is a replay. Deliveries under way become lost. "
    "What is parked before the place stays parked; what comes after it is delivered anew.",
    (Answer(200, "The group as it is now.", GroupInfo),),
    body=ResetBody,
    errors=GROUP_ERRORS,
)
DELETE_GROUP: Final = Operation(
    "delete_group",
    "Consumer groups",
    "Delete a group",
    "With what it knows of parked and skipped events. No event is deleted.",
    (Answer(204, "It is gone."),),
    errors=GROUP_ERRORS,
)


async def create_group(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    settings, start = decode_group(await request.json_body())
    info, is_new = await services.store.ensure_group(group, settings, start)
    return Response(201 if is_new else 200, encode_group_info(info))


async def list_groups(services: Services, request: Request) -> Response:
    request.query()
    return Response(200, encode_groups(await services.store.list_groups()))


async def get_group(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    return Response(200, encode_group_info(await services.store.get_group(group)))


async def change_group(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    change = decode_group_change(await request.json_body())
    info = await services.store.change_group(
        group,
        ack_timeout_s=or_none(change.ack_timeout_s),
        max_attempts=or_none(change.max_attempts),
        max_in_flight=or_none(change.max_in_flight),
    )
    return Response(200, encode_group_info(info))


async def reset_group(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    start = decode_reset(await request.json_body())
    info = await services.store.reset_group(group, start=start.start, after=start.after, since=start.since)
    return Response(200, encode_group_info(info))


async def delete_group(services: Services, request: Request) -> Response:
    group = request.parameter("group")
    request.query()
    await services.store.delete_group(group)
    return Response(204, b"")
