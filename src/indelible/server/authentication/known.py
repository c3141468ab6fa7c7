"""What is known of a token, so that the next call with it costs a look into a dictionary."""

import time
from typing import Final, Protocol

from indelible.access import Principal


class RefusedToken(Exception):
    """A token that is not taken. Says why, for the log, and nothing of what is in it."""


class Source(Protocol):
    """What vouches for tokens: the keys of the store, or an issuer's."""

    valid_until: float
    """It does so until then, on the monotonic clock, unless it is renewed."""

    def vouches_for(self, known: "Known") -> bool:
        """Whether it has not withdrawn it."""
        ...


class Known:
    """A token that was found good."""

    __slots__ = ("principal", "source", "until", "vouched_by")

    def __init__(self, principal: Principal, source: Source, until: float, vouched_by: str) -> None:
        self.principal: Final = principal
        self.source: Final = source
        self.until: Final = until
        """When it expires, in seconds of Unix time."""
        self.vouched_by: Final = vouched_by
        """The id of the key, of the store or of the issuer, that it is good by."""

    @property
    def has_ended(self) -> bool:
        """Whether it has expired, or what vouches for it cannot be asked any more."""
        return self.until <= time.time() or self.source.valid_until <= time.monotonic()
