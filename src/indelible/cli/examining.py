"""What "doctor" looks at, one after the other. Nothing is changed, and every wait has an end."""

import asyncio
import contextlib
import resource
import stat
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from indelible.core.open import examine_store, open_local_store
from indelible.diagnostics import Finding, StoreDiagnostics
from indelible.errors import IndelibleError, InvalidRequest
from indelible.events import decode_event, format_timestamp, timestamp_to_us
from indelible.eventstore import EventStore
from indelible.indexes.makers import make_index
from indelible.limits import CLOCK_AHEAD_S_MAX, CONNECTIONS_MAX, DOCTOR_CONNECT_TIMEOUT_S
from indelible.relays.sink import make_sink
from indelible.server.config import Settings, config_file_of, find_bad_settings, load_settings, shown_url
from indelible.store_urls import scheme_of

_PORTS: Final = {
    "kafka": 9092, "nats": 4222, "amqp": 5672, "amqps": 5671, "opensearch": 9200, "opensearch+https": 443,
    "elasticsearch": 9200, "elasticsearch+https": 443,
}  # fmt: skip
"""Where they listen if a URL does not say. What has another scheme is a file, or opens with the store."""


async def examine_all(store: str | None, config_file: str | None) -> list[Finding]:
    """Raises nothing for what is wrong with the store: that is what is looked for."""
    bad = find_bad_settings(config_file=config_file)
    if bad:
        advice = "Mend it; nothing else is looked at before."
        return [Finding("settings", "problem", error.message, advice) for error in bad]
    settings = load_settings({"store": store}, config_file=config_file).settings
    found = [Finding("settings", "ok", "all settings are good")]
    found += [*_private_files(settings, config_file_of(config_file)), _open_files()]
    found += [one async for one in _store(settings.store)]
    found += [one async for one in _others(settings)]
    return found


# --- This process ----------------------------------------------------------------------------------------------------


def _open_files() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    message = f"this user's processes may open {'any number of' if hard == resource.RLIM_INFINITY else hard} files"
    if hard != resource.RLIM_INFINITY and hard < CONNECTIONS_MAX:
        advice = f"Raise it (LimitNOFILE, ulimit -Hn) above {CONNECTIONS_MAX}: each connection is an open file."
        return Finding("open files", "notice", message, advice)
    return Finding("open files", "ok", message)


def _private_files(settings: Settings, config: Path | None) -> Iterator[Finding]:
    """Files with secrets in them."""
    urls = [settings.store, *(relay.to for relay in settings.relays.values())]
    if settings.index is not None and settings.index.store is not None:
        urls.append(settings.index.store)
    if config is not None and any(shown_url(url) != url for url in urls):
        yield _private_file(config, "has a password in it")
    keys = [] if settings.tls is None else [settings.tls.key or settings.tls.certificate]
    if settings.access is not None and settings.access.jwt is not None and settings.access.jwt.secret_file is not None:
        keys.append(settings.access.jwt.secret_file)
    for key in map(Path, keys):
        if key.is_file():
            yield _private_file(key, "has a private key in it")


def _private_file(file: Path, what: str) -> Finding:
    mode = file.stat().st_mode
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        return Finding("rights", "problem", f"{file} {what}, and anybody may read it", f"chmod o-rwx {file}")
    return Finding("rights", "ok", f"{file} {what}, and is not for everybody")


# --- The store -------------------------------------------------------------------------------------------------------


async def _store(url: str) -> AsyncIterator[Finding]:
    is_there = True
    try:
        for one in await examine_store(url):
            is_there = is_there and one.check != "store"
            yield one
        if not is_there or scheme_of(url) == "memory":
            return
        async with open_local_store(url, read_only=True) as store:
            yield await _clock(store)
            yield await _end(store)
    except (IndelibleError, OSError) as error:
        advice = "See to it that the store is there and reached, and run this again."
        yield Finding("store", "problem", f"{shown_url(url)} cannot be opened: {error}", advice)


async def _clock(store: EventStore) -> Finding:
    line = (await store.read_feed(direction="backward", limit=1)).lines
    if not line:
        return Finding("clock", "ok", "the log is empty")
    timestamp = decode_event(line).timestamp
    ahead_s = (timestamp - datetime.now(UTC)).total_seconds()
    message = f"the newest event is of {format_timestamp(timestamp_to_us(timestamp))}"
    if ahead_s > CLOCK_AHEAD_S_MAX:
        return Finding(
            "clock", "problem", f"{message}, which is {ahead_s:,.1f} s ahead of this machine's clock",
            "Set the clock right (NTP). If it is right now, it was ahead before: events get this same timestamp until "
            "the clock has come there, and their order is not touched.",
        )  # fmt: skip
    return Finding("clock", "ok", message)


async def _end(store: EventStore) -> Finding:
    missing = await store.find_missing_end() if isinstance(store, StoreDiagnostics) else None
    if missing is None:
        return Finding("store", "ok", f"the log ends at position {(await store.head()).position}")
    message = f"the log's end is missing from position {missing[0]} on: {missing[1]}"
    return Finding("store", "problem", message, "Bring the missing file back, or restore a backup.")


# --- What else a server talks to -------------------------------------------------------------------------------------


async def _others(settings: Settings) -> AsyncIterator[Finding]:
    for name, relay in settings.relays.items():
        for one in await _reached(f"relay {name}", relay.to, make_sink):
            yield one
    if settings.index is not None and settings.index.store is not None:
        for one in await _reached("index", settings.index.store, make_index):
            yield one


async def _reached(check: str, url: str, make: Callable[[str], object]) -> list[Finding]:
    try:
        # Whether the URL means something, and its packages are there.
        make(url)
        addresses = list(_addresses(url))
    except InvalidRequest as error:
        return [Finding(check, "problem", f"{shown_url(url)}: {error.message}", "Correct the URL.")]
    return list(await asyncio.gather(*(_connected(check, host, port) for host, port in addresses)))


async def _connected(check: str, host: str, port: int) -> Finding:
    try:
        async with asyncio.timeout(DOCTOR_CONNECT_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        why = str(error) or f"no answer within {DOCTOR_CONNECT_TIMEOUT_S:g} s"
        advice = "Start it, or correct the URL; until then its events wait in the log."
        return Finding(check, "problem", f"{host}:{port} is not reached: {why}", advice)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return Finding(check, "ok", f"{host}:{port} is reached")


def _addresses(url: str) -> Iterator[tuple[str, int]]:
    default = _PORTS.get(scheme_of(url))
    if default is None:
        return
    for host in urlsplit(url).netloc.rpartition("@")[2].split(","):
        parts = urlsplit(f"//{host}")
        try:
            yield parts.hostname or "", parts.port or default
        except ValueError:
            raise InvalidRequest(f"{host!r} is not HOST:PORT") from None
