"""What this index asks of a client of OpenSearch or Elasticsearch: one HTTP call, with an answer whatever its status.

All that the index does is HTTP and JSON that both servers take alike. Only who sends it differs.
"""

from typing import Any, Final, NamedTuple, Protocol

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"


class Request(NamedTuple):
    method: str
    path: str
    parameters: dict[str, str]
    body: bytes
    body_type: str
    timeout_s: float


class Answer(NamedTuple):
    status: int
    body: Any
    """JSON, decoded."""


class Client(Protocol):
    """Belongs to one event loop."""

    async def send(self, request: Request) -> Answer:
        """Tries each host at most once. Raises ``IndexUnavailable`` where none answers, or not in time."""
        ...

    async def close(self) -> None: ...
