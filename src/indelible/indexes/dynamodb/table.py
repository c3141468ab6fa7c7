"""The table: made when it is missing; items put, looked up, listed and removed."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from indelible.batching import in_lots
from indelible.indexes.dynamodb.entries import PARTITION, SORT, STATE_KEY, Item, Key
from indelible.indexes.dynamodb.service import Conflict, NoTable, Patience, Service
from indelible.indexes.dynamodb.state import FORMAT, State, decode_state, encode_state
from indelible.indexes.index import IndexUnavailable
from indelible.limits import (
    DYNAMODB_ENTRIES_PER_PAGE_MAX,
    DYNAMODB_RETRY_WAIT_MAX_S,
    DYNAMODB_RETRY_WAIT_MIN_S,
    DYNAMODB_WRITES_AT_ONCE,
)
from indelible.tasks import Waits, to_its_end

T = TypeVar("T")

PUTS_MAX: Final = 25
GETS_MAX: Final = 100
"""Items of one request, as DynamoDB has it."""
_TRIES_MAX: Final = 50
"""To change the state, in a row, while others change it."""
_ATTRIBUTES: Final = [{"AttributeName": name, "AttributeType": "B"} for name in (PARTITION, SORT)]
_SCHEMA: Final = [{"AttributeName": PARTITION, "KeyType": "HASH"}, {"AttributeName": SORT, "KeyType": "RANGE"}]
_REVISION: Final = "r"
_VALUE: Final = "v"


class Stretch(NamedTuple):
    """Of one partition, from a sort key to another, with both."""

    partition: bytes
    first: bytes
    last: bytes

    @property
    def is_empty(self) -> bool:
        return self.first > self.last


class Table:
    def __init__(self, service: Service) -> None:
        self._service: Final = service
        self._name: Final = service.target.table

    async def make(self, patience: Patience) -> None:
        """If it is not there, and wait until it can be used. Raises ``IndexUnavailable``."""
        waits = Waits(DYNAMODB_RETRY_WAIT_MIN_S, DYNAMODB_RETRY_WAIT_MAX_S)
        while True:
            try:
                found = (await self._call("describe_table", patience))["Table"]
            except NoTable:
                await self._create(patience)
                continue
            if found["KeySchema"] != _SCHEMA or any(one not in found["AttributeDefinitions"] for one in _ATTRIBUTES):
                raise IndexUnavailable(
                    f"the table {self._name} is none of Indelible's: its key is not {PARTITION} and {SORT}, both binary"
                )
            if found["TableStatus"] in ("ACTIVE", "UPDATING"):
                return
            if patience.left_s <= 0:
                raise IndexUnavailable(f"the table {self._name} is {found['TableStatus']} for long")
            await waits.wait()

    async def _create(self, patience: Patience) -> None:
        try:
            await self._call(
                "create_table", patience, AttributeDefinitions=_ATTRIBUTES, KeySchema=_SCHEMA,
                BillingMode="PAY_PER_REQUEST",
            )  # fmt: skip
        except IndexUnavailable as error:
            if "ResourceInUseException" not in str(error):  # another makes it at this moment
                raise

    async def _call(self, operation: str, patience: Patience, **parameters: Any) -> Mapping[str, Any]:
        return await self._service.call(operation, patience, TableName=self._name, **parameters)

    # --- The state ---------------------------------------------------------------------------------------------------

    async def state(self, patience: Patience) -> State:
        return (await self._revision(patience))[1]

    async def _revision(self, patience: Patience) -> tuple[int, State]:
        answer = await self._call("get_item", patience, Key=STATE_KEY.attributes, ConsistentRead=True)
        item = answer.get("Item")
        if item is None:
            return 0, State(format=FORMAT)
        try:
            return int(item[_REVISION]["N"]), decode_state(item[_VALUE]["B"])
        except (KeyError, ValueError) as error:
            raise IndexUnavailable(f"the state in the table {self._name} is none of this version: {error}") from error

    async def change(self, change: Callable[[State], State], patience: Patience) -> State:
        """Compare and set. Raises what ``change`` raises, and ``IndexUnavailable``."""
        for _ in range(_TRIES_MAX):
            revision, before = await self._revision(patience)
            after = change(before)
            if after == before:
                return after
            item = {
                **STATE_KEY.attributes, _REVISION: {"N": str(revision + 1)}, _VALUE: {"B": encode_state(after)}
            }  # fmt: skip
            condition = (
                {"ConditionExpression": f"{_REVISION} = :r", "ExpressionAttributeValues": {":r": {"N": str(revision)}}}
                if revision
                else {"ConditionExpression": f"attribute_not_exists({PARTITION})"}
            )
            try:
                await to_its_end(self._call("put_item", patience, Item=item, **condition))
            except Conflict:
                continue
            return after
        raise IndexUnavailable(f"others change the state in the table {self._name} all the time")

    # --- Items -------------------------------------------------------------------------------------------------------

    async def put(self, items: Iterable[Item], patience: Patience) -> None:
        """Items with different keys, in any order. Those that are there are replaced."""
        await self._write(({"PutRequest": {"Item": one}} for one in items), patience)

    async def remove(self, keys: Iterable[Key], patience: Patience) -> None:
        await self._write(({"DeleteRequest": {"Key": one.attributes}} for one in keys), patience)

    async def _write(self, requests: Iterable[Any], patience: Patience) -> None:
        await for_each(in_lots(requests, PUTS_MAX), lambda lot: self._write_lot(lot, patience), DYNAMODB_WRITES_AT_ONCE)

    async def _write_lot(self, lot: Sequence[Any], patience: Patience) -> None:
        waits = Waits(DYNAMODB_RETRY_WAIT_MIN_S, DYNAMODB_RETRY_WAIT_MAX_S)
        while lot:
            answer = await self._service.call("batch_write_item", patience, RequestItems={self._name: lot})
            lot = await self._rest(answer.get("UnprocessedItems", {}), lot, waits, patience)

    async def _rest(
        self, left: Mapping[str, Any], asked: Sequence[Any], waits: Waits, patience: Patience
    ) -> Sequence[Any]:
        """What of a lot is to be asked for again, after a wait."""
        rest: Sequence[Any] = left.get(self._name, ())
        if rest:
            if len(rest) < len(asked):
                patience.note_progress()
            if patience.left_s <= 0:
                raise IndexUnavailable(f"DynamoDB throttles the table {self._name}")
            await waits.wait()
        return rest

    async def get(self, keys: Iterable[Key], patience: Patience) -> list[Item]:
        """Those that are there, in any order, read consistently."""
        found: list[Item] = []

        async def get_lot(lot: Sequence[Key]) -> None:
            waits = Waits(DYNAMODB_RETRY_WAIT_MIN_S, DYNAMODB_RETRY_WAIT_MAX_S)
            rest: Sequence[Any] = [one.attributes for one in lot]
            while rest:
                asked = {self._name: {"Keys": rest, "ConsistentRead": True}}
                answer = await self._service.call("batch_get_item", patience, RequestItems=asked)
                found.extend(answer["Responses"].get(self._name, ()))
                left = {name: one["Keys"] for name, one in answer.get("UnprocessedKeys", {}).items()}
                rest = await self._rest(left, rest, waits, patience)

        await for_each(in_lots(keys, GETS_MAX), get_lot, DYNAMODB_WRITES_AT_ONCE)
        return found

    async def set_number(self, key: Key, name: str, number: int, patience: Patience) -> None:
        """Of an item that is there and has none, or a lower one."""
        with_none_or_lower = f"attribute_exists({PARTITION}) AND (attribute_not_exists({name}) OR {name} < :n)"
        await self._update(
            key, patience, UpdateExpression=f"SET {name} = :n", ConditionExpression=with_none_or_lower,
            ExpressionAttributeValues={":n": {"N": str(number)}},
        )  # fmt: skip

    async def clear_number(self, key: Key, name: str, number: int, patience: Patience) -> None:
        """Of an item that has this one."""
        await self._update(
            key, patience, UpdateExpression=f"REMOVE {name}", ConditionExpression=f"{name} = :n",
            ExpressionAttributeValues={":n": {"N": str(number)}},
        )  # fmt: skip

    async def _update(self, key: Key, patience: Patience, **parameters: Any) -> None:
        with contextlib.suppress(Conflict):
            await self._call("update_item", patience, Key=key.attributes, **parameters)

    async def pages(
        self, stretch: Stretch, patience: Patience, *, sizes: Iterator[int], is_forward: bool = True
    ) -> AsyncIterator[Sequence[Item]]:
        """In the order of sort keys, read consistently; each of at most the next of ``sizes``."""
        if stretch.is_empty:
            return
        start: Mapping[str, Any] = {}
        while True:
            answer = await self._call(
                "query", patience, KeyConditionExpression=f"{PARTITION} = :p AND {SORT} BETWEEN :f AND :l",
                ExpressionAttributeValues={
                    ":p": {"B": stretch.partition}, ":f": {"B": stretch.first}, ":l": {"B": stretch.last},
                },
                ConsistentRead=True, ScanIndexForward=is_forward, Limit=next(sizes), **start,
            )  # fmt: skip
            is_last = "LastEvaluatedKey" not in answer
            if answer["Items"] or not is_last:
                yield answer["Items"]
            if is_last:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


async def whole(table: Table, stretch: Stretch, patience: Patience) -> list[Item]:
    """All that is in a stretch that is short."""
    items: list[Item] = []
    async for page in table.pages(stretch, patience, sizes=itertools.repeat(DYNAMODB_ENTRIES_PER_PAGE_MAX)):
        items += page
    return items


async def for_each(lots: Iterable[T], work: Callable[[T], Any], at_once: int) -> None:
    """The work on each, on some at a time. The first failure ends it."""
    rest = iter(lots)

    async def take_turns() -> None:
        for lot in rest:
            await work(lot)

    await all_of(take_turns() for _ in range(at_once))


async def all_of(works: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What each gives. The first failure ends them all."""
    tasks = [asyncio.create_task(one) for one in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
