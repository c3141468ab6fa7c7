"""The client of Elasticsearch: elasticsearch-py."""

import ssl
from typing import Final

import elastic_transport
import elasticsearch
from elastic_transport.client_utils import DEFAULT

from indelible.indexes.index import IndexUnavailable
from indelible.indexes.opensearch.address import Address
from indelible.indexes.opensearch.client import JSON, Answer, Request


class ElasticsearchClient:
    """Implements :class:`indelible.indexes.opensearch.client.Client`."""

    def __init__(self, address: Address) -> None:
        self._client: Final = elasticsearch.AsyncElasticsearch(
            list(address.hosts),
            basic_auth=(address.user, address.password) if address.user else None,
            max_retries=len(address.hosts) - 1,
            retry_on_status=(),
            ssl_context=ssl.create_default_context(cafile=address.ca) if address.is_tls else DEFAULT,
        )

    async def send(self, request: Request) -> Answer:
        try:
            found = await self._client.options(request_timeout=request.timeout_s).perform_request(
                request.method, request.path, params=request.parameters, body=request.body or None,
                headers={"accept": JSON, "content-type": request.body_type},
            )  # fmt: skip
        except elasticsearch.UnsupportedProductError:
            raise IndexUnavailable("is no Elasticsearch; for OpenSearch name it with opensearch://") from None
        except elasticsearch.ApiError as error:
            return Answer(error.meta.status, error.body)
        except elastic_transport.TransportError as error:
            raise IndexUnavailable(f"Elasticsearch cannot be reached: {error}") from None
        return Answer(found.meta.status, found.body)

    async def close(self) -> None:
        await self._client.close()
