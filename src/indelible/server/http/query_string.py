"""Query strings, strictly: nothing unknown, nothing said twice, nothing guessed."""

import re
from datetime import datetime
from typing import Final, cast

import msgspec

from indelible.errors import InvalidRequest
from indelible.queries import Direction
from indelible.server.http.percent import decode_percent

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")


class QueryString:
    """The parameters of one request. Errors point at "/" + the parameter's name."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, list[str]]) -> None:
        self._values: Final = values

    @classmethod
    def parse(
        cls, text: bytes, single: tuple[str, ...], repeatable: tuple[str, ...], flags: tuple[str, ...] = ()
    ) -> "QueryString":
        """``flags`` are those of ``single`` that need no value."""
        values: dict[str, list[str]] = {}
        for pair in text.split(b"&") if text else ():
            raw_name, equals, raw_value = pair.partition(b"=")
            name = _decode(raw_name, "")
            pointer = f"/{name}"
            if name not in single and name not in repeatable:
                raise InvalidRequest(
                    f"is not a known parameter; allowed are {_listed(single + repeatable)}", pointer=pointer
                )
            if not equals and name not in flags:
                raise InvalidRequest("needs a value", pointer=pointer)
            if name in values and name in single:
                raise InvalidRequest("must stand only once", pointer=pointer)
            values.setdefault(name, []).append(_decode(raw_value, pointer))
        return cls(values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str | None:
        values = self._values.get(name)
        return values[0] if values else None

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(self._values.get(name, ()))

    def direction(self) -> Direction:
        """Forward, unless it is said. The store refuses what is no direction."""
        return cast("Direction", self._values.get("direction", ["forward"])[0])

    def integer(self, name: str) -> int | None:
        """Its range is for the store to check."""
        text = self.text(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text):
            raise InvalidRequest("must be an integer", pointer=f"/{name}")
        return int(text)

    def flag(self, name: str) -> bool:
        """Whether it is given, alone or as true."""
        value = self.text(name)
        if value not in (None, "", "true", "false"):
            raise InvalidRequest("must be true or false, or stand alone", pointer=f"/{name}")
        return value in ("", "true")

    def time(self, name: str) -> datetime | None:
        text = self.text(name)
        if text is None:
            return None
        try:
            return msgspec.convert(text, datetime)
        except msgspec.ValidationError:
            message = 'must be a time as in RFC 3339, such as 2026-01-31T12:00:00Z; "+" is written %2B here'
            raise InvalidRequest(message, pointer=f"/{name}") from None

    def pairs(self) -> list[tuple[str, str]]:
        """Every parameter, for links to the next page."""
        return [(name, value) for name, values in self._values.items() for value in values]


def _decode(text: bytes, pointer: str) -> str:
    return decode_percent(text.replace(b"+", b" "), pointer)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
