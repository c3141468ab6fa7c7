"""What the URL of an index in OpenSearch or Elasticsearch says."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from indelible.errors import InvalidRequest

_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s,:/@\[\]]+):[0-9]{1,5}")
_PREFIX: Final = re.compile(r"(?!.*-[0-9]+$)[a-z0-9][a-z0-9._-]{0,199}")
_COUNT_MAX: Final = 1_000
_OPTIONS: Final = ("ca", "replicas", "shards")


class Address(NamedTuple):
    """What a URL names."""

    kind: str
    """"opensearch" or "elasticsearch"."""
    hosts: tuple[str, ...]
    """Each "http://HOST:PORT" or with https."""
    user: str
    password: str
    """Empty: without."""
    prefix: str
    """Of the names of all indices."""
    ca: str | None
    """File of the certificates that are trusted, in place of the system's."""
    shards: int
    replicas: int | None
    """None: one as soon as there are two nodes."""

    @classmethod
    def of(cls, url: str) -> Self:
        """``opensearch://[USER:PASSWORD@]HOST:PORT[,HOST:PORT…]/PREFIX[?shards=1&replicas=1&ca=FILE]``, with
        ``opensearch+https`` for TLS; likewise ``elasticsearch``. Raises ``InvalidRequest``."""
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise bad(f"is not a URL: {error}") from None
        kind, _, tls = parts.scheme.partition("+")
        userinfo, _, servers = parts.netloc.rpartition("@")
        hosts = servers.split(",")
        if not all(_HOST.fullmatch(one) for one in hosts) or tls not in ("", "https") or parts.fragment:
            raise bad(f"must be like {kind}://HOST:PORT,HOST:PORT/PREFIX, or {kind}+https://… for TLS")
        prefix = parts.path.removeprefix("/")
        if not _PREFIX.fullmatch(prefix):
            raise bad(
                f"must name the prefix of its indices, as in {kind}://HOST:PORT/PREFIX: at most 200 small letters, "
                "digits, dots, _ and -, that begin with a letter or a digit and do not end with a number behind a -"
            )
        options = _options(parts.query)
        user, colon, password = userinfo.partition(":")
        if userinfo and (not user or not colon):
            raise bad(f"must name user and password, as in {kind}://USER:PASSWORD@HOST:PORT/PREFIX, percent-encoded")
        return cls(
            kind, tuple(f"{tls or 'http'}://{one}" for one in hosts), unquote(user), unquote(password), prefix,
            _file(options, is_tls=bool(tls)), _count(options, "shards", 1) or 1, _count(options, "replicas", 0),
        )  # fmt: skip

    @property
    def is_tls(self) -> bool:
        return self.hosts[0].startswith("https:")


def bad(message: str) -> InvalidRequest:
    return InvalidRequest(message, pointer="/index/store")


def _options(query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in _OPTIONS:
            raise bad(f"has an unknown parameter, {name}; there are {', '.join(_OPTIONS)}")
        if name in found:
            raise bad(f"has {name} twice")
        found[name] = value
    return found


def _count(options: Mapping[str, str], name: str, least: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    if not re.fullmatch("[0-9]{1,4}", text, re.ASCII) or not least <= int(text) <= _COUNT_MAX:
        raise bad(f"must have a number from {least} to {_COUNT_MAX} for {name}")
    return int(text)


def _file(options: Mapping[str, str], *, is_tls: bool) -> str | None:
    ca = options.get("ca")
    if ca is None:
        return None
    if not is_tls:
        raise bad("has ca, which goes with +https alone")
    if not Path(ca).is_file():
        raise bad(f"has {ca} for ca, which is no file")
    return ca
