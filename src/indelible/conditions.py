"""What an append may demand of the store's state. Pure rules; the engines bring the state."""

from collections.abc import Iterable
from typing import Final, Literal, cast

import msgspec

from indelible.cursors import START, Cursor
from indelible.errors import ConditionFailed, Conflict, InvalidRequest, VersionConflict
from indelible.events import AggregateKey, check_version
from indelible.queries import QueryItem, check_items

ExpectedVersion = int | Literal["any", "exists", "none"]
"""An integer: exactly this version. "any": whatever it is. "exists": at least one event. "none": none, same as 0."""


def check_expected_version(value: object, pointer: str = "/expected_version") -> ExpectedVersion:
    if value in ("any", "exists", "none"):
        return cast("ExpectedVersion", value)
    if isinstance(value, str) or value is None:
        raise InvalidRequest('must be an integer from 0, "any", "exists" or "none"', pointer=pointer)
    return check_version(value, pointer, least=0)


def version_conflict(key: AggregateKey, expected: ExpectedVersion, actual: int) -> VersionConflict | None:
    """The error for an aggregate that is not at the expected version; None when it is."""
    if expected == "any" or (actual > 0 if expected == "exists" else actual == (0 if expected == "none" else expected)):
        return None
    return VersionConflict(
        f"{key.stream} is at version {actual}, expected {expected}",
        aggregate_type=key.aggregate_type,
        aggregate_id=key.aggregate_id,
        expected_version=expected,
        actual_version=actual,
    )


class AppendCondition(msgspec.Struct, frozen=True):
    """Dynamic consistency boundary: refuse the append if any event after the cursor matches any of the items."""

    fail_if: tuple[QueryItem, ...]
    after: Cursor = START

    def __post_init__(self) -> None:
        if isinstance(self.fail_if, Iterable):
            msgspec.structs.force_setattr(self, "fail_if", tuple(self.fail_if))

    def check(self, pointer: str = "/condition") -> None:
        """Raises :class:`InvalidRequest` naming the first bad field, below ``pointer``."""
        if not check_items(self.fail_if, f"{pointer}/fail_if"):
            raise InvalidRequest("must hold at least one item", pointer=f"{pointer}/fail_if")
        if not isinstance(self.after, Cursor):
            raise InvalidRequest("must be a Cursor", pointer=f"{pointer}/after")
        Cursor.parse(self.after, f"{pointer}/after")

    @property
    def name_count(self) -> int:
        """What it costs to check this within a batch goes by this."""
        return sum([item.name_count for item in self.fail_if])


def condition_failed(position: int) -> ConditionFailed:
    """The error of an append whose condition the event at ``position`` matches, as the first."""
    return ConditionFailed(f"the event at position {position} matches the append condition", position=position)


class Scanned(msgspec.Struct, frozen=True):
    """What a scan of the log has told about a condition, before its request comes to the writer."""

    up_to: int = 0
    """Every event up to this position was looked at."""
    refusal: Conflict | InvalidRequest | None = None
    """Why the condition does not hold, or cannot be looked at to the end."""
    entries: int = 0
    """Index entries that it took."""


NOT_SCANNED: Final = Scanned()
