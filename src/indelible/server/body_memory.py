"""Bounds what the requests under way take together."""

from indelible.errors import Overloaded
from indelible.limits import RETRY_AFTER_S


class BodyMemory:
    """How much the bodies of all requests under way may still take."""

    __slots__ = ("_free_bytes",)

    def __init__(self, size_bytes: int) -> None:
        self._free_bytes = size_bytes

    def take(self, size_bytes: int) -> None:
        if size_bytes > self._free_bytes:
            message = "the server holds as many bytes of other requests as it may; nothing was stored"
            raise Overloaded(message, retry_after_s=RETRY_AFTER_S)
        self._free_bytes -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        self._free_bytes += size_bytes
