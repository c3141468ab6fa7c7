"""If-Match and If-None-Match, as the version that the caller expects (RFC 9110, section 13.1)."""

import re
from typing import Final

from indelible.conditions import ExpectedVersion
from indelible.errors import InvalidRequest

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
