"""Whether a NATS server syncs each message before it acknowledges it. Only its monitoring port tells, not clients."""

from typing import Final

import aiohttp
import msgspec

from indelible.limits import RELAY_BROKER_TIMEOUT_S

_TIMEOUT: Final = aiohttp.ClientTimeout(total=RELAY_BROKER_TIMEOUT_S / 4)
_ANSWER_BYTES_MAX: Final = 64 * 1024
"""It holds no streams, and has some hundred bytes."""


class _Config(msgspec.Struct):
    sync_always: bool = False


class _JetStream(msgspec.Struct):
    config: _Config


_decode: Final = msgspec.json.Decoder(_JetStream).decode


async def sync_problem(monitor: str) -> str | None:
    """``monitor``: the URL of the monitoring port. None where each message is synced; else what people should know."""
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"{monitor}/jsz", params={"config": "true"}, allow_redirects=False) as answer,
        ):
            answer.raise_for_status()
            body = bytearray()
            async for part in answer.content.iter_any():
                body += part[: _ANSWER_BYTES_MAX - len(body)]
            is_synced = _decode(body).config.sync_always
    except (TimeoutError, aiohttp.ClientError, msgspec.DecodeError) as error:
        return f"it is not known whether NATS syncs what it acknowledges: {monitor}/jsz: {error or 'no answer in time'}"
    if is_synced:
        return None
    return "NATS acknowledges messages before it syncs them, and a power cut may take them: set sync_interval: always"
