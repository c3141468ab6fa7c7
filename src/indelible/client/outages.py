"""Whether a client has lost its server: told once when it is lost and once when it is back, in the log and to whoever
asked to be told.

It goes to the logger of this module, ``indelible.client.outages``, as WARNING and INFO. There are no handlers here:
those are the application's.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from indelible.errors import IndelibleError

OnLost = Callable[[IndelibleError], object]
"""Gets the error that said so."""
OnBack = Callable[[], object]

_log: Final = logging.getLogger(__name__)


class Outages:
    """Of one client. Whatever fails at the same time is one outage; it is over when something has succeeded and nothing
    fails any more. Belongs to one event loop, on which the functions given are called: they must not wait for anything.
    """

    def __init__(self, on_lost: OnLost | None = None, on_back: OnBack | None = None) -> None:
        self._on_lost: Final = on_lost
        self._on_back: Final = on_back
        self._failing: Final = set[object]()
        """Those who have tried more than once, and try again."""
        self._began_at = 0.0
        self.error: IndelibleError | None = None
        """Why the server is taken for lost; None while it is not."""

    def failed(self, caller: object, error: IndelibleError) -> None:
        """``caller`` has failed again, and goes on trying."""
        self._failing.add(caller)
        if self.error is None:
            self.error, self._began_at = error, time.monotonic()
            _log.warning("the event store is out of reach: %s; trying again", error)
            _tell(self._on_lost, error)

    def answered(self, caller: object) -> None:
        """``caller`` has been served."""
        self._failing.discard(caller)
        if self.error is not None and not self._failing:
            self.error = None
            _log.info("the event store is back after %.1f s", time.monotonic() - self._began_at)
            _tell(self._on_back)

    def left(self, caller: object) -> None:
        """``caller`` tries no more. That alone brings nothing back."""
        self._failing.discard(caller)


def _tell(function: Callable[..., object] | None, *arguments: Any) -> None:
    if function is None:
        return
    try:
        function(*arguments)
    except Exception:  # noqa: BLE001 - it must not end what is being tried again
        _log.exception("a function that was to be told of an outage has failed")
