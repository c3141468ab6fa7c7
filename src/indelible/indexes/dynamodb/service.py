"""Calls of DynamoDB's API: each is tried again while the service throttles or cannot be reached, within a bound.

All that is asked for may be asked twice: a put says the same again, and what is compared and set is looked at again.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.loaders import create_loader

from indelible.indexes.dynamodb.target import Target
from indelible.indexes.index import IndexUnavailable
from indelible.limits import (
    DYNAMODB_CALL_TIMEOUT_S,
    DYNAMODB_CALLS_AT_ONCE_MAX,
    DYNAMODB_RETRY_WAIT_MAX_S,
    DYNAMODB_RETRY_WAIT_MIN_S,
    DYNAMODB_UNREACHABLE_S,
)
from indelible.tasks import Waits, end_if_cancelled

_descriptions: Final = create_loader()
"""Of the API, which are large: they are read once."""
_THROTTLED: Final = frozenset({
    "ProvisionedThroughputExceededException", "ThrottlingException", "Throttling", "RequestLimitExceeded",
    "LimitExceededException", "ReplicatedWriteConflictException", "TransactionConflictException",
})  # fmt: skip
"""Codes of errors that pass when less is asked for."""


class Conflict(Exception):
    """The item is not what the condition says."""


class NoTable(IndexUnavailable):
    """There is no such table, or none yet."""


class Patience:
    """How long to try: until ``limit_s`` from now, and no longer than ``idle_s`` without anything being done."""

    def __init__(self, limit_s: float, idle_s: float | None = None) -> None:
        self._until: Final = time.monotonic() + limit_s
        self._until_by_the_clock: Final = time.time() + limit_s
        """It goes on while a machine sleeps, and DynamoDB believes no signature by one that is wrong."""
        self._idle_s: Final = limit_s if idle_s is None else idle_s
        self._done_at = time.monotonic()

    def note_progress(self) -> None:
        self._done_at = time.monotonic()

    @property
    def left_s(self) -> float:
        left_s = min(self._until, self._done_at + self._idle_s) - time.monotonic()
        return min(left_s, self._until_by_the_clock - time.time())


class Service:
    """The API, for one table. Belongs to one event loop."""

    def __init__(self, target: Target, client: Any) -> None:
        self.target: Final = target
        self._client: Final = client
        self._free: Final = asyncio.Semaphore(DYNAMODB_CALLS_AT_ONCE_MAX)

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, target: Target) -> AsyncIterator["Service"]:
        """Raises ``IndexUnavailable``."""
        config = AioConfig(
            connect_timeout=DYNAMODB_UNREACHABLE_S, read_timeout=DYNAMODB_CALL_TIMEOUT_S,
            max_pool_connections=DYNAMODB_CALLS_AT_ONCE_MAX, retries={"total_max_attempts": 1, "mode": "standard"},
            parameter_validation=False,
            user_agent="indelible",  # to put theirs together takes a quarter of a call
        )  # fmt: skip
        try:
            session = get_session()
            session.register_component("data_loader", _descriptions)
            place = {"region_name": target.region, "endpoint_url": target.endpoint}
            client = await session.create_client("dynamodb", config=config, **place).__aenter__()
        except BotoCoreError as error:
            raise IndexUnavailable(f"DynamoDB ({target}): {error}") from error
        try:
            yield cls(target, client)
        finally:
            await client.__aexit__(None, None, None)

    async def call(self, operation: str, patience: Patience, /, **parameters: Any) -> Mapping[str, Any]:
        """Raises ``IndexUnavailable``, ``Conflict``."""
        waits = Waits(DYNAMODB_RETRY_WAIT_MIN_S, DYNAMODB_RETRY_WAIT_MAX_S)
        lost_since: float | None = None
        problem = "no answer in time"
        while True:
            if patience.left_s <= 0:
                raise self._unavailable(problem)
            try:
                async with self._free:
                    answer = await self._answer(operation, patience, parameters)
            except ClientError as error:
                problem, lost_since = _problem_that_may_pass(error), None
            except (HTTPClientError, TimeoutError, OSError) as error:
                problem = str(error) or problem
                lost_since = lost_since or time.monotonic()
                if time.monotonic() - lost_since > DYNAMODB_UNREACHABLE_S:
                    raise self._unavailable(problem) from error
            except BotoCoreError as error:
                raise self._unavailable(str(error)) from error
            else:
                if not (answer.get("UnprocessedItems") or answer.get("UnprocessedKeys")):
                    patience.note_progress()
                return answer
            end_if_cancelled()
            await waits.wait()

    async def _answer(self, operation: str, patience: Patience, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        async with asyncio.timeout(min(DYNAMODB_CALL_TIMEOUT_S, patience.left_s)):
            answer: Mapping[str, Any] = await getattr(self._client, operation)(**parameters)
            return answer

    def _unavailable(self, problem: str) -> IndexUnavailable:
        return IndexUnavailable(f"DynamoDB ({self.target}): {problem}")


def _problem_that_may_pass(error: ClientError) -> str:
    """Raises what does not pass by itself."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code == "ConditionalCheckFailedException":
        raise Conflict from error
    if code == "ResourceNotFoundException":
        raise NoTable(str(error)) from error
    if code in _THROTTLED or status >= 500:
        return str(error)
    raise IndexUnavailable(f"DynamoDB refuses: {error}") from error
