"""HTTP requests to one server: bytes out, bytes in, and every failure as an error of the store."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from importlib.metadata import version
from typing import Final
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from indelible.errors import IndelibleError, OutcomeUnknown, Unavailable
from indelible.limits import CLIENT_CONNECT_TIMEOUT_S
from indelible.wire.errors import decode_problem

Parameters = Sequence[tuple[str, object]]


class Transport:
    """One server's connections. Belongs to one event loop. Every call is a single attempt.

    Raises ``Unavailable`` when the server was not reached, ``OutcomeUnknown`` when it may have been, but gave no
    (whole) answer, and what the server's error answer stands for.
    """

    def __init__(self, url: str, *, timeout_s: float, headers: Mapping[str, str]) -> None:
        self._url: Final = url.rstrip("/")
        self._timeout_s: Final = timeout_s
        self._headers: Final = {"User-Agent": f"indelible-python/{version('indelible')}", **headers}
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._reading: Final[set[aiohttp.StreamReader]] = set()

    def open(self) -> None:
        self._session = self._new_session(aiohttp.TCPConnector())
        # Each stream, and each call that waits, keeps its connection: any number of them must leave the other calls the
        # connections that they need.
        self._streams = self._new_session(aiohttp.TCPConnector(limit=0))

    def _new_session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector, timeout=self._timeout(), headers=self._headers, cookie_jar=aiohttp.DummyCookieJar()
        )

    def _timeout(self, wait_s: float = 0.0) -> aiohttp.ClientTimeout:
        connect_s = min(CLIENT_CONNECT_TIMEOUT_S, self._timeout_s)
        return aiohttp.ClientTimeout(total=self._timeout_s + wait_s, sock_connect=connect_s)

    async def close(self) -> None:
        # A session that closes its connections does not wake those who read from them.
        for content in self._reading:
            content.set_exception(aiohttp.ClientConnectionError("the client is closed"))
        for session in (self._session, self._streams):
            if session is not None:
                await session.close()

    async def get(self, path: str, parameters: Parameters = ()) -> bytes:
        """``None`` parameters are left out."""
        return await self.send("GET", path, parameters)

    async def stream(
        self, path: str, parameters: Parameters, *, headers: Mapping[str, str], silence_max_s: float
    ) -> AsyncGenerator[bytes]:
        """The chunks of an answer that may never end. Raises ``Unavailable`` when it breaks off, or says nothing for
        ``silence_max_s`` seconds."""
        assert self._streams is not None, "open() comes first"
        given = [(name, value) for name, value in parameters if value is not None]
        url = URL(f"{self._url}{path}?{urlencode(given)}" if given else self._url + path, encoded=True)
        timeout = aiohttp.ClientTimeout(sock_connect=CLIENT_CONNECT_TIMEOUT_S, sock_read=silence_max_s)
        try:
            async with self._streams.get(url, headers=headers, timeout=timeout, allow_redirects=False) as response:
                if response.status >= 300:
                    raise _error(response.status, await response.read(), response.headers.get("Retry-After", ""))
                self._reading.add(response.content)
                try:
                    async for chunk in response.content.iter_any():
                        yield chunk
                finally:
                    self._reading.discard(response.content)
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"{self._url} broke off: {str(error) or type(error).__name__}") from error

    async def post(self, path: str, body: bytes) -> bytes:
        return await self.send("POST", path, body=body)

    async def send(
        self, method: str, path: str, parameters: Parameters = (), body: bytes | None = None, *, wait_s: float = 0.0
    ) -> bytes:
        """``wait_s``: how long the server may take for what it has to wait for, beside the time-out."""
        given = [(name, value) for name, value in parameters if value is not None]
        return await self._send(method, f"{path}?{urlencode(given)}" if given else path, body, wait_s=wait_s)

    async def _send(self, method: str, target: str, body: bytes | None, *, wait_s: float) -> bytes:
        session = self._streams if wait_s else self._session
        assert session is not None, "open() comes first"
        headers = None if body is None else {"Content-Type": "application/json"}
        # Encoded already: an id may hold any character, and must come out of the path as it went in.
        url = URL(self._url + target, encoded=True)
        try:
            async with session.request(
                method, url, data=body, headers=headers, timeout=self._timeout(wait_s), allow_redirects=False
            ) as response:
                answer = await response.read()
                if response.status < 300:
                    return answer
                raise _error(response.status, answer, response.headers.get("Retry-After", ""))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unavailable(f"cannot reach {self._url}: {error}") from error
        except (aiohttp.ClientError, OSError) as error:
            # TimeoutError is an OSError.
            reason = str(error) or type(error).__name__
            raise OutcomeUnknown(f"{self._url} gave no answer: {reason}") from error


def _error(status: int, body: bytes, retry_after: str) -> IndelibleError:
    error = decode_problem(status, body)
    if retry_after.isdigit():
        error.fields.setdefault("retry_after_s", int(retry_after))
    return error
