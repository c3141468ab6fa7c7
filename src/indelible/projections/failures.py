"""Why a projection stops, and how one that goes on says what keeps it from working."""

import logging
import time
from typing import Final

from indelible.errors import IndelibleError
from indelible.events import RecordedEvent

log: Final = logging.getLogger("indelible.projections")


class ProjectionStopped(IndelibleError):
    """It does not go on by itself. Fields: projection (its name), version."""


class HandlerFailed(ProjectionStopped):
    """The handler has raised something; that is the error's ``__cause__``. All events before this one are in the read
    model, this one is not. Fields: projection, version, position, event_id, event_type, aggregate_type,
    aggregate_id."""


class CheckpointMismatch(ProjectionStopped):
    """The store does not hold what the read model was made of: it is another one, or was restored from a backup.
    Fields: projection, version, cursor."""


class VersionDropped(ProjectionStopped):
    """Somebody has dropped this version of the read model, or a newer one is live already. Fields: projection,
    version."""


def handler_failed(name: str, version: int, event: RecordedEvent, error: Exception) -> HandlerFailed:
    where = f"position {event.position}, a {event.event_type} of {event.key.stream}"
    return HandlerFailed(
        f"projection {name}, version {version}: the handler failed at {where}: {type(error).__name__}: {error}",
        projection=name, version=version, position=event.position, event_id=str(event.event_id),
        event_type=event.event_type, aggregate_type=event.aggregate_type, aggregate_id=event.aggregate_id,
    )  # fmt: skip


class Trouble:
    """Says once that something keeps a projection from working, and once that it works again."""

    def __init__(self, who: str) -> None:
        self._who: Final = who
        self._what: str | None = None
        self._since = 0.0
        self._has_told_of_another = False

    def begins(self, what: str, error: Exception) -> None:
        if what == self._what:
            return
        if self._what is None:
            self._since = time.monotonic()
        self._what = what
        log.warning("%s: %s; it is tried again until that works: %s", self._who, what, error)

    def tell_of_another(self) -> None:
        if not self._has_told_of_another:
            log.info("%s: another process runs it, too; one of the two stands by", self._who)
            self._has_told_of_another = True

    def is_over(self) -> None:
        if self._what is not None:
            log.info("%s goes on, after %.1f s", self._who, time.monotonic() - self._since)
            self._what = None
