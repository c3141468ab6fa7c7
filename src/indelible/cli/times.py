"""Times and durations as people write them: ``2h``, ``yesterday``, a date, RFC 3339."""

import re
from datetime import datetime, time, timedelta
from typing import Final

from indelible.errors import InvalidRequest

TIME_HELP: Final = "2h for so long ago, yesterday, a date, or RFC 3339"
"""What may stand where a time is taken, for the help of an option."""

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PART: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_DURATION: Final = re.compile(r"(?:[0-9]{1,9}[smhdw])+")
_DATE_AND_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def duration_s(text: str) -> int | None:
    """Seconds of one number and unit, or several: ``90s``, ``1d12h``. None for anything else."""
    if _DURATION.fullmatch(text) is None:
        return None
    return sum(int(number) * _UNIT_S[unit] for number, unit in _PART.findall(text))


def parse_time(text: str | None, pointer: str) -> datetime | None:
    """The time that a text stands for; None for none. What names no time zone is of this machine's.

    Raises ``InvalidRequest`` with the pointer.
    """
    if text is None:
        return None
    try:
        found = _named(text.strip().lower()) or _written(text.strip().upper())
    except (ValueError, OverflowError, OSError):
        # There is no such day, or no clock has come that far.
        found = None
    if found is None:
        raise InvalidRequest(
            "must be 2h or 1d12h for so long ago, now, today, yesterday, a date such as 2026-01-31, or a time such as "
            f"2026-01-31T12:00:00Z, not {text!r}",
            pointer=pointer,
        )
    return found


def _named(text: str) -> datetime | None:
    now = datetime.now().astimezone()
    ago_s = duration_s(text)
    if ago_s is not None:
        return now - timedelta(seconds=ago_s)
    if text == "now":
        return now
    days_ago = {"today": 0, "yesterday": 1}.get(text)
    if days_ago is None:
        return None
    # Not so many hours ago: a day may have 23 or 25 of them.
    return datetime.combine(now.date() - timedelta(days=days_ago), time()).astimezone()


def _written(text: str) -> datetime | None:
    if _DATE_AND_TIME.fullmatch(text) is None:
        return None
    found = datetime.fromisoformat(text)
    return found.astimezone() if found.tzinfo is None else found
