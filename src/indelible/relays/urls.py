"""The parts of a sink's URL, as those of this package have them. What is wrong is told without what it is: a password
that is not percent-encoded can stand anywhere."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

from indelible.errors import InvalidRequest

_ENCODE: Final = "percent-encode what is special in user and password"


def bad(message: str) -> InvalidRequest:
    return InvalidRequest(message, pointer="/to")


def split(url: str) -> SplitResult:
    """Raises ``InvalidRequest``, as all here."""
    try:
        return urlsplit(url)
    except ValueError:
        raise bad(f"is not a URL; {_ENCODE}") from None


def host_and_port(parts: SplitResult) -> tuple[str, int | None]:
    """Of one host. An empty one is none."""
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise bad(f"is not a URL: its port must be a number from 1 to 65535; {_ENCODE}")
    return parts.hostname or "", port


def parameters(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in found:
            raise bad(f"has {name} twice")
        found[name] = value
    return found


def is_true(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "false")
    if value not in ("true", "false"):
        raise bad(f"must have true or false for {name}")
    return value == "true"


def check_known(given: Mapping[str, str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise bad(f"has an unknown parameter, {name}; there are {', '.join(known)}")
