"""Which partition an aggregate lies in: a stable hash of its partition key, pure."""

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from indelible.access import is_own
from indelible.conditions import AppendCondition
from indelible.errors import InvalidRequest
from indelible.events import AggregateKey, check_aggregate_type
from indelible.limits import PARTITION_KEY_LENGTH_MAX, PARTITION_KEYS_MAX

EVERY_TYPE: Final = "*"
"""Stands for the aggregate types that have no partition key of their own."""

MARK_AGGREGATE_TYPE: Final = "$store"
"""Of what each partition says of the store that it is a part of; the aggregate's id is the partition's number."""

_PLACEHOLDER: Final = re.compile(r"\{aggregate_id(?::(?P<separator>[^{}]+))?\}")


class _Key(NamedTuple):
    """A partition key as it is configured: text, perhaps with the aggregate's id in it, or what stands in that before
    a separator."""

    before: str
    has_id: bool
    separator: str
    after: str

    @classmethod
    def parse(cls, text: object, pointer: str) -> "_Key":
        if not isinstance(text, str) or not 1 <= len(text) <= PARTITION_KEY_LENGTH_MAX:
            raise InvalidRequest(f"must be a text of 1 to {PARTITION_KEY_LENGTH_MAX} characters", pointer=pointer)
        found = _PLACEHOLDER.search(text)
        before, after = (text, "") if found is None else (text[: found.start()], text[found.end() :])
        if "{" in before + after or "}" in before + after:
            raise InvalidRequest(
                'may hold one of "{aggregate_id}" and "{aggregate_id:SEPARATOR}", and no other "{" or "}"',
                pointer=pointer,
            )
        return cls(before, found is not None, (found and found["separator"]) or "", after)

    def of(self, aggregate_id: str) -> str:
        if not self.has_id:
            return self.before
        part = aggregate_id.partition(self.separator)[0] if self.separator else aggregate_id
        return f"{self.before}{part}{self.after}"


class PartitionKeys:
    """How a store spreads aggregates over its partitions. It never changes while the store lives: an aggregate is only
    ever looked for in one partition."""

    def __init__(self, partitions: int, configured: Mapping[str, str]) -> None:
        """``configured``: partition keys of aggregate types. Raises ``InvalidRequest`` below ``/partition_keys``."""
        if len(configured) > PARTITION_KEYS_MAX:
            raise InvalidRequest(f"must not be more than {PARTITION_KEYS_MAX}", pointer="/partition_keys")
        self.partitions: Final = partitions
        self.configured: Final = dict(sorted(configured.items()))
        self._keys: Final = {name: self._parse(name, text) for name, text in configured.items()}
        self._default: Final = self._keys.get(EVERY_TYPE)

    @staticmethod
    def _parse(aggregate_type: str, text: object) -> _Key:
        pointer = f"/partition_keys/{aggregate_type}"
        if aggregate_type != EVERY_TYPE:
            check_aggregate_type(aggregate_type, pointer)
        if is_own(aggregate_type):
            raise InvalidRequest("the store's own aggregate types have no partition key", pointer=pointer)
        return _Key.parse(text, pointer)

    def partition_of(self, key: AggregateKey) -> int:
        """From 0. What is no name is anywhere, to be refused there."""
        if key.aggregate_type == MARK_AGGREGATE_TYPE and str(key.aggregate_id).isdigit():
            return int(key.aggregate_id) % self.partitions
        configured = self._of_type(key.aggregate_type)
        if configured is None:
            text = f"{key.aggregate_type}-{key.aggregate_id}"
        else:
            text = configured.of(str(key.aggregate_id))
        return self._partition(text)

    def _of_type(self, aggregate_type: str) -> _Key | None:
        if not self._keys:
            return None
        return self._keys.get(aggregate_type, None if is_own(str(aggregate_type)) else self._default)

    def _partition(self, text: str) -> int:
        return zlib.crc32(text.encode("utf-8", "replace")) % self.partitions

    def only_partition_of(self, aggregate_types: Sequence[str]) -> int | None:
        """The one partition that all aggregates of these types lie in, those of any type when there is none; None where
        they may lie in several."""
        keys = [self._of_type(one) for one in aggregate_types] or [*self._keys.values(), self._default]
        found = {None if key is None or key.has_id else self._partition(key.before) for key in keys}
        return found.pop() if len(found) == 1 else None

    def check_together(self, keys: Sequence[AggregateKey], condition: AppendCondition | None) -> int:
        """The partition of an atomic append. Raises ``InvalidRequest`` for aggregates of several, and for a condition
        that asks for events of others."""
        home = self.partition_of(keys[0])
        for i, key in enumerate(keys):
            if self.partition_of(key) != home:
                raise InvalidRequest(
                    "lies in another partition than the first; one append takes aggregates of one partition. Those "
                    "that must change together need one partition key, which is configured when the store is made",
                    pointer=f"/appends/{i}",
                )
        for i, item in enumerate(() if condition is None else condition.fail_if):
            if self.only_partition_of(item.aggregate_types) != home:
                raise InvalidRequest(
                    "may match events of other partitions than the append's, which no condition can ask for. Name "
                    "aggregate types whose partition key is one text, the same as that of the append's aggregates",
                    pointer=f"/condition/fail_if/{i}",
                )
        return home
