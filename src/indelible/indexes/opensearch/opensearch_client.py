"""The client of OpenSearch: opensearch-py."""

import logging
import ssl
from typing import Final

import opensearchpy

from indelible.indexes.index import IndexUnavailable
from indelible.indexes.opensearch.address import Address
from indelible.indexes.opensearch.client import Answer, Request

_log: Final = logging.getLogger("opensearch")
if _log.level == logging.NOTSET:
    # It tells of each call that fails, with a traceback. What that means, the index says.
    _log.setLevel(logging.ERROR)


class OpenSearchClient:
    """Implements :class:`indelible.indexes.opensearch.client.Client`."""

    def __init__(self, address: Address) -> None:
        self._client: Final = opensearchpy.AsyncOpenSearch(
            list(address.hosts),
            http_auth=(address.user, address.password) if address.user else None,
            ssl_context=ssl.create_default_context(cafile=address.ca) if address.is_tls else None,
            max_retries=len(address.hosts) - 1,
            retry_on_status=(),
        )

    async def send(self, request: Request) -> Answer:
        try:
            found = await self._client.transport.perform_request(
                request.method, request.path, params=request.parameters, body=request.body or None,
                timeout=request.timeout_s,
                headers={"content-type": request.body_type},
            )  # fmt: skip
        except opensearchpy.ConnectionError as error:
            raise IndexUnavailable(f"OpenSearch cannot be reached: {error.info or error.error}") from None
        except opensearchpy.TransportError as error:
            return Answer(int(error.status_code), error.info)
        except opensearchpy.SerializationError as error:
            raise IndexUnavailable(f"OpenSearch gives an answer that is no JSON: {error}") from None
        return Answer(200, found)

    async def close(self) -> None:
        pool = self._client.transport.connection_pool
        # It leaves those open that it takes for dead.
        for connection in getattr(pool, "orig_connections", pool.connections):
            await connection.close()
