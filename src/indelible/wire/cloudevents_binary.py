"""CloudEvents 1.0 in the binary mode of HTTP, both ways: attributes as headers ``ce-…``, data as the body (CloudEvents'
binding for HTTP, section 3.1).

What is what, see :mod:`indelible.wire.cloudevents`. Headers are text, so a boolean or an integer comes in as its text;
what of metadata is no text goes out within ``ce-metadata``, and comes back as it was.
"""

import re
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

from indelible.errors import InvalidRequest
from indelible.events import JSON_CONTENT_TYPE, AggregateKey, NewEvent, RecordedEvent, is_json
from indelible.wire.cloudevents import Members, check_data_content_type, context_of, new_event

_PREFIX: Final = b"ce-"
_MODE: Final = b"ce-specversion"
_STRUCTURED: Final = b"application/cloudevents"
_OF_THE_BODY: Final = ("data", "data_base64", "datacontenttype")
_AS_THEY_ARE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*"')
_ESCAPED: Final = re.compile(rb"\\(.)")
_BROKEN: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def is_binary_cloud_event(headers: dict[bytes, bytes]) -> bool:
    """Whether a request with these headers, their names in lower case, is one."""
    return _MODE in headers and not headers.get(b"content-type", b"").lower().startswith(_STRUCTURED)


def decode_binary_cloud_event(headers: dict[bytes, bytes], body: bytes, key: AggregateKey) -> NewEvent:
    """The event of a request, for the aggregate that the path names. Pointers name the header; those within JSON in the
    body begin with "/"."""
    members: Members = {}
    for name, value in headers.items():
        if name.startswith(_PREFIX):
            attribute = name.removeprefix(_PREFIX).decode("latin-1")
            if attribute in _OF_THE_BODY:
                raise InvalidRequest("is no header: it is the body, or its Content-Type", pointer=f"/ce-{attribute}")
            members[attribute] = msgspec.Raw(msgspec.json.encode(_decode(value, f"/ce-{attribute}")))
    try:
        return new_event(members, *_data(headers.get(b"content-type"), body), key)
    except InvalidRequest as error:
        raise _by_header(error) from None


def _data(said: bytes | None, body: bytes) -> tuple[Any, str]:
    content_type = JSON_CONTENT_TYPE if said is None else said.decode("latin-1")
    check_data_content_type(content_type)
    return (msgspec.Raw(body or b"null") if is_json(content_type) else body), content_type


def _decode(value: bytes, pointer: str) -> str:
    if _QUOTED.fullmatch(value):
        value = _ESCAPED.sub(rb"\1", value[1:-1])
    if _BROKEN.search(value):
        raise InvalidRequest('holds a "%" that is not followed by two hexadecimal digits', pointer=pointer)
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("is not UTF-8", pointer=pointer) from None


def _by_header(error: InvalidRequest) -> InvalidRequest:
    attribute, slash, rest = error.pointer[1:].partition("/")
    if attribute == "data":
        pointer = slash + rest
    elif attribute == "datacontenttype":
        pointer = "/Content-Type"
    else:
        pointer = f"/ce-{attribute}{slash}{rest}"
    return type(error)(error.message, **{**error.fields, "pointer": pointer})


def encode_binary_cloud_event(event: RecordedEvent) -> tuple[dict[bytes, bytes], bytes]:
    """Headers, but for Content-Type, which is the event's own; and the body."""
    attributes = context_of(event, is_text_only=True)
    del attributes["datacontenttype"]
    headers = {
        _PREFIX + name.encode("ascii"): quote(value, safe=_AS_THEY_ARE).encode("ascii")
        for name, value in attributes.items()
    }
    return headers, event.event_data_bytes
