"""What was made and may be wanted again, bounded in bytes: what was not asked for the longest goes first."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

ENTRY_SIZE_BYTES: Final = 1_024
"""What an entry takes beside its bytes, by a high estimate: the number of small ones is bounded too."""


class SizeBounded(Generic[K, V]):
    """``size_bytes`` says what a value takes."""

    def __init__(self, size_bytes_max: int, size_bytes: Callable[[V], int]) -> None:
        self._size_bytes_max: Final = size_bytes_max
        self._size_bytes: Final = size_bytes
        self._values: Final[OrderedDict[K, V]] = OrderedDict()
        self._total_bytes = 0

    def get(self, key: K) -> V | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def keep(self, key: K, value: V) -> None:
        """May drop it at once, when it alone is too large."""
        if key in self._values:
            return
        self._values[key] = value
        self._total_bytes += ENTRY_SIZE_BYTES + self._size_bytes(value)
        while self._total_bytes > self._size_bytes_max:
            _, dropped = self._values.popitem(last=False)
            self._total_bytes -= ENTRY_SIZE_BYTES + self._size_bytes(dropped)
