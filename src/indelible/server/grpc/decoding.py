"""Encoded messages as messages."""

from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from indelible.errors import InvalidRequest

M = TypeVar("M", bound=Message)


def decode_message(kind: type[M], encoded: bytes) -> M:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise InvalidRequest(f"not an encoded {kind.DESCRIPTOR.name}: {error}") from None
