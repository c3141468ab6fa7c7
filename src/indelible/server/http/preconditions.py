"""If-Match and If-None-Match: on an append the version that the caller expects, on a read what the caller has already
(RFC 9110, section 13.1)."""

import re
from typing import Final

from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest
from indelible.server.http.messages import Response, StreamedResponse

_ENTITY_TAG: Final = re.compile(rb'"([0-9]{1,16})"')


def expected_version_of(headers: dict[bytes, bytes]) -> ExpectedVersion | None:
    """``If-Match: "3"`` expects version 3, ``If-Match: *`` any but 0, ``If-None-Match: *`` 0. None without either."""
    if_match = headers.get(b"if-match")
    if_none_match = headers.get(b"if-none-match")
    if if_none_match is not None:
        if if_match is not None:
            raise InvalidRequest("must not stand next to If-Match", pointer="/If-None-Match")
        if if_none_match != b"*":
            raise InvalidRequest('must be "*" on an append', pointer="/If-None-Match")
        return "none"
    if if_match is None:
        return None
    if if_match == b"*":
        return "exists"
    tag = _ENTITY_TAG.fullmatch(if_match)
    if tag is None:
        raise InvalidRequest('must be one version in quotes, such as "3", or *', pointer="/If-Match")
    return int(tag[1])


def unless_caller_has_it(
    headers: dict[bytes, bytes], response: Response | StreamedResponse
) -> Response | StreamedResponse:
    """The answer to a GET; 304 in its place when the caller has it already."""
    asked = headers.get(b"if-none-match")
    if asked is None or not isinstance(response, Response) or response.status != 200:
        return response
    tag = dict(response.headers).get(b"etag")
    if tag is None or (asked != b"*" and tag not in [one.strip().removeprefix(b"W/") for one in asked.split(b",")]):
        return response
    return Response(304, b"", headers=response.headers)
