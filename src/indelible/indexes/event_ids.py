"""Event ids in the order of their texts, which is that of their bytes: what backends need that find ranges in sorted
lists of ids."""

from collections.abc import Callable
from uuid import UUID


def is_event_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def event_ids_where(operator: str, value: str) -> tuple[UUID | None, UUID | None]:
    """For ``<``, ``<=``, ``>``, ``>=``, ``prefix``: the first id whose text fits, None where none does; and the first
    behind those that fit, None where all after it do."""
    from_value = _first_id(lambda text: text >= value)
    if operator == ">=":
        return from_value, None
    if operator == "prefix":
        # Texts of ids hold nothing like the last character of ASCII.
        return from_value, _first_id(lambda text: text > value + "\x7f")
    behind_value = _first_id(lambda text: text > value)
    if operator == ">":
        return behind_value, None
    return UUID(int=0), from_value if operator == "<" else behind_value


def _first_id(fits: Callable[[str], bool]) -> UUID | None:
    """The first id whose text fits, as all after it do. Ids as bytes have the order of their texts."""
    low, end = 0, 2**128
    while low < end:
        middle = (low + end) // 2
        if fits(str(UUID(int=middle))):
            end = middle
        else:
            low = middle + 1
    return UUID(int=low) if low < 2**128 else None
