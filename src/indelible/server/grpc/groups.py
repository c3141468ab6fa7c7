"""Consumer groups: CreateGroup, ListGroups, GetGroup, ChangeGroup, DeleteGroup and ResetGroup."""

from indelible.groups import GroupSettings, StartPoint
from indelible.server.services import Services
from indelible.wire.pb.groups_pb2 import (
    ChangeGroupRequest,
    CreateGroupRequest,
    DeleteGroupRequest,
    GetGroupRequest,
    ListGroupsRequest,
    ResetGroupRequest,
)
from indelible.wire.proto_group_requests import decode_settings, decode_start_point
from indelible.wire.proto_group_responses import encode_created_group, encode_group, encode_groups
from indelible.wire.proto_requests import decode_items


async def create_group(services: Services, request: CreateGroupRequest) -> bytes:
    settings = GroupSettings(decode_items(request.items), **decode_settings(request))
    info, is_new = await services.store.ensure_group(request.group, settings, StartPoint(**decode_start_point(request)))
    return encode_created_group(info, is_new)


async def list_groups(services: Services, request: ListGroupsRequest) -> bytes:  # noqa: ARG001 - there is nothing in it
    return encode_groups(await services.store.list_groups())


async def get_group(services: Services, request: GetGroupRequest) -> bytes:
    return encode_group(await services.store.get_group(request.group))


async def change_group(services: Services, request: ChangeGroupRequest) -> bytes:
    return encode_group(await services.store.change_group(request.group, **decode_settings(request)))


async def delete_group(services: Services, request: DeleteGroupRequest) -> bytes:
    await services.store.delete_group(request.group)
    return b""


async def reset_group(services: Services, request: ResetGroupRequest) -> bytes:
    return encode_group(await services.store.reset_group(request.group, **decode_start_point(request)))
