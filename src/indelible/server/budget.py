"""How much a stream of pages may hold."""

from indelible.errors import InvalidRequest
from indelible.limits import PAGE_EVENTS_MAX, VERSION_MAX


class Budget:
    """How many events a stream may still hold."""

    def __init__(self, limit: int | None) -> None:
        if limit is not None and not 1 <= limit <= VERSION_MAX:
            raise InvalidRequest(f"must be from 1 to {VERSION_MAX}", pointer="/limit")
        self._left = limit

    @property
    def page_limit(self) -> int:
        return PAGE_EVENTS_MAX if self._left is None else min(PAGE_EVENTS_MAX, self._left)

    def spend(self, count: int) -> bool:
        """Whether nothing is left after ``count`` more events."""
        if self._left is None:
            return False
        self._left -= count
        return self._left <= 0
